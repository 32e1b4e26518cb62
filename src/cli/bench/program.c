/*
 * What bench/guest.ts builds: a program that times itself by the machine's own clock, so in virtual time.
 *
 *     program migrate PAGES AREAS HERE THERE    writes to so many pages in so many areas, and goes to core THERE and back, ROUNDS times
 *     program fork CORE                         children that end at once, on the same kernel (CORE < 0) or moved to a core first
 *     program write FILE PAGES                  makes a file
 *     program read FILE CORE...                 on each of these cores in turn: opens it, reads it a page at a time, closes it; and again
 *
 * Prints nanoseconds, one figure a line.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define PAGE 4096L

static long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void go(int core)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	if (sched_setaffinity(0, sizeof cores, &cores) != 0)
		exit(1);
}

static int migrate(long pages, long areas, int here, int there)
{
	char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, pages * PAGE);
	/* Neighbours that may not be joined are areas of their own. */
	for (long area = 1; area < areas; area += 2)
		if (mprotect(memory + area * (pages / areas) * PAGE, (pages / areas) * PAGE, PROT_READ) != 0)
			return 1;
	for (int round = 0; round < ROUNDS; round++) {
		go(there);
		go(here);
	}
	return 0;
}

static int fork_to(int core)
{
	for (int round = 0; round < ROUNDS; round++) {
		int status;
		long start = now();
		pid_t child = fork();
		if (child == 0) {
			if (core >= 0)
				go(core);
			_exit(0);
		}
		if (waitpid(child, &status, 0) != child || status != 0)
			return 1;
		printf("%ld\n", now() - start);
	}
	return 0;
}

static int write_file(const char *path, long pages)
{
	static char page[PAGE];
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	for (long i = 0; i < pages; i++)
		if (write(fd, page, PAGE) != PAGE)
			return 1;
	return close(fd);
}

static int read_file(const char *path, int core)
{
	static char page[PAGE];
	go(core);
	for (int round = 0; round < 2; round++) {
		int fd = open(path, O_RDONLY);
		long count = 0, start = now();
		while (read(fd, page, PAGE) > 0)
			count++;
		if (count == 0)
			return 1;
		printf("%ld\n", (now() - start) / count);
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "migrate"))
		return migrate(atol(argv[2]), atol(argv[3]), atoi(argv[4]), atoi(argv[5]));
	if (argc == 3 && !strcmp(argv[1], "fork"))
		return fork_to(atoi(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "write"))
		return write_file(argv[2], atol(argv[3]));
	if (argc < 4 || strcmp(argv[1], "read"))
		return 2;
	for (int i = 3; i < argc; i++)
		if (read_file(argv[2], atoi(argv[i])) != 0)
			return 1;
	return 0;
}
