/*
 * httpd: static files over HTTP.  The first process listens and makes the workers; each of them serves connections of its own from
 * the one listening socket, with epoll, and never waits for a single client.
 *
 * A connection of a worker is in one of three states:
 *   READING   until a whole head is there (from then: WRITING), it is too long or the client is slow (closed)
 *   WRITING   until head and body are with the kernel (from then: READING again, or CLOSING)
 *   CLOSING   our side is shut, what the client still sends is thrown away until it closes: a reset would tear the answer away
 * A worker holds at most CONNECTIONS of them; with more it leaves new ones to the other workers and the backlog.
 */
#include "httpd.h"
#include "network.h"
#include "watch.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 256, BACKLOG = 511, EVENTS = 64, ACCEPT_AT_ONCE = 4, MOST_WORKERS = 64, PIECE = 64 << 10, LINGER_US = 2000000 };

struct connection {
	enum { FREE, READING, WRITING, CLOSING } state;
	int fd;
	struct in_addr client;
	long long idle_since; /* µs */
	char input[REQUEST_SIZE + 1];
	size_t filled; /* bytes of input, of which the first request takes the first ones */
	struct request request;
	struct answer answer;
	off_t sent; /* bytes of head and body */
	struct connection *next_free;
};

static int verbose, root, listener, listening;
static long long timeout_us = 15000000;
static struct connection *connections, *free_list;
static int open_count;

/* Common log format, in one write so that lines of several workers stay whole. */
static void log_request(const struct connection *connection)
{
	char line[700], date[40];
	time_t now = time(0);

	strftime(date, sizeof date, "%d/%b/%Y:%H:%M:%S +0000", gmtime(&now));
	int length = snprintf(line, sizeof line, "%s - - [%s] \"%s\" %d %ld\n", inet_ntoa(connection->client), date, connection->request.line,
			      connection->answer.status, connection->request.head ? 0 : connection->answer.length);
	write(STDERR_FILENO, line, length);
}

static void listen_again(int on)
{
	if (on && !listening)
		watch(listener, EPOLLIN, &listener);
	else if (!on && listening)
		unwatch(listener);
	listening = on;
}

static void end_answer(struct answer *answer)
{
	if (answer->file >= 0)
		close(answer->file);
	free(answer->text);
	answer->file = -1;
	answer->text = 0;
}

static void end_connection(struct connection *connection)
{
	end_answer(&connection->answer);
	unwatch(connection->fd);
	close(connection->fd);
	connection->state = FREE;
	connection->next_free = free_list;
	free_list = connection;
	open_count--;
	listen_again(1);
}

static void set_state(struct connection *connection, int state)
{
	if ((connection->state == WRITING) != (state == WRITING))
		watch(connection->fd, state == WRITING ? EPOLLOUT : EPOLLIN, connection);
	connection->state = state;
}

/* The length of the first head in the input, with the empty line after it; 0 while it is not whole. */
static size_t head_length(const struct connection *connection)
{
	const char *start = connection->input, *end = start + connection->filled;

	for (const char *at = start; (at = memchr(at, '\n', end - at));) {
		at++;
		if (at < end && *at == '\n')
			return at + 1 - start;
		if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
			return at + 2 - start;
	}
	return 0;
}

/* A piece of the body: bytes that went, 0 at its end, -1 with errno. */
static ssize_t send_body(struct connection *connection, off_t at)
{
	struct answer *answer = &connection->answer;
	size_t size = answer->length - at > PIECE ? PIECE : answer->length - at;

	if (answer->text)
		return send(connection->fd, answer->text + at, size, MSG_NOSIGNAL);
	off_t offset = at;
	ssize_t sent = sendfile(connection->fd, answer->file, &offset, size);
	if (sent >= 0 || (errno != EINVAL && errno != ENOSYS))
		return sent;
	static char piece[PIECE];
	ssize_t got = pread(answer->file, piece, size, at);
	return got <= 0 ? got : send(connection->fd, piece, got, MSG_NOSIGNAL);
}

