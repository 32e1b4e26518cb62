/* Unix-domain sockets: streams, packets and datagrams, names, what poll says, broken connections, descriptors in messages. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH "/tmp/popcorn-sockets"
#define ALL_EVENTS (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP)

#define FDS_MAX 200

static char text[300];

/* What a call returned, and why if it failed. */
static const char *outcome(long result)
{
	static char line[80];
	if (result < 0)
		return strerror(errno);
	snprintf(line, sizeof line, "%ld", result);
	return line;
}

/* '@' stands for the zero byte that an abstract name begins with. */
static socklen_t name_of(struct sockaddr_un *name, const char *path)
{
	memset(name, 0, sizeof *name);
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path, path);
	if (*path == '@')
		name->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + (*path != '@');
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t size = name_of(&name, path);
	return bind(fd, (struct sockaddr *)&name, size);
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t size = name_of(&name, path);
	return connect(fd, (struct sockaddr *)&name, size);
}

static int server(int type, const char *path, int backlog)
{
	int fd = socket(AF_UNIX, type, 0);
	if (bind_to(fd, path) < 0 || listen(fd, backlog) < 0)
		printf("no server at %s: %s\n", path, strerror(errno));
	return fd;
}

static int events(int fd)
{
	struct pollfd one = { fd, ALL_EVENTS, 0 };
	poll(&one, 1, 0);
	return one.revents;
}

static const char *receive(int fd, size_t size, int flags)
{
	ssize_t got = recv(fd, text, size, flags);
	if (got < 0)
		return strerror(errno);
	text[got] = 0;
	return text;
}

static void print_name(const char *what, int result, const struct sockaddr_un *name, socklen_t size)
{
	if (result < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: family %d, %u bytes, %s%s\n", what, name->sun_family, size, size > 2 && !name->sun_path[0] ? "@" : "",
		       size <= 2 ? "nothing" : name->sun_path + !name->sun_path[0]);
}

static void names(int fd)
{
	struct sockaddr_un name;
	socklen_t size = sizeof name;
	memset(&name, 0, sizeof name);
	int result = getsockname(fd, (struct sockaddr *)&name, &size);
	print_name("own name", result, &name, size);
	size = sizeof name;
	memset(&name, 0, sizeof name);
	result = getpeername(fd, (struct sockaddr *)&name, &size);
	print_name("the other's", result, &name, size);
}

static int option(int fd, int which)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, which, &value, &size) < 0 ? -errno : value;
}

static void refusals(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = open("/dev/null", O_RDONLY);
	struct stat status;

	printf("a strange family: %s\n", outcome(socket(200, SOCK_STREAM, 0)));
	printf("a strange type: %s\n", outcome(socket(AF_UNIX, 9, 0)));
	printf("a strange protocol: %s\n", outcome(socket(AF_UNIX, SOCK_STREAM, 99)));
	printf("no socket: %s\n", outcome(listen(other, 1)));
	close(other);
	printf("no descriptor: %s\n", outcome(listen(99, 1)));
	printf("listening without a name: %s\n", outcome(listen(fd, 1)));
	printf("accepting without listening: %s\n", outcome(accept(fd, 0, 0)));
	printf("sending to nobody: %s\n", outcome(send(fd, "x", 1, MSG_NOSIGNAL)));
	printf("receiving from nobody: %s\n", outcome(recv(fd, text, 1, 0)));
	printf("nobody is there: %s\n", outcome(connect_to(fd, "/tmp/popcorn-nobody")));
	printf("nor here: %s\n", outcome(connect_to(fd, "@popcorn-nobody")));
	printf("unconnected: %x\n", events(fd));
	printf("a name: %s\n", outcome(bind_to(fd, PATH)));
	printf("a second name: %s\n", outcome(bind_to(fd, PATH "-2")));
	printf("which is not there: %s\n", outcome(stat(PATH "-2", &status)));
	stat(PATH, &status);
	printf("a socket: %d\n", (status.st_mode & S_IFMT) == S_IFSOCK);
	other = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	printf("the same name: %s\n", outcome(bind_to(other, PATH)));
	printf("a file: %s\n", outcome(connect_to(other, "/dev/null")));
	printf("it does not listen: %s\n", outcome(connect_to(fd, PATH)));
	listen(fd, 1);
	printf("of another type: %s\n", outcome(connect_to(other, PATH)));
	printf("listening: %x %d\n", events(fd), option(fd, SO_ACCEPTCONN));
	printf("opening it: %s\n", outcome(open(PATH, O_RDWR)));
	close(fd);
	close(other);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	printf("it is gone: %s\n", outcome(connect_to(fd, PATH)));
	printf("too short a name: %s\n", outcome(bind(fd, (struct sockaddr *)&status, 1)));
	close(fd);
	unlink(PATH);
}

