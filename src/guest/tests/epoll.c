/* epoll: level and edge, once, a socket that is written to by another process, shut and closed, a set in a set. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADD 1
#define DELETE 2
#define MODIFY 3
#define EDGE 0x80000000u
#define ONCE 0x40000000u

static struct event {
	unsigned events;
	unsigned long data;
} got[4];

static long control(int set, int operation, int fd, unsigned events, unsigned long data)
{
	struct event event = { events, data };
	return syscall(SYS_epoll_ctl, set, operation, fd, &event);
}

static long collect(int set, int limit)
{
	memset(got, 0, sizeof got);
	return syscall(SYS_epoll_pwait, set, got, 4, limit, 0, 8);
}

int main(void)
{
	int pair[2], set = syscall(SYS_epoll_create1, 0), outer = syscall(SYS_epoll_create1, 0);
	char text[10];

	setvbuf(stdout, 0, _IONBF, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	printf("added: %ld", control(set, ADD, pair[0], EDGE | POLLIN | POLLRDHUP, 7));
	printf(", twice: %ld %s\n", control(set, ADD, pair[0], POLLIN, 7), strerror(errno));
	printf("nothing: %ld\n", collect(set, 0));
	control(outer, ADD, set, POLLIN, 9);
	if (fork() == 0) {
		usleep(10000);
		write(pair[1], "wake", 4);
		_exit(0);
	}
	printf("woken: %ld", collect(outer, 5000));
	printf(" %lu", got[0].data);
	printf(", inside: %ld", collect(set, 0));
	printf(" %x %lu", got[0].events, got[0].data);
	printf(", edge: %ld\n", collect(set, 0));
	wait(0);
	control(set, MODIFY, pair[0], POLLIN | POLLOUT, 8);
	printf("level: %ld", collect(set, 0));
	printf(" %x, %ld", got[0].events, collect(set, 0));
	printf(" %x %lu\n", got[0].events, got[0].data);
	read(pair[0], text, sizeof text);
	control(set, MODIFY, pair[0], ONCE | POLLIN, 5);
	write(pair[1], "x", 1);
	printf("once: %ld", collect(set, 0));
	printf(", %ld\n", collect(set, 0));
	control(set, MODIFY, pair[0], POLLIN | POLLRDHUP, 6);
	shutdown(pair[1], SHUT_WR);
	printf("half closed: %ld", collect(set, 0));
	printf(" %x\n", got[0].events);
	close(pair[1]);
	printf("closed: %ld", collect(set, 1000));
	printf(" %x\n", got[0].events);
	printf("removed: %ld", control(set, DELETE, pair[0], 0, 0));
	printf(", %ld\n", collect(set, 0));
	return 0;
}
