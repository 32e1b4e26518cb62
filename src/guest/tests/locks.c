/* Locks: flock by open file, fcntl by process and by open file; conflicts, waiting, signals, deadlock, and what close, fork and exit do. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH "/tmp/popcorn-locks"

static const char *outcome(long result)
{
	static char line[40];
	if (result < 0)
		return strerror(errno);
	snprintf(line, sizeof line, "%ld", result);
	return line;
}

static int record(int fd, int command, int type, long start, long size)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size };
	return fcntl(fd, command, &lock);
}

/* Says, in a child, who is in the way of a lock for writing on the range. */
static void test(int fd, long start, long size)
{
	pid_t parent = getpid();
	fflush(stdout);
	if (fork() == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = size };
		fcntl(fd, F_GETLK, &lock);
		if (lock.l_type == F_UNLCK)
			printf("%ld+%ld: free\n", start, size);
		else
			printf("%ld+%ld: type %d at %ld+%ld, the parent's: %d\n", start, size, lock.l_type, lock.l_start, lock.l_len,
			       lock.l_pid == parent);
		_exit(0);
	}
	wait(0);
}

static int child_takes(int fd, int command, int type, long start, long size)
{
	int status;
	if (fork() == 0)
		_exit(record(fd, command, type, start, size) < 0 ? errno : 0);
	wait(&status);
	return WEXITSTATUS(status);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void alarm_in(long microseconds)
{
	struct itimerval timer = { { 0, 0 }, { 0, microseconds } };
	setitimer(ITIMER_REAL, &timer, 0);
}

static void whole_files(void)
{
	int a = open(PATH, O_RDWR), b = open(PATH, O_RDWR), c = dup(a), status;

	printf("shared: %s", outcome(flock(a, LOCK_SH)));
	printf(", shared again: %s", outcome(flock(b, LOCK_SH | LOCK_NB)));
	printf(", exclusive: %s", outcome(flock(b, LOCK_EX | LOCK_NB)));
	printf(", given up in trying: %s\n", outcome(flock(a, LOCK_EX | LOCK_NB)));
	printf("exclusive: %s", outcome(flock(b, LOCK_SH | LOCK_NB)));
	printf(", by a copy: %s", outcome(flock(c, LOCK_EX | LOCK_NB)));
	close(a);
	printf(", the copy keeps it: %s", outcome(flock(b, LOCK_EX | LOCK_NB)));
	if (fork() == 0)
		_exit(flock(c, LOCK_UN));
	wait(&status);
	printf(", a child gives it up: %s\n", outcome(flock(b, LOCK_EX | LOCK_NB)));
	if (fork() == 0) {
		usleep(5000);
		_exit(flock(b, LOCK_UN));
	}
	printf("waited for: %s\n", outcome(flock(c, LOCK_EX)));
	wait(0);
	alarm_in(20000);
	printf("interrupted: %s\n", outcome(flock(b, LOCK_SH)));
	close(c);
	printf("closed: %s\n", outcome(flock(b, LOCK_EX | LOCK_NB)));
	printf("of no kind: %s", outcome(flock(b, 3)));
	printf(", of no file: %s\n", outcome(flock(99, LOCK_SH)));
	printf("records do not see it: %d\n", child_takes(b, F_SETLK, F_WRLCK, 0, 0));
	close(b);
	a = open("/tmp", O_RDONLY);
	b = open("/tmp", O_RDONLY);
	printf("a directory: %s", outcome(flock(a, LOCK_SH)));
	printf(", %s\n", outcome(flock(b, LOCK_SH | LOCK_NB)));
	close(a);
	close(b);
}

static void records(void)
{
	int fd = open(PATH, O_RDWR), other, status;

	record(fd, F_SETLK, F_WRLCK, 10, 10);
	record(fd, F_SETLK, F_RDLCK, 20, 10);
	test(fd, 0, 10);
	test(fd, 0, 11);
	test(fd, 15, 1);
	test(fd, 25, 100);
	record(fd, F_SETLK, F_WRLCK, 18, 4);
	test(fd, 19, 1);
	test(fd, 22, 1);
	record(fd, F_SETLK, F_UNLCK, 12, 2);
	test(fd, 12, 2);
	test(fd, 13, 5);
	record(fd, F_SETLK, F_WRLCK, 100, 0);
	test(fd, 1000000, 1);
	printf("a child may: %d %d", child_takes(fd, F_SETLK, F_RDLCK, 25, 3), child_takes(fd, F_SETLK, F_RDLCK, 50, 3));
	printf(", may not: %d %d\n", child_takes(fd, F_SETLK, F_WRLCK, 25, 3), child_takes(fd, F_SETLK, F_RDLCK, 10, 1));
	record(fd, F_SETLK, F_UNLCK, 0, 0);
	test(fd, 0, 0);

	lseek(fd, 30, SEEK_SET);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 5, .l_len = -10 };
	fcntl(fd, F_SETLK, &lock);
	test(fd, 0, 0);
	lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = 0, .l_len = 0 };
	fcntl(fd, F_SETLK, &lock);
	test(fd, 50, 0);
	printf("before the beginning: %s", outcome(record(fd, F_SETLK, F_WRLCK, 5, -10)));
	printf(", of no kind: %s\n", outcome(record(fd, F_SETLK, 7, 0, 1)));
	other = open(PATH, O_RDONLY);
	printf("without the right: %s", outcome(record(other, F_SETLK, F_WRLCK, 0, 1)));
	printf(", with it: %s\n", outcome(record(other, F_SETLK, F_RDLCK, 0, 1)));
	close(other);
	printf("closing any gave up all:\n");
	test(fd, 0, 0);

	int ready[2];
	char byte;
	pipe(ready);
	if (fork() == 0) {
		record(fd, F_SETLK, F_WRLCK, 0, 10);
		write(ready[1], "x", 1);
		usleep(5000);
		_exit(0);
	}
	read(ready[0], &byte, 1);
	printf("taken: %s", outcome(record(fd, F_SETLK, F_WRLCK, 5, 1)));
	printf(", waited for until exit: %s\n", outcome(record(fd, F_SETLKW, F_WRLCK, 5, 1)));
	wait(&status);

	/* The parent has 5 and waits for 50, the child has 50 and wants 5. */
	if (fork() == 0) {
		record(fd, F_SETLK, F_WRLCK, 50, 1);
		write(ready[1], "x", 1);
		usleep(20000);
		_exit(record(fd, F_SETLKW, F_WRLCK, 5, 1) < 0 ? errno : 0);
	}
	read(ready[0], &byte, 1);
	int told = record(fd, F_SETLKW, F_WRLCK, 50, 1) < 0 && errno == EDEADLK;
	if (told)
		record(fd, F_SETLK, F_UNLCK, 5, 1);
	wait(&status);
	printf("one of the two is told: %d\n", told != (WEXITSTATUS(status) == EDEADLK));
	record(fd, F_SETLK, F_WRLCK, 50, 1);
	if (fork() == 0) {
		alarm_in(10000);
		_exit(record(fd, F_SETLKW, F_WRLCK, 50, 1) < 0 ? errno : 0);
	}
	wait(&status);
	printf("interrupted: %s\n", strerror(WEXITSTATUS(status)));
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void by_open_file(void)
{
	int a = open(PATH, O_RDWR), b = open(PATH, O_RDWR);

	printf("by open file: %s", outcome(record(a, F_OFD_SETLK, F_WRLCK, 0, 10)));
	printf(", another: %s", outcome(record(b, F_OFD_SETLK, F_RDLCK, 5, 10)));
	printf(", the process: %s", outcome(record(b, F_SETLK, F_RDLCK, 5, 10)));
	printf(", a child by it: %d\n", child_takes(a, F_OFD_SETLK, F_WRLCK, 0, 20));
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	fcntl(b, F_OFD_GETLK, &lock);
	printf("in the way: %d %ld+%ld of %d\n", lock.l_type, lock.l_start, lock.l_len, lock.l_pid);
	lock.l_pid = 1;
	printf("with a pid: %s\n", outcome(fcntl(b, F_OFD_SETLK, &lock)));
	if (fork() == 0) {
		usleep(5000);
		record(a, F_OFD_SETLK, F_UNLCK, 0, 0);
		_exit(0);
	}
	printf("waited for: %s\n", outcome(record(b, F_OFD_SETLKW, F_WRLCK, 0, 0)));
	wait(0);
	close(b);
	printf("closed: %s\n", outcome(record(a, F_OFD_SETLK, F_WRLCK, 0, 0)));
	close(a);
}

