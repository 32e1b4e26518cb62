/* TCP and UDP on loopback: names, streams with half an end, what poll and epoll say, broken connections, options, datagrams. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* As in netinet/in.h and tcp.h. */
struct address {
	unsigned short family, port;
	unsigned char ip[4];
	char filling[8];
};
enum { TCP = 6, UDP = 17, NODELAY = 1, CORK = 3, KEEPIDLE = 4, KEEPINTVL = 5, KEEPCNT = 6, TTL = 2, TOS = 1, REUSEPORT = 15, INFO = 11 };
enum { SYNCNT = 7, LINGER2 = 8, DEFER_ACCEPT = 9, WINDOW_CLAMP = 10, QUICKACK = 12, USER_TIMEOUT = 18, FASTOPEN = 23, NOTSENT_LOWAT = 25 };
enum { SENDMMSG = 269, RECVMMSG = 243 };

#define EPOLL_EDGE 0x80000000u
#define ALL_EVENTS (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP)

static char text[70000];

/* What a call returned, and why if it failed. */
static const char *outcome(long result)
{
	static char lines[4][80];
	static int turn;
	char *line = lines[turn++ & 3];
	if (result < 0)
		return strerror(errno);
	snprintf(line, sizeof lines[0], "%ld", result);
	return line;
}

static void say(const char *what, long result) { printf("%s: %s\n", what, outcome(result)); }

static struct address loopback(unsigned short port)
{
	struct address address = { AF_INET, (unsigned short)(port << 8 | port >> 8), { 127, 0, 0, 1 }, { 0 } };
	return address;
}

static unsigned short port_of(int fd)
{
	struct address address = { 0 };
	socklen_t size = sizeof address;
	getsockname(fd, (struct sockaddr *)&address, &size);
	return (unsigned short)(address.port << 8 | address.port >> 8);
}

static int bind_to(int fd, unsigned short port)
{
	struct address address = loopback(port);
	return bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int connect_to(int fd, unsigned short port)
{
	struct address address = loopback(port);
	return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int server(int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind_to(fd, 0) || listen(fd, backlog))
		printf("no server: %s\n", strerror(errno));
	return fd;
}

static int events(int fd, int wait_ms)
{
	struct pollfd entry = { fd, ALL_EVENTS, 0 };
	poll(&entry, 1, wait_ms);
	return entry.revents;
}

static void say_events(const char *what, int fd)
{
	int bits = events(fd, 0);
	printf("%s:%s%s%s%s%s\n", what, bits & POLLIN ? " in" : "", bits & POLLOUT ? " out" : "", bits & POLLERR ? " err" : "",
	       bits & POLLHUP ? " hup" : "", bits & POLLRDHUP ? " rdhup" : "");
}

static int number(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, level, option, &value, &size) ? -errno : value;
}

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* Two ends of a connection. */
static void pair_of(int ends[2])
{
	int listener = server(1);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect_to(ends[0], port_of(listener)))
		printf("no connection: %s\n", strerror(errno));
	ends[1] = accept(listener, 0, 0);
	close(listener);
}

