/*
 * ab: Apache Bench.  So many requests, so many of them at a time, each over a connection of its own or (-k) over one that is kept.
 * What counts as a failure, what a time measures and what is sent are Apache's.
 *
 * A connection is CONNECTING until it may be written to, SENDING until the request is with the kernel, RECEIVING until the
 * answer is whole: at the end of the connection, or, kept, after as many bytes as its head promised.  Then it begins again.
 */
#include "ab.h"
#include "watch.h"
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REQUESTS = 50000, MOST_CONCURRENCY = 20000, HEAD_SIZE = 2048, REQUEST_SIZE = 8192, EVENTS = 64, RECEIVE_SIZE = 16384 };

struct connection {
	enum { CLOSED, CONNECTING, SENDING, RECEIVING } state;
	int fd;
	long long started, connected, sent, answered; /* µs */
	size_t to_send; /* bytes of the request that are left */
	char head[HEAD_SIZE];
	size_t head_length, read; /* bytes: of the head so far; of all */
	long body_read, body_length;
	int head_read, keep, reused; /* the head is whole; it promised a length and another answer; a request went over it before */
};

static struct url url;
static struct sockaddr_in server;
static char request[REQUEST_SIZE];
static size_t request_length;
static int use_head, keep_alive, verbosity, variable_length, go_on;
static long requests = 1, concurrency = 1, heartbeat, good, timeout_s = 30;
static long begun; /* requests that were or will be made: no more than are wanted */
static struct results results;
static struct report report = { .url = &url, .percentiles = 1, .confidence = 1 };
static long long began, last; /* µs: the start, and when something last ended */

static _Noreturn void give_up(const char *what, int error, const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s (%d)\n", what, text ? text : strerror(error), error);
	if (results.done)
		printf("Total of %ld requests completed\n", results.done);
	exit(error & 255 ? error & 255 : 1);
}

static void start_connection(struct connection *connection);

static void want(struct connection *connection, unsigned events)
{
	if (watch(connection->fd, events, connection) < 0)
		give_up("epoll_ctl", errno, 0);
}

static void close_connection(struct connection *connection)
{
	unwatch(connection->fd);
	close(connection->fd);
	connection->state = CLOSED;
}

/* Records a request that is over. */
static void count_request(struct connection *connection)
{
	if (++good == 1)
		results.document_length = connection->body_read;
	else if (connection->body_read != results.document_length && !variable_length) {
		results.bad++;
		results.failed_length++;
	}
	if (results.done >= requests)
		return;
	last = now_us();
	results.samples[results.done++] = (struct sample){ connection->connected - connection->started,
							    connection->answered > connection->sent ? connection->answered - connection->sent : 0,
							    last - connection->started };
	if (heartbeat && results.done % heartbeat == 0) {
		fflush(stdout);
		fprintf(stderr, "Completed %ld requests\n", results.done);
	}
}

/* The connection has ended, and another one takes its place while there is work. */
static void end_connection(struct connection *connection, int answered)
{
	/* What was not answered is asked again: a kept connection that the server closes between two requests has failed nobody. */
	if (answered)
		count_request(connection);
	else
		begun--;
	close_connection(connection);
	start_connection(connection);
}

/* Nothing happens if all requests are on their way already. */
static void start_connection(struct connection *connection)
{
	int on = 1, tries = 0;

	if (begun >= requests)
		return;
	begun++;
	for (;;) {
		connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connection->fd < 0)
			give_up("socket", errno, 0);
		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		connection->head_length = connection->read = connection->body_read = connection->body_length = 0;
		connection->head_read = connection->keep = connection->reused = 0;
		connection->started = now_us();
		if (connect(connection->fd, (struct sockaddr *)&server, sizeof server) == 0 || errno == EINPROGRESS)
			break;
		int error = errno;
		close(connection->fd);
		results.failed_connect++;
		if (results.bad++ > 10 || ++tries > 10) {
			fprintf(stderr, "\nTest aborted after 10 failures\n\n");
			give_up("apr_socket_connect()", error, 0);
		}
	}
	connection->state = CONNECTING;
	want(connection, EPOLLOUT);
}

