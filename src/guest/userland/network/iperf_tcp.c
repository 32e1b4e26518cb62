/* iperf over TCP: as many bytes as the connections take, and the other side, which throws them away. */
#include "iperf.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_STREAMS = 64, BACKLOG = 64 };

static struct stream streams[MOST_STREAMS];
static struct pollfd waits[MOST_STREAMS + 1];

int tcp_client(const struct test *test)
{
	char *bytes = malloc(test->size);
	int count = test->streams, failed = 0;

	if (!bytes)
		return warn_text("no memory");
	for (long i = 0; i < test->size; i++)
		bytes[i] = '0' + i % 10;
	for (int i = 0; i < count; i++) {
		streams[i] = (struct stream){ .id = i + 1, .fd = connect_within(&test->at, 0, 0, test->timeout_ms) };
		if (streams[i].fd < 0)
			return warn_text("connect failed: %s", strerror(errno));
		if (!i)
			print_opening(test, 0, SO_SNDBUF, streams[i].fd);
		print_connection(&streams[i]);
		set_nonblocking(streams[i].fd, 1);
	}
	long long began = now_us(), now = began, sum = 0;
	for (int i = 0; i < count; i++)
		streams[i].began_us = streams[i].reported_us = began;
	for (int left = count; left;) {
		for (int i = 0; i < count; i++)
			waits[i] = (struct pollfd){ streams[i].ended ? -1 : streams[i].fd, POLLOUT, 0 };
		long long rest_ms = test->bytes ? 1000 : (began + test->duration_us - now) / 1000 + 1;
		if (test->interval_us && rest_ms * 1000 > test->interval_us)
			rest_ms = test->interval_us / 1000 + 1;
		poll(waits, count, rest_ms > 0 ? rest_ms : 0);
		now = now_us();
		for (int i = 0; i < count; i++) {
			struct stream *stream = &streams[i];
			long size = test->bytes && test->bytes - stream->bytes < test->size ? test->bytes - stream->bytes : test->size;
			if (stream->ended)
				continue;
			report_interval(stream, test, 0, now);
			ssize_t sent = waits[i].revents ? send(stream->fd, bytes, size, MSG_NOSIGNAL) : 0;
			if (sent < 0 && errno != EAGAIN && errno != EINTR)
				failed = stream->ended = warn_text("write failed: %s", strerror(errno));
			if (sent > 0)
				stream->bytes += sent;
			if (test->bytes ? stream->bytes >= test->bytes : now - began >= test->duration_us)
				stream->ended = 1;
			if (!stream->ended)
				continue;
			shutdown(stream->fd, SHUT_WR);
			report_all(stream, 0, now_us());
			left--;
		}
	}
	for (int i = 0; i < count; i++) {
		sum += streams[i].bytes;
		close(streams[i].fd);
	}
	if (count > 1) {
		print_interval("SUM", 0, now_us() - began, sum);
		putchar('\n');
	}
	free(bytes);
	return failed;
}

/* Bytes that came: 0 while the stream goes on. */
static int drain(struct stream *stream, char *bytes, long size)
{
	ssize_t got = recv(stream->fd, bytes, size, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return 1;
	stream->bytes += got;
	return 0;
}

int tcp_server(const struct test *test)
{
	int listener = listen_at(&test->at, BACKLOG), next_id = 1, open = 0;
	char *bytes = malloc(test->size);

	if (listener < 0)
		return warn_text("bind failed: %s", strerror(errno));
	if (!bytes)
		return warn_text("no memory");
	print_opening(test, 1, SO_RCVBUF, listener);
	for (int i = 0; i < MOST_STREAMS; i++)
		streams[i].fd = -1;
	for (;;) {
		waits[MOST_STREAMS] = (struct pollfd){ open < MOST_STREAMS ? listener : -1, POLLIN, 0 };
		for (int i = 0; i < MOST_STREAMS; i++)
			waits[i] = (struct pollfd){ streams[i].fd, POLLIN, 0 };
		poll(waits, MOST_STREAMS + 1, open && test->interval_us ? test->interval_us / 1000 + 1 : -1);
		long long now = now_us();
		for (int i = 0; i < MOST_STREAMS; i++) {
			struct stream *stream = &streams[i];
			if (stream->fd < 0)
				continue;
			report_interval(stream, test, 0, now);
			if (!waits[i].revents || !drain(stream, bytes, test->size))
				continue;
			report_all(stream, 0, now_us());
			close(stream->fd);
			stream->fd = -1;
			if (!--open && test->once)
				return 0;
		}
		for (int i = 0; waits[MOST_STREAMS].revents && i < MOST_STREAMS; i++) {
			if (streams[i].fd >= 0)
				continue;
			int fd = accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fd < 0)
				break;
			now = now_us();
			streams[i] = (struct stream){ .fd = fd, .id = next_id++, .began_us = now, .reported_us = now };
			open++;
			print_connection(&streams[i]);
			break;
		}
	}
}