static void names(void)
{
	struct address address = loopback(0), other;
	socklen_t size = sizeof other;
	int fd = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, TCP);
	unsigned short port;

	puts("-- names");
	say("a family that is not there", socket(77, SOCK_STREAM, 0));
	say("a stream of UDP", socket(AF_INET, SOCK_STREAM, UDP));
	say("packets", socket(AF_INET, SOCK_SEQPACKET, 0));
	memset(&other, 1, sizeof other);
	getsockname(fd, (struct sockaddr *)&other, &size);
	printf("without a name: family %d, port %d, %d.%d.%d.%d, %u bytes\n", other.family, other.port, other.ip[0], other.ip[1], other.ip[2],
	       other.ip[3], size);
	say("short", bind(fd, (struct sockaddr *)&address, 8));
	address.family = AF_UNIX;
	say("another family", bind(fd, (struct sockaddr *)&address, sizeof address));
	address.family = AF_INET;
	address.ip[0] = 8;
	say("somebody else's", bind(fd, (struct sockaddr *)&address, sizeof address));
	say("bind", bind_to(fd, 0));
	port = port_of(fd);
	printf("a port was chosen: %s\n", port >= 1024 ? "yes" : "no");
	say("bind again", bind_to(fd, 0));
	say("the same port", bind_to(second, port));
	say("listen", listen(fd, 3));
	say("accepting", number(fd, SOL_SOCKET, SO_ACCEPTCONN));
	set(second, SOL_SOCKET, SO_REUSEADDR, 1);
	say("the same port, reused while listened to", bind_to(second, port));
	say("connect a listener", connect_to(fd, port));
	say("peer of a listener", getpeername(fd, (struct sockaddr *)&other, &size));
	say("accept from a datagram socket", accept(socket(AF_INET, SOCK_DGRAM, 0), 0, 0));
	say("accept from one that does not listen", accept(second, 0, 0));
	close(fd);
	say("the port is free again", bind_to(second, port));
	close(second);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	second = socket(AF_INET, SOCK_STREAM, 0);
	set(fd, SOL_SOCKET, REUSEPORT, 1);
	bind_to(fd, 0);
	say("shared without its consent", bind_to(second, port_of(fd)));
	set(second, SOL_SOCKET, REUSEPORT, 1);
	say("shared", bind_to(second, port_of(fd)));
	say("listened to by one", listen(fd, 1));
	say("and by the other", listen(second, 1));
	close(fd);
	close(second);
}

static void refusals(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), free_port = socket(AF_INET, SOCK_STREAM, 0);
	unsigned short port;

	puts("-- refusals");
	bind_to(free_port, 0);
	port = port_of(free_port);
	say("shutdown without a connection", shutdown(fd, SHUT_RDWR));
	say("receive without a connection", recv(fd, text, 10, 0));
	say("send without a connection", send(fd, "x", 1, MSG_NOSIGNAL));
	say_events("a fresh socket", fd);
	say("connect to a port where nobody listens", connect_to(fd, port));
	say("its error was told", number(fd, SOL_SOCKET, SO_ERROR));
	say("connect again", connect_to(fd, port));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say("connect without waiting", connect_to(fd, port));
	events(fd, 2000);
	say_events("refused", fd);
	printf("error: %s\n", strerror(number(fd, SOL_SOCKET, SO_ERROR)));
	say("error, told before", number(fd, SOL_SOCKET, SO_ERROR));
	close(fd);
	close(free_port);
}

static void nonblocking(void)
{
	int listener = server(5), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), end;
	struct address from;
	socklen_t size = sizeof from;

	puts("-- without waiting");
	fcntl(listener, F_SETFL, O_NONBLOCK);
	say("nobody is there", accept(listener, 0, 0));
	say_events("a listener", listener);
	say("connect", connect_to(fd, port_of(listener)));
	printf("connected: %s\n", events(fd, 2000) & POLLOUT ? "yes" : "no");
	say("error", number(fd, SOL_SOCKET, SO_ERROR));
	say("connect goes on", connect_to(fd, port_of(listener)));
	say("connect a third time", connect_to(fd, port_of(listener)));
	printf("somebody is there: %s\n", events(listener, 2000) & POLLIN ? "yes" : "no");
	end = accept(listener, (struct sockaddr *)&from, &size);
	printf("from %d.%d.%d.%d, %u bytes, %s\n", from.ip[0], from.ip[1], from.ip[2], from.ip[3], size,
	       port_of(fd) == (unsigned short)(from.port << 8 | from.port >> 8) ? "its port" : "another port");
	say("does not wait itself", fcntl(end, F_GETFL) & O_NONBLOCK);
	say("nothing to read", recv(fd, text, 10, 0));
	say_events("idle", fd);
	say("send", send(end, "hello", 5, 0));
	events(fd, 2000);
	say_events("something to read", fd);
	int waiting = 0;
	ioctl(fd, FIONREAD, &waiting);
	printf("%d bytes\n", waiting);
	say("peek", recv(fd, text, 3, MSG_PEEK));
	say("read", recv(fd, text, 10, 0));
	close(fd);
	close(end);
	close(listener);
}