static void send_request(struct connection *connection)
{
	while (connection->to_send) {
		ssize_t sent = send(connection->fd, request + request_length - connection->to_send, connection->to_send, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (connection->state != SENDING)
				want(connection, EPOLLOUT);
			connection->state = SENDING;
			return;
		}
		if (sent < 0) {
			results.failed_write++;
			end_connection(connection, !connection->reused);
			return;
		}
		connection->to_send -= sent;
	}
	connection->sent = now_us();
	if (connection->state != RECEIVING)
		want(connection, EPOLLIN);
	connection->state = RECEIVING;
}

static void begin_request(struct connection *connection)
{
	connection->to_send = request_length;
	connection->answered = 0;
	send_request(connection);
}

/* What the head of an answer says. */
static void read_head(struct connection *connection)
{
	size_t length;
	char code[4] = "500";

	if (verbosity >= 4)
		printf("LOG: header received:\n%s\n", connection->head);
	if (!*results.server) {
		const char *value = header_value(connection->head, "Server", &length);
		if (value)
			strlcpy(results.server, value, length + 1 < sizeof results.server ? length + 1 : sizeof results.server);
	}
	if (!strncmp(connection->head, "HTTP/", 5) && strlen(connection->head) > 12)
		strlcpy(code, connection->head + 9, sizeof code);
	else if (verbosity >= 2)
		printf("WARNING: Response not HTTP\n");
	if (*code != '2') {
		results.not_ok++;
		if (verbosity >= 2)
			printf("WARNING: Response code not 2xx (%s)\n", code);
	} else if (verbosity >= 3)
		printf("LOG: Response code = %s\n", code);
	const char *value = header_value(connection->head, "Connection", &length);
	if (!keep_alive || !value || length != 10 || strncasecmp(value, "keep-alive", 10))
		return;
	value = header_value(connection->head, "Content-Length", &length);
	if (value || use_head) {
		connection->keep = 1;
		connection->body_length = use_head ? 0 : strtol(value, 0, 10);
	}
}

/* Gathers the head; what came after it in `bytes` is the body. */
static void gather_head(struct connection *connection, const char *bytes, size_t size)
{
	size_t before = connection->head_length, room = HEAD_SIZE - 1 - before, taken = size < room ? size : room;

	memcpy(connection->head + before, bytes, taken);
	connection->head_length += taken;
	connection->head[connection->head_length] = 0;
	char *end = strstr(connection->head, "\r\n\r\n"), *other = end ? 0 : strstr(connection->head, "\n\n");
	if (!end && !other) {
		if (taken == size)
			return;
		results.not_ok++;
		results.bad++;
		results.failed_other++;
		if (verbosity >= 2)
			printf("WARNING: Response header too long\n");
		end_connection(connection, 1);
		return;
	}
	size_t head_size = (end ? end + 4 : other + 2) - connection->head;
	connection->body_read = size - (head_size - before);
	results.body_bytes += connection->body_read;
	connection->head_read = 1;
	read_head(connection);
}

static void receive(struct connection *connection)
{
	static char bytes[RECEIVE_SIZE];
	ssize_t got = recv(connection->fd, bytes, sizeof bytes, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		int error = errno;
		if (!go_on)
			give_up("apr_socket_recv", error, 0);
		results.failed_receive++;
		results.bad++;
		if (verbosity >= 2)
			fprintf(stderr, "apr_socket_recv: %s (%d)\n", strerror(error), error);
		end_connection(connection, connection->read || !connection->reused);
		return;
	}
	if (got == 0) {
		if (!connection->read && !connection->reused) {
			results.bad++;
			results.failed_other++;
		}
		end_connection(connection, connection->read || !connection->reused);
		return;
	}
	if (!connection->read)
		connection->answered = now_us();
	connection->read += got;
	results.bytes += got;
	if (connection->head_read) {
		connection->body_read += got;
		results.body_bytes += got;
	} else
		gather_head(connection, bytes, got);
	if (!connection->keep || connection->body_read < connection->body_length)
		return;
	results.kept++;
	count_request(connection);
	if (begun >= requests) {
		close_connection(connection);
		return;
	}
	begun++;
	connection->head_length = connection->read = connection->body_read = connection->body_length = 0;
	connection->head_read = connection->keep = 0;
	connection->reused = 1;
	connection->started = connection->connected = now_us(); /* connecting took no time */
	begin_request(connection);
}

