/* iperf's output, as version 2 prints it. */
#include "iperf.h"
#include <arpa/inet.h>
#include <string.h>

static const char line[] = "------------------------------------------------------------";

/* "1.20 M", "10.0 M", " 540 M": three digits that count. */
static const char *amount(double value, double base, char text[16])
{
	static const char units[] = " KMG";
	int unit = 0;

	for (; value >= base && unit < 3; unit++)
		value /= base;
	snprintf(text, 16, value < 9.995 ? "%4.2f %.*s" : value < 99.95 ? "%4.1f %.*s" : "%4.0f %.*s", value, unit > 0, units + unit);
	return text;
}

void print_opening(const struct test *test, int server, int buffer_option, int fd)
{
	const char *protocol = test->udp ? "UDP" : "TCP";
	int port = ntohs(test->at.sin_port), buffer = 0;
	socklen_t size = sizeof buffer;
	char text[16];

	puts(line);
	if (server)
		printf("Server listening on %s port %d\n", protocol, port);
	else
		printf("Client connecting to %s, %s port %d\n", test->host, protocol, port);
	if (test->udp && !server)
		printf("Sending %ld byte datagrams, IPG target: %.2f us\n", test->size, test->size * 8e6 / test->rate);
	getsockopt(fd, SOL_SOCKET, buffer_option, &buffer, &size);
	printf("%s %s size: %sByte (default)\n", protocol, test->udp ? "buffer" : "window", amount(buffer, 1024, text));
	puts(line);
	fflush(stdout);
}

void print_connection(const struct stream *stream)
{
	struct sockaddr_in own, peer;
	socklen_t own_size = sizeof own, peer_size = sizeof peer;

	getsockname(stream->fd, (struct sockaddr *)&own, &own_size);
	if (getpeername(stream->fd, (struct sockaddr *)&peer, &peer_size) < 0)
		peer = stream->peer;
	printf("[%3d] local %s port %d ", stream->id, inet_ntoa(own.sin_addr), ntohs(own.sin_port));
	printf("connected with %s port %d\n", inet_ntoa(peer.sin_addr), ntohs(peer.sin_port));
	fflush(stdout);
}

void print_columns(int with_jitter)
{
	static int printed[2];

	if (!printed[with_jitter]++)
		printf("[ ID] Interval       Transfer     Bandwidth%s\n", with_jitter ? "        Jitter   Lost/Total Datagrams" : "");
}

void print_interval(const char *id, long long from_us, long long to_us, long long bytes)
{
	char transfer[16], rate[16];
	double seconds = (to_us - from_us) / 1e6;

	printf("[%3s] %.4f-%.4f sec  %sBytes  %sbits/sec", id, from_us / 1e6, to_us / 1e6, amount(bytes, 1024, transfer),
	       amount(seconds > 0 ? bytes * 8 / seconds : 0, 1000, rate));
}

void print_loss(const struct stream *stream, long lost, long datagrams)
{
	printf("  %6.3f ms %ld/%ld (%.2g%%)", stream->jitter_ms, lost, datagrams, datagrams ? 100. * lost / datagrams : 0);
}

static void report(struct stream *stream, int with_loss, long long from, long long to, long long bytes, long lost, long datagrams)
{
	char id[8];

	snprintf(id, sizeof id, "%3d", stream->id);
	print_columns(with_loss);
	print_interval(id, from - stream->began_us, to - stream->began_us, bytes);
	if (with_loss)
		print_loss(stream, lost, datagrams);
	putchar('\n');
	fflush(stdout);
}

void report_interval(struct stream *stream, const struct test *test, int with_loss, long long now)
{
	if (!test->interval_us || now - stream->reported_us < test->interval_us)
		return;
	report(stream, with_loss, stream->reported_us, stream->reported_us + test->interval_us, stream->bytes - stream->bytes_reported,
	       stream->lost - stream->lost_reported, stream->datagrams - stream->datagrams_reported + stream->lost - stream->lost_reported);
	stream->bytes_reported = stream->bytes;
	stream->lost_reported = stream->lost;
	stream->datagrams_reported = stream->datagrams;
	stream->reported_us += test->interval_us;
}

void report_all(struct stream *stream, int with_loss, long long now)
{
	report(stream, with_loss, stream->began_us, now, stream->bytes, stream->lost, stream->datagrams + stream->lost);
}