/* Sends what the kernel takes.  1 when all went, 0 when it has to wait, -1 when the connection is lost. */
static int send_answer(struct connection *connection)
{
	struct answer *answer = &connection->answer;
	off_t body = connection->request.head || answer->status == 304 ? 0 : answer->length, head = answer->head_length;

	while (connection->sent < head + body) {
		ssize_t sent = connection->sent < head ? send(connection->fd, answer->head + connection->sent, head - connection->sent,
							      MSG_NOSIGNAL | (body ? MSG_MORE : 0)) :
							 send_body(connection, connection->sent - head);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		if (!sent) /* the file became shorter: what was promised can't be kept */
			return -1;
		connection->sent += sent;
		connection->idle_since = now_us();
	}
	return 1;
}

/* Takes the first request out of the input, if there is a whole one, and gets its answer ready. */
static int begin_answer(struct connection *connection)
{
	size_t length = head_length(connection);
	int status = 200;

	if (!length) {
		if (connection->filled < REQUEST_SIZE)
			return 0;
		length = connection->filled;
		status = memchr(connection->input, '\n', length) ? 431 : 414;
	}
	char after = connection->input[length];
	connection->input[length] = 0;
	if (strlen(connection->input) != length)
		status = 400;
	int read_status = read_request(connection->input, &connection->request);
	if (status == 200)
		status = read_status;
	connection->input[length] = after;
	/* After what is no request nobody knows where the next one begins. */
	if (status != 200 && status != 405)
		connection->request.keep_alive = 0;
	connection->filled -= length;
	memmove(connection->input, connection->input + length, connection->filled);
	answer_request(&connection->request, status, root, &connection->answer);
	connection->sent = 0;
	if (verbose)
		log_request(connection);
	return 1;
}

/* Serves what is in the input: requests one after the other, until one is not whole or the client doesn't take the answer. */
static void serve(struct connection *connection)
{
	for (;;) {
		if (connection->state == READING) {
			if (!begin_answer(connection))
				return;
		}
		int sent = send_answer(connection);
		if (sent < 0) {
			end_connection(connection);
			return;
		}
		if (!sent) {
			set_state(connection, WRITING);
			return;
		}
		end_answer(&connection->answer);
		if (!connection->request.keep_alive) {
			shutdown(connection->fd, SHUT_WR);
			set_state(connection, CLOSING);
			return;
		}
		set_state(connection, READING);
	}
}

static void receive(struct connection *connection)
{
	char waste[1024], *to = connection->state == CLOSING ? waste : connection->input + connection->filled;
	size_t room = connection->state == CLOSING ? sizeof waste : REQUEST_SIZE - connection->filled;
	ssize_t got = recv(connection->fd, to, room, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		end_connection(connection);
		return;
	}
	if (connection->state == CLOSING)
		return;
	connection->idle_since = now_us();
	connection->filled += got;
	connection->input[connection->filled] = 0;
	serve(connection);
}

/* A few at a time: the other workers want some too. */
static void accept_connections(void)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && free_list; i++) {
		struct sockaddr_in client;
		socklen_t size = sizeof client;
		int fd = accept4(listener, (struct sockaddr *)&client, &size, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct connection *connection = free_list;
		free_list = connection->next_free;
		open_count++;
		connection->state = READING;
		connection->fd = fd;
		connection->client = client.sin_addr;
		connection->idle_since = now_us();
		connection->filled = 0;
		connection->answer = (struct answer){ .file = -1 };
		watch(fd, EPOLLIN, connection);
		receive(connection); /* the request is often there already */
	}
	if (!free_list)
		listen_again(0);
}

static void end_idle(void)
{
	long long now = now_us();

	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &connections[i];
		long long limit = connection->state == CLOSING ? LINGER_US : timeout_us;
		if (connection->state != FREE && now - connection->idle_since > limit)
			end_connection(connection);
	}
}