static void echo(void)
{
	int listener = server(5), fd, got, total = 0;
	pid_t child;

	puts("-- echo, and half an end");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		connect_to(fd, port_of(listener));
		close(listener);
		for (int i = 0; i < 3; i++) {
			got = snprintf(text, sizeof text, "line %d\n", i);
			write(fd, text, got);
			got = read(fd, text, sizeof text);
			text[got > 0 ? got : 0] = 0;
			printf("back: %s", text);
		}
		say("no more from here", shutdown(fd, SHUT_WR));
		say("send after that", send(fd, "x", 1, MSG_NOSIGNAL));
		while ((got = read(fd, text + total, sizeof text - total)) > 0)
			total += got;
		text[total] = 0;
		printf("the rest: %s", text);
		fflush(stdout);
		_exit(0);
	}
	fd = accept(listener, 0, 0);
	while ((got = read(fd, text, sizeof text)) > 0)
		write(fd, text, got);
	write(fd, "goodbye\n", 8);
	close(fd);
	close(listener);
	waitpid(child, 0, 0);
	say("end of the lines", got);
}

static void bulk(void)
{
	enum { TOTAL = 600000 };
	int listener = server(5), fd, got, wrong = 0, full = 0;
	long total = 0;
	pid_t child = fork();

	if (child == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		connect_to(fd, port_of(listener));
		fcntl(fd, F_SETFL, O_NONBLOCK);
		while (total < TOTAL) {
			int count = 0, limit = TOTAL - total < 30000 ? TOTAL - total : 30000;
			for (; count < limit; count++)
				text[count] = (char)((total + count) % 251);
			got = write(fd, text, limit);
			if (got < 0) {
				if (errno != EAGAIN)
					_exit(2);
				full = 1;
				events(fd, 5000);
				struct pollfd room = { fd, POLLOUT, 0 };
				poll(&room, 1, 5000);
				continue;
			}
			total += got;
		}
		close(fd);
		_exit(full ? 0 : 1);
	}
	puts("-- much");
	fd = accept(listener, 0, 0);
	usleep(100000);
	while ((got = read(fd, text, 50000)) > 0) {
		for (int i = 0; i < got; i++)
			wrong += text[i] != (char)((total + i) % 251);
		total += got;
	}
	close(fd);
	close(listener);
	int status;
	waitpid(child, &status, 0);
	printf("%ld bytes, %d wrong\n", total, wrong);
}

static volatile int broken;
static void on_pipe(int signal)
{
	(void)signal;
	broken++;
}

static void ends(void)
{
	int pair[2], linger[2] = { 1, 0 };

	puts("-- ends");
	signal(SIGPIPE, on_pipe);
	pair_of(pair);
	say_events("both open", pair[0]);
	shutdown(pair[1], SHUT_WR);
	events(pair[0], 2000);
	while (!(events(pair[0], 0) & POLLRDHUP))
		usleep(1000);
	say_events("the other has ended its side", pair[0]);
	say("read", read(pair[0], text, 10));
	say("write still", write(pair[0], "abc", 3));
	say("which arrives", read(pair[1], text, 10));
	shutdown(pair[0], SHUT_WR);
	while (!(events(pair[1], 0) & POLLHUP))
		usleep(1000);
	say_events("both have", pair[1]);
	say("write then", write(pair[0], "abc", 3));
	printf("signals: %d\n", broken);
	say("without a signal", send(pair[0], "abc", 3, MSG_NOSIGNAL));
	printf("signals: %d\n", broken);
	close(pair[0]);
	close(pair[1]);

	pair_of(pair);
	say("linger", setsockopt(pair[1], SOL_SOCKET, SO_LINGER, linger, sizeof linger));
	close(pair[1]);
	while (!(events(pair[0], 0) & POLLHUP))
		usleep(1000);
	say_events("reset", pair[0]);
	say("read", read(pair[0], text, 10));
	say("read again", read(pair[0], text, 10));
	say("write", send(pair[0], "x", 1, MSG_NOSIGNAL));
	close(pair[0]);

	pair_of(pair);
	write(pair[0], "never read", 10);
	events(pair[1], 2000);
	close(pair[1]);
	while (!(events(pair[0], 0) & POLLHUP))
		usleep(1000);
	say("closed over what was not read", read(pair[0], text, 10));
	close(pair[0]);

	pair_of(pair);
	say("reading shut", shutdown(pair[0], SHUT_RD));
	say("gives", read(pair[0], text, 10));
	say("without a wait", recv(pair[0], text, 10, MSG_DONTWAIT));
	close(pair[0]);
	say("end", read(pair[1], text, 10));
	close(pair[1]);
}

