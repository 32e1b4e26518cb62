/*
 * nc: standard input to a connection and the connection to standard output, until both have ended.  The end of the input shuts our
 * side of the connection; -w ends all after so long without a byte.
 */
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 16384, DATAGRAM_SIZE = 65536 };

static int verbose, udp, scan, stay, timeout_ms = -1;

/* Bytes on their way in one direction. */
struct flow {
	int from, to;
	int ended; /* the source has no more, and all of it is through */
	char *bytes;
	size_t size;
};

/* A piece of what is ready: 1, 0 at the end of the source, -1 when the sink is gone. */
static int pump(struct flow *flow)
{
	ssize_t got = read(flow->from, flow->bytes, flow->size);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (got <= 0)
		return udp && got == 0 && flow->to == STDOUT_FILENO ? 1 : 0; /* a datagram may be empty */
	return write_all(flow->to, flow->bytes, got) < 0 ? -1 : 1;
}

static int converse(int fd)
{
	struct flow out = { STDIN_FILENO, fd, 0, malloc(BUFFER_SIZE), BUFFER_SIZE }, in = { fd, STDOUT_FILENO, 0, malloc(DATAGRAM_SIZE), DATAGRAM_SIZE };

	/* A whole input line is a datagram, as long as it may be. */
	while (out.bytes && in.bytes && !in.ended) {
		struct pollfd wait[2] = { { fd, POLLIN, 0 }, { out.ended ? -1 : STDIN_FILENO, POLLIN, 0 } };
		int ready = poll(wait, 2, timeout_ms);
		if (ready == 0)
			break;
		if (ready < 0 && errno != EINTR)
			break;
		if (ready > 0 && wait[0].revents)
			in.ended = pump(&in) <= 0;
		if (ready > 0 && wait[1].revents && pump(&out) <= 0) {
			out.ended = 1;
			if (!udp)
				shutdown(fd, SHUT_WR);
		}
	}
	free(out.bytes);
	free(in.bytes);
	close(fd);
	return 0;
}

static const char *endpoint(const struct sockaddr_in *at)
{
	static char text[32];
	snprintf(text, sizeof text, "%s %u", inet_ntoa(at->sin_addr), ntohs(at->sin_port));
	return text;
}

/* Waits for the first datagram, and then talks with whom it came from. */
static int accept_datagram(const struct sockaddr_in *at)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	char first;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	struct pollfd wait = { fd, POLLIN, 0 };
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 || poll(&wait, 1, timeout_ms) <= 0 ||
	    recvfrom(fd, &first, 1, MSG_PEEK, (struct sockaddr *)&peer, &size) < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	if (verbose)
		fprintf(stderr, "Connection received on %s\n", endpoint(&peer));
	return fd;
}

static int serve(const struct sockaddr_in *at)
{
	int listener = udp ? -1 : listen_at(at, 1);

	if (!udp && listener < 0)
		return warn_text("%s", strerror(errno));
	if (verbose)
		fprintf(stderr, "%s on %s\n", udp ? "Bound" : "Listening", endpoint(at));
	do {
		struct sockaddr_in peer;
		socklen_t size = sizeof peer;
		struct pollfd wait = { listener, POLLIN, 0 };
		if (!udp && timeout_ms >= 0 && poll(&wait, 1, timeout_ms) == 0)
			return 1;
		int fd = udp ? accept_datagram(at) : accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
		if (fd < 0)
			return warn_text("%s", strerror(errno));
		if (verbose && !udp)
			fprintf(stderr, "Connection received on %s\n", endpoint(&peer));
		if (!stay && listener >= 0)
			close(listener);
		converse(fd);
	} while (stay);
	return 0;
}

static int connect_datagrams(const struct sockaddr_in *to, const struct in_addr *from, int from_port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(from_port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (from)
		own.sin_addr = *from;
	if (fd >= 0 && (((from || from_port) && bind(fd, (struct sockaddr *)&own, sizeof own) < 0) || connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A UDP port that nobody has answers with an error, one that somebody has with nothing. */
static int answers(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };
	for (int i = 0; i < 2; i++)
		if (write(fd, "X", 1) < 0 || (poll(&wait, 1, 100) > 0 && wait.revents & POLLERR))
			return 0;
	return 1;
}

static int call_port(const char *host, struct sockaddr_in to, int port, const struct in_addr *from, int from_port)
{
	to.sin_port = htons(port);
	int fd = udp ? connect_datagrams(&to, from, from_port) : connect_within(&to, from, from_port, timeout_ms);
	if (fd < 0 && (verbose || !scan))
		warn_text("connect to %s port %d (%s) failed: %s", host, port, udp ? "udp" : "tcp", strerror(errno));
	if (fd >= 0 && udp && scan && !answers(fd)) {
		close(fd);
		return 1;
	}
	if (fd < 0)
		return 1;
	if (verbose)
		fprintf(stderr, "Connection to %s %d port [%s/*] succeeded!\n", host, port, udp ? "udp" : "tcp");
	if (scan) {
		close(fd);
		return 0;
	}
	return converse(fd);
}

int nc_main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct in_addr from = { 0 };
	int option, wait = 0, own_port = 0, failed = 1;
	const char *syntax = "[-lukvzNn] [-w SECONDS] [-p PORT] [-s ADDRESS] [HOST] [PORT[-PORT]]";

	while ((option = getopt(argc, argv, "lukvzNnw:p:s:")) != -1)
		switch (option) {
		case 'l': wait = 1; break;
		case 'u': udp = 1; break;
		case 'k': stay = 1; break;
		case 'v': verbose = 1; break;
		case 'z': scan = 1; break;
		case 'N': break; /* is always so */
		case 'n': break; /* names are looked up in files only */
		case 'w': {
			double seconds = parse_seconds(optarg);
			if (seconds < 0 || seconds > 1e6)
				return warn_text("%s: not a time", optarg);
			timeout_ms = seconds * 1000;
			break;
		}
		case 'p':
			if ((own_port = find_port(optarg)) < 0)
				return 1;
			break;
		case 's':
			if (find_host(optarg, &from) < 0)
				return 1;
			break;
		default: return usage(syntax);
		}
	int left = argc - optind;
	const char *port_text = left ? argv[argc - 1] : 0;
	if (wait) {
		/* -l PORT, -l HOST PORT, -l -p PORT, -l -p PORT HOST */
		const char *host = left == 2 || (left == 1 && own_port) ? argv[optind] : 0;
		int port = own_port ? own_port : port_text ? find_port(port_text) : -1;
		if (left > 2 || (!own_port && !port_text))
			return usage(syntax);
		if (port < 0 || (host && find_host(host, &at.sin_addr) < 0))
			return 1;
		at.sin_port = htons(port);
		return serve(&at);
	}
	if (left != 2)
		return usage(syntax);
	if (find_host(argv[optind], &at.sin_addr) < 0)
		return 1;
	char *dash = strchr(port_text, '-');
	if (dash)
		*dash = 0;
	int first = find_port(port_text), last = dash ? find_port(dash + 1) : first;
	if (first < 0 || last < 0)
		return 1;
	for (int port = first; port <= last; port++)
		failed &= call_port(argv[optind], at, port, from.s_addr ? &from : 0, own_port);
	return failed;
}
