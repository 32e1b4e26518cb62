/* poll and select: readiness, hang-up, invalid descriptors, time-outs, and waking a sleeper. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(void)
{
	int a[2], b[2];
	char byte;

	setvbuf(stdout, 0, _IONBF, 0);
	pipe(a);
	pipe(b);
	struct pollfd fds[] = { { a[0], POLLIN, 0 }, { a[1], POLLOUT, 0 }, { 99, POLLIN, 0 }, { -1, POLLIN, 0 } };
	int ready = poll(fds, 4, 0);
	printf("ready %d: %x %x %x %x\n", ready, fds[0].revents, fds[1].revents, fds[2].revents, fds[3].revents);
	write(a[1], "x", 1);
	printf("one to read: %d %x\n", poll(fds, 1, 0), fds[0].revents);
	read(a[0], &byte, 1);
	long start = now_ms();
	printf("time-out: %d", poll(fds, 1, 50));
	long took = now_ms() - start;
	printf(", after 50 ms: %d\n", took >= 50 && took < 1000);
	if (fork() == 0) {
		usleep(30000);
		write(b[1], "y", 1);
		_exit(0);
	}
	struct pollfd two[] = { { a[0], POLLIN, 0 }, { b[0], POLLIN, 0 } };
	printf("woken: %d %x %x\n", poll(two, 2, 5000), two[0].revents, two[1].revents);
	wait(0);
	fd_set readable;
	FD_ZERO(&readable);
	FD_SET(a[0], &readable);
	FD_SET(b[0], &readable);
	struct timeval limit = { 1, 0 };
	int count = select(b[0] + 1, &readable, 0, 0, &limit);
	printf("select: %d %d %d\n", count, (int)FD_ISSET(a[0], &readable), (int)FD_ISSET(b[0], &readable));
	read(b[0], &byte, 1);
	close(b[1]);
	printf("hung up: %d %x\n", poll(two + 1, 1, 1000), two[1].revents);
	close(a[0]);
	printf("nobody reads: %d %x\n", poll(fds + 1, 1, 0), fds[1].revents);
	return 0;
}