static void streams(const char *path)
{
	int listening = server(SOCK_STREAM, path, 3), waiting;

	if (fork() == 0) {
		close(listening);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		bind_to(fd, "@popcorn-client");
		connect_to(fd, path);
		write(fd, "hello ", 6);
		write(fd, "world", 5);
		recv(fd, text, 2, MSG_WAITALL);
		names(fd);
		static char block[1000];
		for (int i = 0; i < 300; i++) {
			memset(block, i & 127, sizeof block);
			write(fd, block, sizeof block);
		}
		shutdown(fd, SHUT_WR);
		printf("the answer: %s\n", receive(fd, 100, MSG_WAITALL));
		_exit(0);
	}
	struct sockaddr_un name;
	socklen_t size = sizeof name;
	memset(&name, 0, sizeof name);
	int fd = accept4(listening, (struct sockaddr *)&name, &size, SOCK_CLOEXEC);
	print_name("accepted", fd, &name, size);
	printf("close on exec: %d\n", fcntl(fd, F_GETFD));
	memset(text, 0, sizeof text);
	printf("all of it: %ld %s\n", recv(fd, text, 11, MSG_WAITALL), text);
	names(fd);
	write(fd, "g", 1);
	write(fd, "o", 1);
	long total = 0, sum = 0;
	static char buffer[777];
	for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0; total += got)
		for (ssize_t i = 0; i < got; i++)
			sum += buffer[i];
	printf("through a socket: %ld bytes, sum %ld\n", total, sum);
	printf("half closed: %x\n", events(fd));
	write(fd, "thanks", 6);
	close(fd);
	close(listening);
	wait(&waiting);
	printf("the client ended: %d\n", waiting);
}

