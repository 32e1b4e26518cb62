/*
 * iperf over UDP: numbered and dated datagrams at a steady rate; the other side counts what is missing and how unevenly they came,
 * and tells the client at the end.  Layout, the big end first:
 *
 *   datagram    0 number (negative: the last one)  4 seconds  8 microseconds  12 upper half of the number
 *   report     16 flags  20 bytes (64 bits)  28 seconds  32 microseconds  36 lost  40 out of order  44 datagrams  48 jitter: s  52 µs
 */
#include "iperf.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NUMBER = 0, SECONDS = 4, MICROSECONDS = 8, UPPER = 12, REPORT = 16, REPORT_END = 56, SMALLEST = 16, MOST_STREAMS = 64, TRIES = 10, TRY_MS = 250 };
#define HAS_REPORT 0x80000000u

static void stamp(unsigned char *datagram, long number)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	put32(datagram + NUMBER, number);
	put32(datagram + SECONDS, now.tv_sec);
	put32(datagram + MICROSECONDS, now.tv_nsec / 1000);
	put32(datagram + UPPER, number < 0 ? ~0u : 0);
}

static void print_server_report(struct stream *stream, const unsigned char *report)
{
	char id[8];
	long long bytes = (long long)get32(report + 4) << 32 | get32(report + 8), us = get32(report + 12) * 1000000ll + get32(report + 16);

	stream->jitter_ms = get32(report + 32) * 1e3 + get32(report + 36) / 1e3;
	printf("[%3d] Server Report:\n", stream->id);
	print_columns(1);
	snprintf(id, sizeof id, "%3d", stream->id);
	print_interval(id, 0, us, bytes);
	print_loss(stream, get32(report + 20), get32(report + 28));
	putchar('\n');
}

/* The last datagram, again and again until the server has reported. */
static int finish(struct stream *stream, unsigned char *datagram, long size, long last)
{
	unsigned char answer[2048];

	for (int i = 0; i < TRIES; i++) {
		struct pollfd wait = { stream->fd, POLLIN, 0 };
		stamp(datagram, -last);
		send(stream->fd, datagram, size, 0);
		if (poll(&wait, 1, TRY_MS) <= 0)
			continue;
		ssize_t got = recv(stream->fd, answer, sizeof answer, MSG_DONTWAIT);
		if (got < 0 && errno == ECONNREFUSED)
			return warn_text("the server isn't there: %s", strerror(errno));
		if (got >= REPORT_END && get32(answer + REPORT) & HAS_REPORT) {
			print_server_report(stream, answer + REPORT);
			return 0;
		}
	}
	printf("[%3d] WARNING: did not receive ack of last datagram after %d tries.\n", stream->id, TRIES);
	return 1;
}

int udp_client(const struct test *test)
{
	long size = test->size < SMALLEST ? SMALLEST : test->size;
	unsigned char *datagram = calloc(1, size < REPORT_END ? REPORT_END : size);
	struct stream stream = { .id = 1, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	double gap_us = size * 8e6 / test->rate;
	long number = 0;

	if (!datagram || stream.fd < 0 || connect(stream.fd, (const struct sockaddr *)&test->at, sizeof test->at) < 0)
		return warn_text("connect failed: %s", strerror(errno));
	print_opening(test, 0, SO_SNDBUF, stream.fd);
	print_connection(&stream);
	stream.began_us = stream.reported_us = now_us();
	for (;;) {
		long long now = now_us(), due = stream.began_us + (long long)(gap_us * number);
		report_interval(&stream, test, 0, now);
		if (test->bytes ? stream.bytes >= test->bytes : now - stream.began_us >= test->duration_us)
			break;
		if (due > now) {
			sleep_seconds((due - now) / 1e6);
			continue;
		}
		stamp(datagram, number++);
		if (send(stream.fd, datagram, size, 0) >= 0)
			stream.bytes += size;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return warn_text("write failed: %s", strerror(errno));
	}
	report_all(&stream, 0, now_us());
	printf("[%3d] Sent %ld datagrams\n", stream.id, number);
	fflush(stdout);
	int failed = finish(&stream, datagram, size, number);
	free(datagram);
	close(stream.fd);
	return failed;
}

/* RFC 1889: a sixteenth of how much longer or shorter this one was on its way than the one before. */
static void measure(struct stream *stream, const unsigned char *datagram)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	double transit = (now.tv_sec - (double)get32(datagram + SECONDS)) * 1e3 + (now.tv_nsec / 1e3 - get32(datagram + MICROSECONDS)) / 1e3;
	double change = transit - stream->transit_ms;
	if (stream->datagrams)
		stream->jitter_ms += ((change < 0 ? -change : change) - stream->jitter_ms) / 16;
	stream->transit_ms = transit;
}