static void waiting(void)
{
	int pair[2], listener;
	struct timeval short_time = { 0, 20000 };
	char first[4], second[20];
	struct iovec pieces[2] = { { first, sizeof first }, { second, sizeof second } };
	struct msghdr message = { 0, 0, pieces, 2, 0, 0, 0 };

	puts("-- waiting");
	pair_of(pair);
	say("limit", setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time));
	say("nothing came", read(pair[0], text, 10));
	write(pair[1], "abcdefgh", 8);
	memset(text, 0, 20);
	say("all of eight", recv(pair[0], text, 8, MSG_WAITALL));
	printf("%s\n", text);
	write(pair[1], "abc", 3);
	say("all of five, in vain", recv(pair[0], text, 5, MSG_WAITALL));
	write(pair[1], "one two three", 13);
	say("in pieces", recvmsg(pair[0], &message, 0));
	printf("%.4s|%.9s\n", first, second);
	set(pair[1], TCP, CORK, 1);
	write(pair[1], "under ", 6);
	write(pair[1], "the cork", 8);
	say("corked", recv(pair[0], text, 20, 0));
	set(pair[1], TCP, CORK, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, (struct timeval[]){ { 5, 0 } }, sizeof short_time);
	memset(text, 0, 20);
	say("uncorked", recv(pair[0], text, 20, 0));
	printf("%s\n", text);
	close(pair[0]);
	close(pair[1]);
	listener = server(1);
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time);
	say("nobody came", accept(listener, 0, 0));
	close(listener);
}

static struct event {
	unsigned events;
	unsigned long data;
} ready[4];

static long collect(int set, int limit)
{
	memset(ready, 0, sizeof ready);
	return syscall(SYS_epoll_pwait, set, ready, 4, limit, 0, 8);
}

static void epolls(void)
{
	int pair[2], listener = server(3), fd = socket(AF_INET, SOCK_STREAM, 0), set = syscall(SYS_epoll_create1, 0);
	struct event level = { POLLIN, 1 }, edge = { POLLIN | POLLRDHUP | EPOLL_EDGE, 2 }, listening = { POLLIN, 3 };

	puts("-- epoll");
	pair_of(pair);
	syscall(SYS_epoll_ctl, set, 1, pair[0], &level);
	syscall(SYS_epoll_ctl, set, 1, pair[1], &edge);
	syscall(SYS_epoll_ctl, set, 1, listener, &listening);
	say("quiet", collect(set, 0));
	write(pair[1], "ab", 2);
	say("level", collect(set, 2000));
	printf("%lu: %x\n", ready[0].data, ready[0].events);
	read(pair[0], text, 1);
	say("level, as long as something is there", collect(set, 0));
	read(pair[0], text, 1);
	say("and no longer", collect(set, 0));
	write(pair[0], "cd", 2);
	say("edge", collect(set, 2000));
	printf("%lu: %x\n", ready[0].data, ready[0].events);
	read(pair[1], text, 1);
	say("edge, once", collect(set, 0));
	write(pair[0], "ef", 2);
	say("edge, again", collect(set, 2000));
	connect_to(fd, port_of(listener));
	say("a connection", collect(set, 2000));
	printf("%lu: %x\n", ready[0].data, ready[0].events);
	close(accept(listener, 0, 0));
	shutdown(pair[0], SHUT_WR);
	say("an end", collect(set, 2000));
	printf("%lu: %x\n", ready[0].data, ready[0].events);
	close(set);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	close(listener);
}

