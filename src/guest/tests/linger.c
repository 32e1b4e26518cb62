/*
 * close(2) of a TCP socket with SO_LINGER: with no time it resets; with one it waits until the other has all, but no longer than that. A process
 * that moves meanwhile waits no longer, so this one stands still.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char text[4096];

static void pair_of(int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&at, sizeof at);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&at, &size);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(ends[0], (struct sockaddr *)&at, sizeof at))
		puts("no connection");
	ends[1] = accept(listener, 0, 0);
	close(listener);
}

/* Milliseconds. */
static long closing(int fd)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

/* Closes an end with more in it than the other takes unread; perhaps somebody reads there, after a tenth of a second. */
static void try(const char *what, int on, int seconds, int reads)
{
	int ends[2], ready[2], linger[2] = { on, seconds };
	pid_t reader = -1;
	long took;

	pair_of(ends);
	setsockopt(ends[1], SOL_SOCKET, SO_LINGER, linger, sizeof linger);
	while (send(ends[1], text, sizeof text, MSG_DONTWAIT) > 0)
		;
	pipe(ready);
	if (reads && !(reader = fork())) {
		/* The other's is the last close. */
		close(ends[1]);
		close(ready[1]);
		usleep(100000);
		while (read(ends[0], text, sizeof text) > 0)
			;
		_exit(0);
	}
	close(ready[1]);
	read(ready[0], text, 1);
	close(ready[0]);
	took = closing(ends[1]);
	printf("%s: %s\n", what, took < 90 ? "at once" : took < 990 ? "when the other has all" : "after a second");
	if (reads)
		waitpid(reader, 0, 0);
	else {
		ssize_t got;

		while ((got = read(ends[0], text, sizeof text)) > 0)
			;
		printf("the other reads %s\n", got ? strerror(errno) : "to the end");
	}
	close(ends[0]);
}

int main(void)
{
	try("off", 0, 1, 0);
	try("on, no time", 1, 0, 0);
	try("on, a second, nobody reads", 1, 1, 0);
	try("on, twenty seconds, somebody reads", 1, 20, 1);
	return 0;
}
