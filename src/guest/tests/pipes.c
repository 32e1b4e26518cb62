/* Pipes: order, end of file, a full pipe that blocks, SIGPIPE, EPIPE, EAGAIN, and two processes that talk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int fds[2], status, waiting;
	char text[64];

	setvbuf(stdout, 0, _IONBF, 0);
	pipe(fds);
	write(fds[1], "hello", 5);
	write(fds[1], "world", 5);
	ioctl(fds[0], FIONREAD, &waiting);
	printf("waiting: %d\n", waiting);
	ssize_t size = read(fds[0], text, sizeof text);
	printf("read %ld: %.*s\n", size, (int)size, text);
	close(fds[1]);
	printf("at the end: %ld\n", read(fds[0], text, sizeof text));
	close(fds[0]);

	pipe(fds);
	if (fork() == 0) {
		close(fds[0]);
		static char block[1000];
		for (int i = 0; i < 300; i++) {
			memset(block, i & 127, sizeof block);
			write(fds[1], block, sizeof block);
		}
		_exit(0);
	}
	close(fds[1]);
	long total = 0, sum = 0;
	static char buffer[777];
	while ((size = read(fds[0], buffer, sizeof buffer)) > 0) {
		total += size;
		for (ssize_t i = 0; i < size; i++)
			sum += buffer[i];
	}
	wait(&status);
	close(fds[0]);
	printf("through a pipe smaller than that: %ld bytes, sum %ld\n", total, sum);

	pipe2(fds, O_NONBLOCK);
	printf("empty and nonblocking: %ld %s\n", read(fds[0], text, 1), strerror(errno));
	total = 0;
	while ((size = write(fds[1], buffer, 512)) > 0)
		total += size;
	printf("full and nonblocking: %s, it held 64 KiB: %d\n", strerror(errno), total == 65536);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	printf("nobody reads: %ld %s\n", write(fds[1], "x", 1), strerror(errno));
	close(fds[1]);

	pipe(fds);
	close(fds[0]);
	if (fork() == 0) {
		signal(SIGPIPE, SIG_DFL);
		write(fds[1], "x", 1);
		_exit(0);
	}
	close(fds[1]);
	wait(&status);
	printf("or dies of it: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);

	int there[2], back[2];
	pipe(there);
	pipe(back);
	if (fork() == 0) {
		for (int n; read(there[0], &n, sizeof n) == sizeof n && n >= 0;) {
			n *= 3;
			write(back[1], &n, sizeof n);
		}
		_exit(0);
	}
	int n = 1;
	for (int i = 0; i < 10; i++) {
		write(there[1], &n, sizeof n);
		read(back[0], &n, sizeof n);
	}
	printf("ten rounds of times three: %d\n", n);
	n = -1;
	write(there[1], &n, sizeof n);
	wait(0);
	return 0;
}