static void options(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2], value = 0;
	unsigned char info[300];
	socklen_t size = 1;

	puts("-- options");
	printf("type %d, protocol %d, domain %d\n", number(fd, SOL_SOCKET, SO_TYPE), number(fd, SOL_SOCKET, SO_PROTOCOL),
	       number(fd, SOL_SOCKET, SO_DOMAIN));
	printf("no delay %d", number(fd, TCP, NODELAY));
	set(fd, TCP, NODELAY, 1);
	printf(" %d, cork %d", number(fd, TCP, NODELAY), number(fd, TCP, CORK));
	set(fd, TCP, CORK, 7);
	printf(" %d\n", number(fd, TCP, CORK));
	printf("keep alive %d, idle %d, interval %d, count %d\n", number(fd, SOL_SOCKET, SO_KEEPALIVE), number(fd, TCP, KEEPIDLE),
	       number(fd, TCP, KEEPINTVL), number(fd, TCP, KEEPCNT));
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 5);
	set(fd, TCP, KEEPIDLE, 100);
	set(fd, TCP, KEEPINTVL, 10);
	set(fd, TCP, KEEPCNT, 4);
	printf("keep alive %d, idle %d, interval %d, count %d\n", number(fd, SOL_SOCKET, SO_KEEPALIVE), number(fd, TCP, KEEPIDLE),
	       number(fd, TCP, KEEPINTVL), number(fd, TCP, KEEPCNT));
	say("no such count", set(fd, TCP, KEEPCNT, 1000));
	printf("ttl %d, tos %d\n", number(fd, 0, TTL), number(fd, 0, TOS));
	set(fd, 0, TTL, 9);
	set(fd, 0, TOS, 16);
	printf("ttl %d, tos %d\n", number(fd, 0, TTL), number(fd, 0, TOS));
	say("no such time to live", set(fd, 0, TTL, 300));
	say("no such option", set(fd, SOL_SOCKET, 9999, 1));
	say("none of TCP's", set(fd, TCP, 999, 1));
	say("too short", setsockopt(fd, TCP, NODELAY, &value, 1));
	set(fd, SOL_SOCKET, SO_RCVBUF, 20000);
	set(fd, SOL_SOCKET, SO_SNDBUF, 30000);
	printf("buffers %d %d\n", number(fd, SOL_SOCKET, SO_RCVBUF), number(fd, SOL_SOCKET, SO_SNDBUF));
	close(fd);
	pair_of(pair);
	getsockopt(pair[0], TCP, INFO, info, &size);
	printf("state %d\n", info[0]);
	say("a peer", getpeername(pair[0], (struct sockaddr *)info, (socklen_t[]){ sizeof info }));
	close(pair[1]);
	read(pair[0], text, 1);
	size = 1;
	getsockopt(pair[0], TCP, INFO, info, &size);
	printf("state %d\n", info[0]);
	close(pair[0]);
}