static void pairs(void)
{
	int fds[2], waiting;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	names(fds[0]);
	printf("fresh: %x, nothing there: %s\n", events(fds[0]), receive(fds[0], 1, 0));
	write(fds[0], "peeked", 6);
	ioctl(fds[1], FIONREAD, &waiting);
	printf("waiting: %d, events %x, peek %s", waiting, events(fds[1]), receive(fds[1], 4, MSG_PEEK));
	printf(", read %s\n", receive(fds[1], 100, 0));
	static char block[5000];
	long total = 0;
	for (ssize_t sent; (sent = write(fds[0], block, sizeof block)) > 0; total += sent) {
	}
	printf("full: %s, some room: %d, events %x\n", strerror(errno), total > 50000, events(fds[0]));
	for (ssize_t got; (got = read(fds[1], block, sizeof block)) > 0; total -= got) {
	}
	printf("all read: %ld, events %x\n", total, events(fds[0]));
	write(fds[0], "x", 1);
	shutdown(fds[0], SHUT_WR);
	printf("shut for writing: %x, the other %x\n", events(fds[0]), events(fds[1]));
	printf("still there: %s, then %s\n", receive(fds[1], 9, 0), outcome(recv(fds[1], text, 9, 0)));
	signal(SIGPIPE, SIG_IGN);
	printf("writing now: %s\n", outcome(write(fds[0], "x", 1)));
	write(fds[1], "never read", 10);
	close(fds[0]);
	printf("closed with something in it: %x %s", events(fds[1]), outcome(recv(fds[1], text, 9, 0)));
	printf(", then %s, error %d\n", outcome(recv(fds[1], text, 9, 0)), option(fds[1], SO_ERROR));
	printf("to a closed one: %s\n", outcome(send(fds[1], "x", 1, 0)));
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	if (fork() == 0) {
		close(fds[0]);
		printf("without the signal: %s\n", outcome(recv(fds[1], text, 1, 0)));
		_exit(send(fds[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE ? send(fds[1], "x", 1, 0) : 1);
	}
	close(fds[1]);
	close(fds[0]);
	wait(&waiting);
	printf("and with it: signal %d\n", WIFSIGNALED(waiting) ? WTERMSIG(waiting) : 0);
}

static void packets(int type)
{
	int fds[2];

	socketpair(AF_UNIX, type, 0, fds);
	write(fds[0], "one", 3);
	send(fds[0], "", 0, 0);
	send(fds[0], "three", 5, 0);
	printf("type %d: %s", option(fds[0], SO_TYPE), receive(fds[1], 100, 0));
	printf(", %s", outcome(recv(fds[1], text, 100, 0)));
	printf(", %s", receive(fds[1], 2, 0));
	printf(", %s\n", receive(fds[1], 2, MSG_DONTWAIT));
	send(fds[0], "longer", 6, 0);
	printf("its length: %ld", recv(fds[1], text, 2, MSG_PEEK | MSG_TRUNC));
	struct iovec pieces[] = { { text, 1 }, { text + 10, 3 } };
	struct msghdr header = { .msg_iov = pieces, .msg_iovlen = 2 };
	printf(", in pieces: %ld %.1s %.3s, cut: %d\n", recvmsg(fds[1], &header, 0), text, text + 10, header.msg_flags == MSG_TRUNC);
	static char much[300000];
	printf("too much: %s\n", outcome(send(fds[0], much, sizeof much, 0)));
	/* More than a page stays one message. */
	for (int i = 0; i < 20000; i++)
		much[i] = i % 100;
	send(fds[0], much, 20000, 0);
	memset(much, 0, sizeof much);
	long got = recv(fds[1], much, sizeof much, 0), wrong = 0;
	for (int i = 0; i < 20000; i++)
		wrong += much[i] != i % 100;
	printf("one of %ld bytes, %ld wrong\n", got, wrong);
	close(fds[0]);
	printf("alone: %s", type == SOCK_DGRAM ? "" : outcome(recv(fds[1], text, 9, 0)));
	printf(" %s\n", outcome(send(fds[1], "x", 1, 0)));
	close(fds[1]);
}

static void datagrams(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un name;
	socklen_t size;

	unlink(PATH);
	bind_to(a, PATH);
	bind_to(b, "@popcorn-b");
	size = name_of(&name, PATH);
	printf("to a name: %s\n", outcome(sendto(b, "first", 5, 0, (struct sockaddr *)&name, size)));
	printf("from nameless: %s\n", outcome(sendto(c, "second", 6, 0, (struct sockaddr *)&name, size)));
	for (int i = 0; i < 2; i++) {
		size = sizeof name;
		memset(&name, 0, sizeof name);
		memset(text, 0, sizeof text);
		recvfrom(a, text, sizeof text, 0, (struct sockaddr *)&name, &size);
		printf("%s from %u bytes %s\n", text, size, name.sun_path + 1);
	}
	size = name_of(&name, "@popcorn-nobody");
	printf("to nobody: %s\n", outcome(sendto(b, "x", 1, 0, (struct sockaddr *)&name, size)));
	printf("unconnected: %s\n", outcome(send(b, "x", 1, 0)));
	connect_to(a, "@popcorn-b");
	printf("not from c: %s, %s\n", outcome(connect_to(c, PATH)), outcome(send(c, "x", 1, 0)));
	connect_to(b, PATH);
	names(b);
	send(a, "to and fro", 10, 0);
	printf("%s\n", receive(b, 100, 0));
	if (fork() == 0) {
		for (int i = 0; i < 40; i++)
			send(a, &i, sizeof i, 0);
		_exit(0);
	}
	int sum = 0;
	for (int i = 0, n; i < 40; i++)
		if (recv(b, &n, sizeof n, 0) == sizeof n)
			sum = sum * 3 + n;
	wait(0);
	printf("forty in order: %d\n", sum);
	close(a);
	printf("after it closed: %s", outcome(send(b, "x", 1, 0)));
	printf(", %s\n", outcome(send(b, "x", 1, 0)));
	unlink(PATH);
	close(b);
	close(c);
}

static ssize_t send_fds(int socket, const int *fds, int count, const char *bytes)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec piece = { (char *)bytes, strlen(bytes) };
	struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	memset(&control, 0, sizeof control);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	return sendmsg(socket, &header, 0);
}

/* How many descriptors came, and the message's flags. */
static int receive_fds(int socket, int *fds, int room, int flags, int *told)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec piece = { text, sizeof text - 1 };
	struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(room * sizeof(int)) };
	ssize_t got = recvmsg(socket, &header, flags);
	*told = header.msg_flags;
	text[got > 0 ? got : 0] = 0;
	struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	if (!first || first->cmsg_type != SCM_RIGHTS)
		return 0;
	int count = (first->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(first), count * sizeof(int));
	return count;
}

