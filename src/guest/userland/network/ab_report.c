/* ab's report, line by line as Apache's prints it: scripts read it.  Medians are true ones, where Apache's takes a neighbour. */
#include "ab.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static long round_ms(long us)
{
	return (us + 500) / 1000;
}

/* The times of one kind, from the samples. */
static long connect_time(const struct sample *sample) { return sample->connect; }
static long processing_time(const struct sample *sample) { return sample->total - sample->connect; }
static long waiting_time(const struct sample *sample) { return sample->wait; }
static long total_time(const struct sample *sample) { return sample->total; }

static const struct kind {
	const char *name, *in_words;
	long (*time)(const struct sample *sample);
} kinds[] = {
	{ "Connect:    ", "the initial connection time", connect_time },
	{ "Processing: ", "the processing time", processing_time },
	{ "Waiting:    ", "the waiting time", waiting_time },
	{ "Total:      ", "the total time", total_time },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct summary { /* ms */
	long least, mean, median, most;
	double deviation;
};

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return x < y ? -1 : x > y;
}

/* `times` has room for all of them, and is sorted afterwards. */
static struct summary summarize(const struct kind *kind, const struct results *results, int *times)
{
	double sum = 0, squares = 0;
	long count = results->done;

	for (long i = 0; i < count; i++) {
		times[i] = kind->time(&results->samples[i]);
		sum += times[i];
	}
	long mean = sum / count;
	for (long i = 0; i < count; i++)
		squares += ((double)times[i] - mean) * ((double)times[i] - mean);
	qsort(times, count, sizeof *times, by_value);
	long median = count % 2 ? times[count / 2] : ((long)times[count / 2 - 1] + times[count / 2]) / 2;
	return (struct summary){ round_ms(times[0]), round_ms(mean), round_ms(median), round_ms(times[count - 1]),
				 count > 1 ? sqrt(squares / (count - 1)) / 1000 : 0 };
}

/* A median far from the mean says that the figures are of several kinds. */
static void doubt(const struct kind *kind, const struct summary *summary)
{
	double distance = fabs((double)summary->mean - summary->median);

	if (distance > 2 * summary->deviation)
		printf("ERROR: The median and mean for %s are more than twice the standard\n"
		       "       deviation apart. These results are NOT reliable.\n", kind->in_words);
	else if (distance > summary->deviation)
		printf("WARNING: The median and mean for %s are not within a normal deviation\n"
		       "        These results are probably not that reliable.\n", kind->in_words);
}

static void print_times(const struct report *how, const struct results *results, int *times)
{
	struct summary summaries[KINDS];

	for (int kind = 0; kind < KINDS; kind++)
		summaries[kind] = summarize(&kinds[kind], results, times);
	printf("\nConnection Times (ms)\n");
	if (!how->confidence) {
		printf("              min   avg   max\n");
		for (int kind = 0; kind < KINDS; kind++)
			printf("%s%5ld %5ld%5ld\n", kinds[kind].name, summaries[kind].least, summaries[kind].mean, summaries[kind].most);
		return;
	}
	printf("              min  mean[+/-sd] median   max\n");
	for (int kind = 0; kind < KINDS; kind++)
		printf("%s%5ld %4ld %5.1f %6ld %7ld\n", kinds[kind].name, summaries[kind].least, summaries[kind].mean, summaries[kind].deviation,
		       summaries[kind].median, summaries[kind].most);
	for (int kind = 0; kind < KINDS; kind++)
		doubt(&kinds[kind], &summaries[kind]);
}

/* `times` are the total times, sorted. */
static void print_percentiles(const int *times, long count)
{
	static const int percents[] = { 50, 66, 75, 80, 90, 95, 98, 99 };

	printf("\nPercentage of the requests served within a certain time (ms)\n");
	for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
		printf("  %d%%  %5ld\n", percents[i], round_ms(times[count * percents[i] / 100]));
	printf(" 100%%  %5ld (longest request)\n", round_ms(times[count - 1]));
}

void print_report(const struct report *how, struct results *results)
{
	double seconds = results->seconds;
	long done = results->done;

	printf("\n\n");
	printf("Server Software:        %s\n", results->server);
	printf("Server Hostname:        %s\n", how->url->host);
	printf("Server Port:            %d\n", how->url->port);
	printf("\n");
	printf("Document Path:          %s\n", how->url->path);
	if (how->variable_length)
		printf("Document Length:        Variable\n");
	else
		printf("Document Length:        %ld bytes\n", results->document_length);
	printf("\n");
	printf("Concurrency Level:      %ld\n", how->concurrency);
	printf("Time taken for tests:   %.3f seconds\n", seconds);
	printf("Complete requests:      %ld\n", done);
	printf("Failed requests:        %ld\n", results->bad);
	if (results->bad)
		printf("   (Connect: %ld, Receive: %ld, Length: %ld, Exceptions: %ld)\n", results->failed_connect, results->failed_receive,
		       results->failed_length, results->failed_other);
	if (results->failed_write)
		printf("Write errors:           %ld\n", results->failed_write);
	if (results->not_ok)
		printf("Non-2xx responses:      %ld\n", results->not_ok);
	if (how->keep_alive)
		printf("Keep-Alive requests:    %ld\n", results->kept);
	printf("Total transferred:      %lld bytes\n", results->bytes);
	printf("HTML transferred:       %lld bytes\n", results->body_bytes);
	if (seconds > 0 && done) {
		printf("Requests per second:    %.2f [#/sec] (mean)\n", done / seconds);
		printf("Time per request:       %.3f [ms] (mean)\n", how->concurrency * seconds * 1000 / done);
		printf("Time per request:       %.3f [ms] (mean, across all concurrent requests)\n", seconds * 1000 / done);
		printf("Transfer rate:          %.2f [Kbytes/sec] received\n", results->bytes / 1024. / seconds);
	}
	int *times = done ? malloc(done * sizeof *times) : 0;
	if (!times)
		return;
	print_times(how, results, times);
	if (how->percentiles && done > 1)
		print_percentiles(times, done);
	free(times);
}