/* A worker: ends when the first process has gone, of which the pipe tells. */
static _Noreturn void work(int lifeline)
{
	struct epoll_event events[EVENTS];
	long long checked_at = now_us();

	connections = calloc(CONNECTIONS, sizeof *connections);
	if (!connections || watch(lifeline, EPOLLIN, &lifeline) < 0)
		_exit(warn_file("worker"));
	for (int i = CONNECTIONS; i--; free_list = &connections[i])
		connections[i].next_free = free_list;
	listen_again(1);
	for (;;) {
		int count = wait_events(events, EVENTS, open_count ? 1000 : -1);
		if (count < 0 && errno != EINTR)
			_exit(warn_file("epoll_wait"));
		for (int i = 0; i < count; i++) {
			void *about = events[i].data.ptr;
			struct connection *connection = about;
			if (about == &lifeline)
				_exit(0);
			if (about == &listener)
				accept_connections();
			else if (connection->state == WRITING)
				serve(connection);
			else if (connection->state != FREE)
				receive(connection);
		}
		if (now_us() - checked_at > 1000000) {
			end_idle();
			checked_at = now_us();
		}
	}
}

static pid_t workers[MOST_WORKERS];

/* Ends the server: kill() and _exit() are all that a handler may. */
static void stop(int signal)
{
	(void)signal;
	for (int i = 0; i < MOST_WORKERS; i++)
		if (workers[i] > 0)
			kill(workers[i], SIGTERM);
	_exit(0);
}

/* The write end of the lifeline stays with the first process: held by workers it would keep them alive for ever. */
static pid_t start_worker(const int lifeline[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		close(lifeline[1]);
		work(lifeline[0]);
	}
	return pid;
}

/* Keeps the workers alive; none is started again sooner than a second after one fell. */
static int keep_workers(int count)
{
	int lifeline[2];

	if (pipe2(lifeline, O_CLOEXEC) < 0)
		return warn_file("pipe");
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	for (int i = 0; i < count; i++)
		if ((workers[i] = start_worker(lifeline)) < 0)
			return warn_file("fork");
	for (;;) {
		pid_t ended = wait(0);
		if (ended < 0)
			return warn_file("wait");
		for (int i = 0; i < count; i++)
			if (workers[i] == ended) {
				sleep(1);
				workers[i] = start_worker(lifeline);
			}
	}
}

/* Goes on without the terminal: only the log, if there is one, keeps its place. */
static int leave_terminal(void)
{
	pid_t pid = fork();
	if (pid < 0)
		return warn_file("fork");
	if (pid)
		_exit(0);
	setsid();
	int nothing = open("/dev/null", O_RDWR);
	for (int fd = 0; nothing >= 0 && fd < (verbose ? 2 : 3); fd++)
		dup2(nothing, fd);
	if (nothing > 2)
		close(nothing);
	return 0;
}

int httpd_main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	const char *folder = "/var/www", *syntax = "[-fv] [-p [ADDRESS:]PORT] [-h FOLDER] [-w WORKERS] [-t SECONDS]";
	int option, foreground = 0, port = 80, count = 4;

	while ((option = getopt(argc, argv, "fvp:h:w:t:")) != -1)
		switch (option) {
		case 'f': foreground = 1; break;
		case 'v': verbose = 1; break;
		case 'h': folder = optarg; break;
		case 'p': {
			char *colon = strrchr(optarg, ':');
			if (colon) {
				*colon = 0;
				if (find_host(optarg, &at.sin_addr) < 0)
					return 1;
			}
			if ((port = find_port(colon ? colon + 1 : optarg)) < 0)
				return 1;
			break;
		}
		case 'w':
			if ((count = parse_number(optarg, 1, MOST_WORKERS)) < 0)
				return warn_text("%s: workers are 1 to %d", optarg, MOST_WORKERS);
			break;
		case 't': {
			long seconds = parse_number(optarg, 1, 86400);
			if (seconds < 0)
				return warn_text("%s: not a number of seconds", optarg);
			timeout_us = seconds * 1000000;
			break;
		}
		default: return usage(syntax);
		}
	if (optind != argc)
		return usage(syntax);
	root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return warn_file(folder);
	at.sin_port = htons(port);
	listener = listen_at(&at, BACKLOG);
	if (listener < 0 || set_nonblocking(listener, 1) < 0)
		return warn_text("port %d: %s", port, strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	if (!foreground && leave_terminal())
		return 1;
	return keep_workers(count);
}