/* What each of TCP's makes of values, and who is made to wait by one. */
static void tuning(void)
{
	static const struct {
		const char *name;
		int option, values[5];
	} rows[] = {
		{ "syncnt", SYNCNT, { 3, 0, 128, 127, 1 } },
		{ "linger2", LINGER2, { 30, -5, 500, 0, 1 } },
		{ "defer accept", DEFER_ACCEPT, { 1, 2, 5, 40, 0 } },
		{ "window clamp", WINDOW_CLAMP, { 5000, 10, 0, 70000, 2000 } },
		{ "user timeout", USER_TIMEOUT, { 1000, -1, 0, 7, 1 } },
		{ "notsent lowat", NOTSENT_LOWAT, { 5000, 0, 1, 4096, 9 } },
		{ "fast open", FASTOPEN, { 5, -1, 0, 9, 1 } },
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2];

	puts("-- tuning");
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		printf("%s:", rows[i].name);
		for (int j = 0; j < 5; j++) {
			int failed = set(fd, TCP, rows[i].option, rows[i].values[j]) ? errno : 0;
			printf(" %d (%d)", number(fd, TCP, rows[i].option), failed);
		}
		putchar('\n');
	}
	close(fd);
	pair_of(pair);
	say("no clamp any more", set(pair[0], TCP, WINDOW_CLAMP, 0));
	say("fast open, late", set(pair[0], TCP, FASTOPEN, 1));
	printf("quick ack");
	for (int i = 0; i < 3; i++) {
		set(pair[0], TCP, QUICKACK, i != 1);
		printf(" %d", number(pair[0], TCP, QUICKACK));
	}
	putchar('\n');
	close(pair[0]);
	close(pair[1]);

	/* A connection without data is nobody's yet. */
	int listener = server(1), client = socket(AF_INET, SOCK_STREAM, 0);
	set(listener, TCP, DEFER_ACCEPT, 5);
	say("connect", connect_to(client, port_of(listener)));
	say_events("deferred", listener);
	say("send", send(client, "hello", 5, 0));
	events(listener, 2000);
	say_events("with data", listener);
	int accepted = accept(listener, 0, 0);
	say("its data", recv(accepted, text, sizeof text, 0));
	close(accepted);
	close(client);
	close(listener);
}

static void datagrams(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), waiting = -1;
	struct address to, from, wide = { AF_INET, 0x3930, { 255, 255, 255, 255 }, { 0 } };
	socklen_t size = sizeof from;
	struct timeval short_time = { 0, 20000 };

	puts("-- datagrams");
	say("bind", bind_to(a, 0));
	to = loopback(port_of(a));
	say_events("fresh", a);
	say("nowhere", send(b, "x", 1, 0));
	say("to port 0", sendto(b, "x", 1, 0, (struct sockaddr *)(struct address[]){ loopback(0) }, sizeof to));
	say("to all, without leave", sendto(b, "x", 1, 0, (struct sockaddr *)&wide, sizeof wide));
	say("send", sendto(b, "hello", 5, 0, (struct sockaddr *)&to, sizeof to));
	say("nothing at all", sendto(b, "", 0, 0, (struct sockaddr *)&to, sizeof to));
	say("too long", sendto(b, text, 66000, 0, (struct sockaddr *)&to, sizeof to));
	say("long", sendto(b, text, 40000, 0, (struct sockaddr *)&to, sizeof to));
	events(a, 2000);
	ioctl(a, FIONREAD, &waiting);
	printf("%d bytes in the first\n", waiting);
	say("peek", recv(a, text, 2, MSG_PEEK));
	say("cut", recvfrom(a, text, 3, MSG_TRUNC, (struct sockaddr *)&from, &size));
	printf("from %d.%d.%d.%d, %s\n", from.ip[0], from.ip[1], from.ip[2], from.ip[3],
	       (unsigned short)(from.port << 8 | from.port >> 8) == port_of(b) ? "its port" : "another port");
	events(a, 2000);
	say("empty", recv(a, text, 10, 0));
	say("long", recv(a, text, sizeof text, 0));
	say("no more", recv(a, text, 10, MSG_DONTWAIT));
	setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time);
	say("nor later", recv(a, text, 10, 0));
	setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, (struct timeval[]){ { 0, 0 } }, sizeof short_time);

	say("connect", connect_to(a, port_of(b)));
	bind_to(c, 0);
	say("a stranger", sendto(c, "stranger", 8, 0, (struct sockaddr *)&to, sizeof to));
	say("a friend", sendto(b, "friend", 6, 0, (struct sockaddr *)&to, sizeof to));
	memset(text, 0, 20);
	say("only one is heard", recv(a, text, 20, 0));
	printf("%s\n", text);
	say("back", send(a, "back", 4, 0));
	say("arrives", recv(b, text, 20, 0));
	close(b);
	say("into the void", send(a, "x", 1, 0));
	events(a, 2000);
	say("which is told", send(a, "x", 1, 0));
	say("once", send(a, "x", 1, 0));
	events(a, 2000);
	say("and again", recv(a, text, 1, 0));
	say("no peer any more", connect(a, (struct sockaddr *)(struct address[]){ { 0 } }, sizeof to));
	say("nowhere", send(a, "x", 1, 0));
	say("listen", listen(a, 1));
	close(a);
	close(c);
}

