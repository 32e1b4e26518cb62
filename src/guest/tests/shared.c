/* Memory that processes share, wherever each of them is: anonymous and inherited, a file that both map, a memfd; futexes in it; and read(),
 * write() and truncation of what is mapped. Processes ask for cores now and then, as if they were anywhere. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_memfd_create
#define SYS_memfd_create 279
#endif
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define PAGE 4096
#define CHILDREN 4
#define ROUNDS 150

struct shared {
	atomic_int lock, turn, arrived, gate, second, awake;
	long plain;
	atomic_long adds;
	char story[256];
	/* On pages of their own. */
	long apart[CHILDREN][PAGE / 8] __attribute__((aligned(PAGE)));
};
static struct shared *all;

static long futex(atomic_int *word, int operation, int value, const struct timespec *timeout, atomic_int *other)
{
	return syscall(SYS_futex, word, operation, value, timeout, other, 0);
}

static void take(void)
{
	int seen = 0;

	if (atomic_compare_exchange_strong(&all->lock, &seen, 1))
		return;
	while (atomic_exchange(&all->lock, 2) != 0)
		futex(&all->lock, FUTEX_WAIT, 2, 0, 0);
}

static void release(void)
{
	if (atomic_exchange(&all->lock, 0) == 2)
		futex(&all->lock, FUTEX_WAKE, 1, 0, 0);
}

static void await(atomic_int *word, int value)
{
	for (int seen; (seen = atomic_load(word)) < value;)
		futex(word, FUTEX_WAIT, seen, 0, 0);
}

static void advance(atomic_int *word)
{
	atomic_fetch_add(word, 1);
	futex(word, FUTEX_WAKE, 100, 0, 0);
}