static void connected(struct connection *connection)
{
	int error = 0;
	socklen_t size = sizeof error;

	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		if (!go_on)
			give_up("apr_socket_recv", error, 0);
		results.failed_connect++;
		if (results.bad++ > 10) {
			fprintf(stderr, "\nTest aborted after 10 failures\n\n");
			give_up("apr_socket_connect()", error, 0);
		}
		end_connection(connection, 0);
		return;
	}
	connection->connected = now_us();
	begin_request(connection);
}

static void end_report(int signal)
{
	last = now_us();
	results.seconds = (last - began) / 1e6;
	print_report(&report, &results);
	fflush(stdout);
	if (signal)
		_exit(1);
}

static int run(long limit_s)
{
	struct connection *connections = calloc(concurrency, sizeof *connections);
	struct epoll_event events[EVENTS];

	results.samples = calloc(requests, sizeof *results.samples);
	if (!connections || !results.samples)
		return warn_text("no memory for %ld requests", requests);
	printf("Benchmarking %s (be patient)%s", url.host, heartbeat ? "\n" : "...");
	fflush(stdout);
	if (verbosity >= 2)
		printf("INFO: %s header == \n---\n%s\n---\n", use_head ? "HEAD" : "GET", request);
	signal(SIGINT, end_report);
	began = last = now_us();
	long long stop_at = limit_s ? began + limit_s * 1000000 : 0;
	for (long i = 0; i < concurrency; i++)
		start_connection(&connections[i]);
	while (results.done < requests && (!stop_at || now_us() < stop_at)) {
		long long left_ms = stop_at ? (stop_at - now_us()) / 1000 + 1 : timeout_s * 1000;
		int until_end = left_ms <= timeout_s * 1000 && stop_at;
		int count = wait_events(events, EVENTS, until_end ? left_ms : timeout_s * 1000);
		if (count < 0 && errno != EINTR)
			give_up("epoll_wait", errno, 0);
		if (!count && !until_end)
			give_up("apr_pollset_poll", 70007, "The timeout specified has expired");
		for (int i = 0; i < count && results.done < requests; i++) {
			struct connection *connection = events[i].data.ptr;
			if (connection->state == CONNECTING)
				connected(connection);
			else if (connection->state == SENDING)
				send_request(connection);
			else if (connection->state == RECEIVING)
				receive(connection);
		}
	}
	if (heartbeat) {
		fflush(stdout);
		fprintf(stderr, "Finished %ld requests\n", results.done);
	} else
		printf("..done\n");
	if (stop_at)
		last = now_us();
	results.seconds = (last - began) / 1e6;
	print_report(&report, &results);
	return 0;
}

static int show_usage(void)
{
	fputs("Usage: ab [options] [http://]hostname[:port]/path\n"
	      "Options are:\n"
	      "    -n requests     Number of requests to perform\n"
	      "    -c concurrency  Number of multiple requests to make at a time\n"
	      "    -t timelimit    Seconds to max. to spend on benchmarking\n"
	      "                    This implies -n 50000\n"
	      "    -s timeout      Seconds to max. wait for each response\n"
	      "                    Default is 30 seconds\n"
	      "    -v verbosity    How much troubleshooting info to print\n"
	      "    -i              Use HEAD instead of GET\n"
	      "    -H attribute    Add Arbitrary header line, eg. 'Accept-Encoding: gzip'\n"
	      "                    Inserted after all normal header lines. (repeatable)\n"
	      "    -V              Print version number and exit\n"
	      "    -k              Use HTTP KeepAlive feature\n"
	      "    -d              Do not show percentiles served table.\n"
	      "    -S              Do not show confidence estimators and warnings.\n"
	      "    -q              Do not show progress when doing more than 150 requests\n"
	      "    -l              Accept variable document length (use this for dynamic pages)\n"
	      "    -r              Don't exit on socket receive errors.\n"
	      "    -h              Display usage information (this message)\n", stderr);
	return 22;
}