static void count(struct stream *stream, const unsigned char *datagram, long size)
{
	long number = (int)get32(datagram + NUMBER);

	measure(stream, datagram);
	stream->bytes += size;
	if (!stream->datagrams && number == 1)
		stream->next = 1; /* some count from there */
	if (number >= stream->next) {
		stream->lost += number - stream->next;
		stream->next = number + 1;
	} else { /* it had been counted as lost */
		stream->out_of_order++;
		if (stream->lost)
			stream->lost--;
	}
	stream->datagrams++;
}

static void answer(int fd, const struct stream *stream, const unsigned char *datagram)
{
	unsigned char report[128] = { 0 };
	unsigned jitter_us = stream->jitter_ms * 1000;

	memcpy(report, datagram, SMALLEST);
	put32(report + REPORT, HAS_REPORT);
	put32(report + REPORT + 4, stream->bytes >> 32);
	put32(report + REPORT + 8, stream->bytes);
	put32(report + REPORT + 12, stream->stop_s);
	put32(report + REPORT + 16, stream->stop_us);
	put32(report + REPORT + 20, stream->lost);
	put32(report + REPORT + 24, stream->out_of_order);
	put32(report + REPORT + 28, stream->datagrams + stream->lost);
	put32(report + REPORT + 32, jitter_us / 1000000);
	put32(report + REPORT + 36, jitter_us % 1000000);
	sendto(fd, report, sizeof report, 0, (const struct sockaddr *)&stream->peer, sizeof stream->peer);
}

/* The stream of a client; a new one takes the place of one that has ended, or 0 where all are busy. */
static struct stream *stream_of(struct stream *streams, const struct sockaddr_in *peer)
{
	struct stream *unused = 0;

	for (int i = 0; i < MOST_STREAMS; i++) {
		struct stream *stream = &streams[i];
		if (stream->id && stream->peer.sin_port == peer->sin_port && stream->peer.sin_addr.s_addr == peer->sin_addr.s_addr)
			return stream;
		if (!unused && (!stream->id || stream->ended))
			unused = stream;
	}
	if (unused)
		*unused = (struct stream){ .peer = *peer };
	return unused;
}

int udp_server(const struct test *test)
{
	static struct stream streams[MOST_STREAMS];
	static unsigned char datagram[65536];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), next_id = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&test->at, sizeof test->at) < 0)
		return warn_text("bind failed: %s", strerror(errno));
	print_opening(test, 1, SO_RCVBUF, fd);
	for (;;) {
		struct sockaddr_in peer;
		socklen_t name_size = sizeof peer;
		struct pollfd wait = { fd, POLLIN, 0 };
		/* After the last answer a while more: it may get lost, and is asked for again. */
		int over = test->once && next_id > 1;
		for (int i = 0; i < MOST_STREAMS; i++)
			over &= !streams[i].id || streams[i].ended;
		if (poll(&wait, 1, over ? 2 * TRY_MS : -1) == 0)
			return 0;
		ssize_t size = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&peer, &name_size);
		if (size < SMALLEST)
			continue;
		int is_last = (int)get32(datagram + NUMBER) < 0;
		struct stream *stream = stream_of(streams, &peer);
		if (!stream || (is_last && !stream->id))
			continue;
		long long now = now_us();
		if (!stream->id || (stream->ended && !is_last)) {
			*stream = (struct stream){ .fd = fd, .id = next_id++, .peer = peer, .began_us = now, .reported_us = now };
			print_connection(stream);
		}
		if (!stream->ended) {
			report_interval(stream, test, 1, now);
			if (!is_last)
				count(stream, datagram, size);
		}
		if (!is_last)
			continue;
		if (!stream->ended) {
			long last = -(long)(int)get32(datagram + NUMBER);
			if (last > stream->next)
				stream->lost += last - stream->next; /* those before the last one are missing */
			stream->ended = 1;
			stream->stop_s = (now - stream->began_us) / 1000000;
			stream->stop_us = (now - stream->began_us) % 1000000;
			report_all(stream, 1, now);
		}
		answer(fd, stream, datagram);
	}
}