static void somewhere(unsigned seed)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(seed * 2654435761u / 65536 % 8, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static int child(int number)
{
	somewhere(number);
	for (int i = 0; i < ROUNDS; i++) {
		take();
		all->plain++;
		release();
		atomic_fetch_add(&all->adds, number);
		all->apart[number][i % 512]++;
		if (i % 50 == 49)
			somewhere(number * 7 + i);
	}
	for (int round = 0; round < 3; round++) {
		await(&all->turn, round * CHILDREN + number);
		char word[16];
		int length = snprintf(word, sizeof word, "%d%c", number, round < 2 || number < CHILDREN - 1 ? ' ' : '.');
		memcpy(all->story + strlen(all->story), word, length + 1);
		advance(&all->turn);
	}
	/* A futex that moves its waiters to another one. */
	advance(&all->arrived);
	futex(&all->gate, FUTEX_WAIT, 0, 0, 0);
	await(&all->second, 1);
	advance(&all->awake);
	return number;
}

static int reap(void)
{
	int status, sum = 0;

	while (wait(&status) > 0)
		sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	return sum;
}

static void processes(void)
{
	all = mmap(0, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	all->plain = 5;
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			_exit(child(i));
	await(&all->arrived, CHILDREN);
	struct timespec soon = { 0, 2000000 };
	nanosleep(&soon, 0);
	printf("waited in vain: %d\n", futex(&all->gate, FUTEX_WAIT, 0, &soon, 0) < 0 && errno == ETIMEDOUT);
	printf("another value: %d\n", futex(&all->gate, FUTEX_WAIT, 9, 0, 0) < 0 && errno == EAGAIN);
	atomic_store(&all->gate, 1);
	syscall(SYS_futex, &all->gate, FUTEX_REQUEUE, 1, 100l, &all->second, 0);
	advance(&all->second);
	printf("statuses: %d, awake: %d\n", reap(), atomic_load(&all->awake));
	long apart = 0;
	for (int i = 0; i < CHILDREN; i++)
		for (int j = 0; j < 512; j++)
			apart += all->apart[i][j];
	printf("under the lock: %ld, atomically: %ld, apart: %ld\n", all->plain, atomic_load(&all->adds), apart);
	printf("in turn: %s\n", all->story);
	munmap(all, sizeof *all);
}

/* Two processes that have nothing of each other but the file's name. */
struct table {
	atomic_int stage;
	char text[100];
};

static int other_end(const char *path)
{
	int file = open(path, O_RDWR);
	struct table *table = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	char *rest = (char *)table + PAGE;

	somewhere(5);
	await(&table->stage, 1);
	strcat(table->text, ", seen");
	rest[7] = 77;
	advance(&table->stage);
	await(&table->stage, 3);
	/* What was written with write() is here. */
	if (strcmp(table->text, "by write") || rest[8] != 88)
		return 1;
	somewhere(3);
	char word[8] = "";
	rest[9] = 99;
	if (pread(file, word, 3, PAGE + 7) != 3 || word[0] != 77 || word[1] != 88 || word[2] != 99)
		return 2;
	advance(&table->stage);
	await(&table->stage, 5);
	/* The second page is cut off. */
	volatile char *gone = rest;
	return gone[7];
}

static void file(void)
{
	const char *path = "/tmp/shared-file";
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct timespec moment = { 0, 1000000 };

	ftruncate(file, 2 * PAGE);
	if (fork() == 0)
		_exit(other_end(path));
	struct table *table = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	char *rest = (char *)table + PAGE, byte = 0;
	strcpy(table->text, "written");
	nanosleep(&moment, 0);
	advance(&table->stage);
	await(&table->stage, 2);
	pread(file, &byte, 1, PAGE + 7);
	printf("%s, read: %d, mapped: %d\n", table->text, byte, rest[7]);
	byte = 88;
	pwrite(file, &byte, 1, PAGE + 8);
	pwrite(file, "by write", 9, offsetof(struct table, text));
	advance(&table->stage);
	await(&table->stage, 4);
	printf("together: %d %d %d\n", rest[7], rest[8], rest[9]);
	char *private = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	private[PAGE + 9] = 1;
	printf("privately: %d %d, still: %d\n", private[PAGE + 8], private[PAGE + 9], rest[9]);
	ftruncate(file, PAGE);
	advance(&table->stage);
	int status;
	wait(&status);
	printf("beyond the end: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
	ftruncate(file, 2 * PAGE);
	printf("longer again: %d\n", rest[7]);
	close(file);
	unlink(path);
	printf("without a name: %s\n", table->text);
}

/* A memfd that is handed on by fork and mapped twice. */
static void memfd(void)
{
	int fd = syscall(SYS_memfd_create, "pair", 0);

	ftruncate(fd, 4 * PAGE);
	pid_t pid = fork();
	atomic_int *words = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	atomic_int *again = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	atomic_int *ping = words, *pong = again + 2 * PAGE / 4;

	somewhere(pid ? 1 : 6);
	for (int i = 1; i <= 40; i++) {
		if (pid) {
			advance(ping);
			await(pong, i);
		} else {
			await(ping, i);
			words[PAGE / 4] += i;
			advance(pong);
		}
	}
	if (!pid)
		_exit(words[0] == again[0] ? 6 : 7);
	printf("ping-pong: %d %d, sum %d, status %d\n", words[0], *pong, again[PAGE / 4], reap());
	/* A system call that writes to it, and one that reads it. */
	int ends[2];
	pipe(ends);
	if (fork() == 0) {
		somewhere(4);
		char *bytes = (char *)words + 3 * PAGE - 4;
		write(ends[1], "over the edge", 13);
		read(ends[0], bytes, 13);
		write(ends[1], bytes, 13);
		_exit(0);
	}
	reap();
	char back[16] = "";
	read(ends[0], back, 13);
	printf("by system calls: %s, %.13s\n", back, (char *)again + 3 * PAGE - 4);
}

/* For who wants to look on: a child on another core counts in shared memory, and its parent watches it, as long as both are there. */
static void on_bus_error(int signal)
{
	(void)signal;
	write(1, "lost\n", 5);
	_exit(9);
}

static int watch(int core)
{
	struct timespec moment = { 0, 5000000 }, short_moment = { 0, 20000 };

	all = mmap(0, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fork() == 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(core, &set);
		sched_setaffinity(0, sizeof set, &set);
		for (;; nanosleep(&short_moment, 0))
			all->apart[0][0]++;
	}
	signal(SIGBUS, on_bus_error);
	long seen = 0;
	for (int status; waitpid(-1, &status, WNOHANG) == 0; nanosleep(&moment, 0)) {
		printf("%s\n", all->apart[0][0] > seen ? "it counts" : "it rests");
		seen = all->apart[0][0];
	}
	printf("it is gone\n");
	return 8;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IONBF, 0);
	if (argc > 1)
		return watch(atoi(argv[1]));
	processes();
	file();
	memfd();
	return 7;
}