static void print_banner(void)
{
	puts("This is ApacheBench, Version 2.3 <popcorn>\n"
	     "The report's format is that of Apache's program, http://www.apache.org/\n"
	     "This one is written for Popcorn Lab\n");
}

/* A header's line of its own replaces the usual one of that name. */
static int append(const char *line, const char *name, const char *given)
{
	size_t length;

	if (name && header_value(given, name, &length))
		return 0;
	length = strlen(line);
	if (request_length + length + 5 > sizeof request)
		return -1;
	memcpy(request + request_length, line, length + 1);
	request_length += length;
	return 0;
}

static int build_request(const char *given)
{
	char first[sizeof url.path + 40], host[sizeof url.host + 20];

	snprintf(first, sizeof first, "%s %s HTTP/1.0\r\n", use_head ? "HEAD" : "GET", url.path);
	if (url.port_given && url.port != 80)
		snprintf(host, sizeof host, "Host: %s:%d\r\n", url.host, url.port);
	else
		snprintf(host, sizeof host, "Host: %s\r\n", url.host);
	return append(first, 0, 0) < 0 || append(keep_alive ? "Connection: Keep-Alive\r\n" : "", 0, 0) < 0 || append(given + 1, 0, 0) < 0 ||
			       append(host, "Host", given) < 0 || append("User-Agent: ApacheBench/2.3\r\n", "User-Agent", given) < 0 ||
			       append("Accept: */*\r\n", "Accept", given) < 0 || append("\r\n", 0, 0) < 0 ?
		       warn_text("the request is too long") :
		       0;
}

int ab_main(int argc, char **argv)
{
	char given[REQUEST_SIZE / 2] = "\n"; /* headers, after a newline as header_value() wants it */
	int option, quiet = 0;
	long limit_s = 0;

	while ((option = getopt(argc, argv, "n:c:t:s:v:iH:VkdSqlrh")) != -1)
		switch (option) {
		case 'n':
			if ((requests = parse_number(optarg, 1, 100000000)) < 0) {
				warn_text("Invalid number of requests");
				return show_usage();
			}
			break;
		case 'c':
			if ((concurrency = parse_number(optarg, 1, MOST_CONCURRENCY)) < 0) {
				warn_text("Invalid Concurrency [Range 0..%d]", MOST_CONCURRENCY);
				return show_usage();
			}
			break;
		case 't':
			if ((limit_s = parse_number(optarg, 1, 1000000)) < 0)
				return show_usage();
			requests = MOST_REQUESTS;
			break;
		case 's':
			if ((timeout_s = parse_number(optarg, 1, 1000000)) < 0)
				return show_usage();
			break;
		case 'v': verbosity = atoi(optarg); break;
		case 'i': use_head = 1; break;
		case 'H':
			if (strpbrk(optarg, "\r\n") || strlen(given) + strlen(optarg) + 3 > sizeof given)
				return warn_text("this header can't be added");
			strlcat(given, optarg, sizeof given);
			strlcat(given, "\r\n", sizeof given);
			break;
		case 'V': print_banner(); return 0;
		case 'k': keep_alive = 1; break;
		case 'd': report.percentiles = 0; break;
		case 'S': report.confidence = 0; break;
		case 'q': quiet = 1; break;
		case 'l': variable_length = 1; break;
		case 'r': go_on = 1; break;
		default: return show_usage();
		}
	if (optind != argc - 1) {
		warn_text("wrong number of arguments");
		return show_usage();
	}
	if (parse_url(argv[optind], &url) < 0 || !strchr(strstr(argv[optind], "://") ? strstr(argv[optind], "://") + 3 : argv[optind], '/')) {
		warn_text("invalid URL");
		return show_usage();
	}
	if (concurrency > requests) {
		warn_text("Cannot use concurrency level greater than total number of requests");
		return show_usage();
	}
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(url.port) };
	if (find_host(url.host, &server.sin_addr) < 0)
		return 1;
	report.concurrency = concurrency;
	report.keep_alive = keep_alive;
	report.variable_length = variable_length;
	/* With more than 150 requests, ten lines say how far it is. */
	heartbeat = !quiet && requests > 150 ? (requests / 10 > 100 ? requests / 10 : 100) : 0;
	print_banner();
	return build_request(given) ? 1 : run(limit_s);
}
