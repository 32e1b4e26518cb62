/*
 * A robust mutex in memory that two processes share: the one that holds it is killed while its page is with the other one's kernel. Prints what
 * the other gets, which POSIX says is EOWNERDEAD, and then 0 from a mutex that was made consistent.
 *
 *     robust HERE THERE      the cores of parent and child
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	pthread_mutex_t mutex;
	atomic_int held, touched;
};

static void go(const char *core)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(atoi(core), &cores);
	if (sched_setaffinity(0, sizeof cores, &cores) != 0)
		exit(2);
}

int main(int argc, char **argv)
{
	struct shared *all = mmap(0, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t kind;
	pid_t child;

	if (argc != 3 || all == MAP_FAILED)
		return 2;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&all->mutex, &kind);
	go(argv[1]);
	child = fork();
	if (child == 0) {
		go(argv[2]);
		pthread_mutex_lock(&all->mutex);
		all->held = 1;
		for (;;)
			pause();
	}
	while (!all->held)
		usleep(100);
	/* The page is this kernel's now. */
	all->touched = 1;
	kill(child, SIGKILL);
	waitpid(child, 0, 0);
	puts(pthread_mutex_trylock(&all->mutex) == EOWNERDEAD ? "its owner has died" : "held by nobody that is there");
	pthread_mutex_consistent(&all->mutex);
	pthread_mutex_unlock(&all->mutex);
	printf("%s\n", strerror(pthread_mutex_trylock(&all->mutex)));
	return 0;
}