static void passing(void)
{
	int pair[2], pipes[2], fds[4], told, waiting;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pipe(pipes);
	if (fork() == 0) {
		/* The child's own pipe and a file come over, and nothing else of it is left. */
		int mine[2], file = open(PATH "-file", O_CREAT | O_RDWR | O_TRUNC, 0600), directory = open("/tmp", O_RDONLY);
		pipe(mine);
		write(file, "written by the child", 20);
		lseek(file, 8, SEEK_SET);
		int all[] = { mine[0], file, directory };
		send_fds(pair[1], all, 3, "three");
		write(mine[1], "from the child", 14);
		_exit(0);
	}
	int count = receive_fds(pair[0], fds, 4, MSG_CMSG_CLOEXEC, &told);
	printf("came: %d with %s, close on exec %d %d\n", count, text, fcntl(fds[0], F_GETFD), told == MSG_CMSG_CLOEXEC);
	wait(&waiting);
	memset(text, 0, sizeof text);
	read(fds[0], text, 14);
	printf("%s, at its end: %ld\n", text, (long)read(fds[0], text, 1));
	memset(text, 0, sizeof text);
	printf("at the same place: %ld %s\n", read(fds[1], text, 99), text);
	close(fds[0]);
	close(fds[1]);
	fds[0] = openat(fds[2], "popcorn-sockets-file", O_RDONLY);
	printf("by the directory: %s\n", outcome(read(fds[0], text, 7)));
	close(fds[0]);
	close(fds[2]);
	unlink(PATH "-file");

	/* A message that nobody takes keeps what it holds open, until it goes. */
	send_fds(pair[1], pipes + 1, 1, "kept");
	close(pipes[1]);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	printf("still open: %s", outcome(read(pipes[0], text, 1)));
	close(pair[0]);
	close(pair[1]);
	printf(", then closed: %s\n", outcome(read(pipes[0], text, 1)));
	close(pipes[0]);

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pipe(pipes);
	send_fds(pair[0], pipes, 2, "ab");
	send(pair[0], "cd", 2, 0);
	count = receive_fds(pair[1], fds, 1, 0, &told);
	printf("room for one: %d, bytes %s", count, text);
	printf(", then %s\n", receive(pair[1], 9, 0));
	close(fds[0]);
	send_fds(pair[0], pair, 1, "itself");
	count = receive_fds(pair[1], fds, 1, 0, &told);
	write(fds[0], "through itself", 14);
	printf("%s\n", receive(pair[1], 99, 0));
	close(fds[0]);
	static int many[FDS_MAX];
	for (int i = 0; i < FDS_MAX; i++)
		many[i] = i % 2 ? pipes[1] : pair[0];
	send_fds(pair[0], many, FDS_MAX, "many");
	count = receive_fds(pair[1], many, FDS_MAX, 0, &told);
	write(many[count - 1], "the last", 8);
	printf("%d came, by %s\n", count, read(pipes[0], text, 8) == 8 && !memcmp(text, "the last", 8) ? "the last" : "none");
	for (int i = 0; i < count; i++)
		close(many[i]);
	fds[1] = 77;
	printf("none to pass: %s\n", outcome(send_fds(pair[0], fds + 1, 1, "x")));
	close(pair[0]);
	printf("everything closed: %s\n", outcome(recv(pair[1], text, 1, 0)));
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
}