static void several(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	char texts[3][10] = { "one", "three", "fifteen" };
	struct iovec pieces[3] = { { texts[0], 3 }, { texts[1], 5 }, { texts[2], 7 } };
	struct {
		struct msghdr header;
		unsigned length;
	} messages[3];

	puts("-- several at once");
	bind_to(a, 0);
	connect_to(b, port_of(a));
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < 3; i++) {
		messages[i].header.msg_iov = pieces + i;
		messages[i].header.msg_iovlen = 1;
	}
	say("sent", syscall(SENDMMSG, b, messages, 3, 0));
	printf("%u %u %u\n", messages[0].length, messages[1].length, messages[2].length);
	memset(texts, 0, sizeof texts);
	for (int i = 0; i < 3; i++)
		pieces[i].iov_len = 10;
	events(a, 2000);
	usleep(20000);
	say("received", syscall(RECVMMSG, a, messages, 3, MSG_DONTWAIT, 0));
	printf("%s %s %s\n", texts[0], texts[1], texts[2]);
	close(a);
	close(b);
}

static void passed(void)
{
	int pair[2], way[2], got, fd;
	char control[CMSG_SPACE(sizeof(int))], byte = 'x';
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { 0, 0, &piece, 1, control, sizeof control, 0 };
	pid_t child;

	puts("-- passed on");
	pair_of(pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, way);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		close(pair[1]);
		recvmsg(way[1], &message, 0);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
		got = read(fd, text, 20);
		write(fd, text, got);
		_exit(0);
	}
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &pair[1], sizeof(int));
	say("given", sendmsg(way[0], &message, 0));
	close(pair[1]);
	write(pair[0], "by another", 10);
	memset(text, 0, 20);
	say("answered", read(pair[0], text, 20));
	printf("%s\n", text);
	say("end", read(pair[0], text, 20));
	waitpid(child, 0, 0);
	close(pair[0]);
}

static void from_file(void)
{
	int pair[2], fd = open("/tmp/inet-file", O_RDWR | O_CREAT | O_TRUNC, 0600), total = 0, got;
	long offset = 1000;

	puts("-- from a file");
	for (int i = 0; i < 20000; i++)
		text[i] = (char)('a' + i % 23);
	write(fd, text, 20000);
	pair_of(pair);
	say("sent", syscall(SYS_sendfile, pair[0], fd, &offset, 18000));
	printf("offset %ld\n", offset);
	close(pair[0]);
	while ((got = read(pair[1], text + total, sizeof text - total)) > 0)
		total += got;
	int wrong = 0;
	for (int i = 0; i < total; i++)
		wrong += text[i] != 'a' + (i + 1000) % 23;
	printf("%d bytes, %d wrong\n", total, wrong);
	close(pair[1]);
	close(fd);
	unlink("/tmp/inet-file");
}

/* Holds a listener, a connection and a datagram socket while another program runs, which may look at them. */
static int hold(char **program)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), end, datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	int status = 1;
	pid_t child;

	if (bind_to(listener, 4000) || listen(listener, 5) || bind_to(client, 4001) || connect_to(client, 4000) || bind_to(datagrams, 5000))
		return 1;
	end = accept(listener, 0, 0);
	write(end, "waiting", 7);
	events(client, 2000);
	child = fork();
	if (child == 0) {
		for (int fd = 3; fd < 10; fd++)
			close(fd);
		execvp(program[0], program);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "hold") == 0)
		return hold(argv + 2);
	setvbuf(stdout, 0, _IOLBF, 0);
	names();
	refusals();
	nonblocking();
	echo();
	bulk();
	ends();
	waiting();
	options();
	tuning();
	datagrams();
	several();
	passed();
	from_file();
	epolls();
	return 0;
}