/* Processes that count in a file, each adding one under a lock. */
static void counting(int with_flock)
{
	int fd = open(PATH, O_RDWR | O_TRUNC), count = 0;

	write(fd, &count, sizeof count);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			int own = open(PATH, O_RDWR);
			for (int round = 0; round < 10; round++) {
				if (with_flock)
					flock(own, LOCK_EX);
				else
					record(own, F_SETLKW, F_WRLCK, 0, sizeof count);
				pread(own, &count, sizeof count, 0);
				count++;
				if (round % 4 == 0)
					usleep(100);
				pwrite(own, &count, sizeof count, 0);
				if (with_flock)
					flock(own, LOCK_UN);
				else
					record(own, F_SETLK, F_UNLCK, 0, sizeof count);
			}
			_exit(0);
		}
	while (wait(0) > 0) {
	}
	pread(fd, &count, sizeof count, 0);
	printf("counted: %d\n", count);
	close(fd);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	setvbuf(stdout, 0, _IONBF, 0);
	sigaction(SIGALRM, &action, 0);
	int fd = open(PATH, O_CREAT | O_RDWR | O_TRUNC, 0600);
	ftruncate(fd, 100);
	close(fd);
	whole_files();
	records();
	by_open_file();
	counting(1);
	counting(0);
	unlink(PATH);
	return 0;
}