static void credentials(void)
{
	int pair[2], on = 1;
	struct ucred who = { 0, 0, 0 };
	socklen_t size = sizeof who;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &size);
	printf("the other is me: %d %d %d\n", who.pid == getpid(), who.uid == getuid(), who.gid == getgid());
	printf("asking for them: %s\n", outcome(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on)));
	pid_t child = fork();
	if (child == 0) {
		write(pair[0], "child", 5);
		_exit(0);
	}
	wait(0);
	write(pair[0], "parent", 6);
	for (int i = 0; i < 2; i++) {
		union {
			struct cmsghdr header;
			char space[CMSG_SPACE(sizeof who)];
		} control;
		struct iovec piece = { text, sizeof text };
		struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
		memset(text, 0, sizeof text);
		recvmsg(pair[1], &header, 0);
		memcpy(&who, CMSG_DATA(&control.header), sizeof who);
		printf("%s is the child: %d, myself: %d, type %d\n", text, who.pid == child, who.pid == getpid(), control.header.cmsg_type);
	}
	close(pair[0]);
	close(pair[1]);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void waits(void)
{
	int pair[2];
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { { 0, 0 }, { 0, 30000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct timeval limit = { 0, 20000 };

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	sigaction(SIGALRM, &action, 0);
	setitimer(ITIMER_REAL, &soon, 0);
	printf("interrupted: %s\n", outcome(recv(pair[0], text, 1, 0)));
	setitimer(ITIMER_REAL, &never, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	printf("timed out: %s\n", outcome(recv(pair[0], text, 1, 0)));
	int size = 10000;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	printf("doubled: %d, of type %d, family %d, protocol %d\n", option(pair[0], SO_SNDBUF), option(pair[0], SO_TYPE), option(pair[0], SO_DOMAIN),
	       option(pair[0], SO_PROTOCOL));
	setsockopt(pair[0], SOL_SOCKET, SO_REUSEADDR, &size, sizeof size);
	printf("set: %d, unknown: %d\n", option(pair[0], SO_REUSEADDR), option(pair[0], 999));
	close(pair[1]);
	close(pair[0]);
}

/* Several clients of one server, served in turn by a process for each. */
static void crowd(void)
{
	enum { CLIENTS = 6 };
	int listening = server(SOCK_SEQPACKET, "@popcorn-crowd", 1), sum = 0;

	for (int i = 0; i < CLIENTS; i++) {
		if (fork() > 0)
			continue;
		close(listening);
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), n = i + 1;
		while (connect_to(fd, "@popcorn-crowd") < 0)
			usleep(1000);
		for (int round = 0; round < 5; round++) {
			send(fd, &n, sizeof n, 0);
			recv(fd, &n, sizeof n, 0);
		}
		_exit(n & 127);
	}
	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept(listening, 0, 0);
		if (fork() == 0) {
			for (int n; recv(fd, &n, sizeof n, 0) == sizeof n;) {
				n *= 2;
				send(fd, &n, sizeof n, 0);
			}
			_exit(0);
		}
		close(fd);
	}
	close(listening);
	for (int status; wait(&status) > 0;)
		sum += WEXITSTATUS(status);
	printf("a crowd: %d\n", sum);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	printf("its name is free: %s\n", outcome(connect_to(listening, "@popcorn-crowd")));
	close(listening);
}

/* To be run in two places: one serves a client a descriptor to read from, the other is that client. */
static int serve(const char *path)
{
	int listening = server(SOCK_STREAM, path, 1), pipes[2], fd = accept(listening, 0, 0);
	struct ucred who = { 0, 0, 0 };
	socklen_t size = sizeof who;
	pipe(pipes);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
	send_fds(fd, pipes, 1, "here");
	int got = snprintf(text, sizeof text, "%s, process %d", receive(fd, 5, MSG_WAITALL), who.pid);
	write(pipes[1], text, got);
	return 0;
}

/* A client that says nothing. */
static int hold(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return connect_to(fd, path) < 0 || pause();
}

static int ask(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), fds[4], told;
	char answer[100] = "";
	if (connect_to(fd, path) < 0 || receive_fds(fd, fds, 1, 0, &told) != 1)
		return printf("no answer: %s\n", strerror(errno)), 1;
	write(fd, "hello", 5);
	ssize_t got = read(fds[0], answer, sizeof answer - 1);
	printf("%s by a pipe: %s, I am %d\n", text, got > 0 ? answer : strerror(errno), getpid());
	return 0;
}

int main(int count, char **words)
{
	setvbuf(stdout, 0, _IONBF, 0);
	if (count == 3)
		return (*words[1] == 's' ? serve : *words[1] == 'h' ? hold : ask)(words[2]);
	unlink(PATH);
	unlink(PATH "-2");
	refusals();
	streams(PATH);
	unlink(PATH);
	streams("@popcorn-stream");
	pairs();
	packets(SOCK_SEQPACKET);
	packets(SOCK_DGRAM);
	datagrams();
	passing();
	credentials();
	waits();
	crowd();
	return 0;
}
