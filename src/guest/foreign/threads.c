/*
 * POSIX threads as the distribution's glibc has them, for src/cli/exec.test.ts. Given a number, threads ask for a core below it now and then,
 * so that they spread over the kernels that own these cores. What is printed does not depend on who is faster.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 5, ITEMS = 400 };
static int cores;

static void somewhere(unsigned seed)
{
	cpu_set_t set;

	if (!cores)
		return;
	CPU_ZERO(&set);
	CPU_SET(seed * 2654435761u / 65536 % cores, &set);
	pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/* --- a queue with room for three, its producers and consumers --- */
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_items = PTHREAD_COND_INITIALIZER;
static int queue[3], queued, produced, consumed;
static long total;

static void *produce(void *number)
{
	for (;;) {
		pthread_mutex_lock(&queue_lock);
		while (queued == 3 && produced < ITEMS)
			pthread_cond_wait(&has_room, &queue_lock);
		if (produced == ITEMS)
			break;
		queue[queued++] = ++produced;
		if (produced % 64 == 0)
			somewhere(produced + (long)number);
		pthread_cond_broadcast(&has_items);
		pthread_mutex_unlock(&queue_lock);
	}
	pthread_cond_broadcast(&has_items);
	pthread_cond_broadcast(&has_room);
	pthread_mutex_unlock(&queue_lock);
	return 0;
}

static void *consume(void *number)
{
	somewhere((long)number);
	for (;;) {
		pthread_mutex_lock(&queue_lock);
		while (!queued && consumed < ITEMS)
			pthread_cond_wait(&has_items, &queue_lock);
		if (consumed == ITEMS)
			break;
		total += queue[--queued];
		consumed++;
		pthread_cond_broadcast(&has_room);
		if (consumed == ITEMS)
			pthread_cond_broadcast(&has_items);
		pthread_mutex_unlock(&queue_lock);
	}
	pthread_mutex_unlock(&queue_lock);
	return 0;
}

/* --- barriers, thread-local storage, memory from malloc --- */
static pthread_barrier_t barrier;
static __thread long mine;
static long sums[THREADS];
static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value)
{
	destroyed += *(int *)value;
	free(value);
}

static void *phases(void *argument)
{
	long number = (long)argument;
	char *kept[16] = { 0 };
	int *value = malloc(sizeof *value);

	*value = 1;
	pthread_setspecific(key, value);
	for (int phase = 0; phase < 6; phase++) {
		somewhere(number * 7 + phase);
		mine += number * phase;
		sums[number] = mine;
		for (int i = 0; i < 16; i++) {
			size_t size = 100 + 700 * ((i + phase) % 9);
			free(kept[i]);
			kept[i] = malloc(size);
			memset(kept[i], number, size);
		}
		pthread_barrier_wait(&barrier);
		long seen = 0;
		for (int i = 0; i < THREADS; i++)
			seen += sums[i];
		if (seen != 10l * phase * (phase + 1) / 2)
			printf("phase %d: %ld\n", phase, seen);
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < 16; i++) {
		if (kept[i][99] != number)
			printf("memory of %ld is %d\n", number, kept[i][99]);
		free(kept[i]);
	}
	return (void *)mine;
}

/* --- a lock whose owner dies --- */
static pthread_mutex_t robust;

static void *die_with_it(void *argument)
{
	somewhere(3);
	pthread_mutex_lock(&robust);
	return argument;
}

/* --- signals and cancellation --- */
static atomic_int handled;
static pthread_t handler_thread;
static sem_t ready, done;

static void on_signal(int signal)
{
	(void)signal;
	handled = pthread_equal(pthread_self(), handler_thread) ? 1 : 2;
}

static void *waits_for_signal(void *argument)
{
	somewhere(5);
	sem_post(&ready);
	while (!handled)
		usleep(200);
	sem_post(&done);
	sem_post(&ready);
	for (;;)
		pause();
	return argument;
}

static void *reads_for_ever(void *end)
{
	char byte;

	somewhere(2);
	while (read(*(int *)end, &byte, 1) == 1)
		total += byte;
	return (void *)1;
}

static double until(clockid_t clock, const struct timespec *start)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec - start->tv_sec + (now.tv_nsec - start->tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	pthread_t threads[2 * THREADS];
	void *result;

	cores = argc > 1 ? atoi(argv[1]) : 0;
	setvbuf(stdout, 0, _IOLBF, 4096);
	for (long i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], 0, produce, (void *)i);
		pthread_create(&threads[THREADS + i], 0, consume, (void *)i);
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], 0);
	printf("queue: %d in, %d out, %ld in all\n", produced, consumed, total);

	pthread_barrier_init(&barrier, 0, THREADS);
	pthread_key_create(&key, destroy);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], 0, phases, (void *)i);
	for (long i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		printf("thread %ld: %ld\n", i, (long)result);
	}
	printf("destructors: %d, here: %ld\n", destroyed, mine);

	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attributes);
	pthread_create(&threads[0], 0, die_with_it, 0);
	pthread_join(threads[0], 0);
	printf("owner dead: %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
	printf("made good: %d\n", pthread_mutex_consistent(&robust) || pthread_mutex_unlock(&robust) || pthread_mutex_lock(&robust));

	signal(SIGUSR1, on_signal);
	sem_init(&ready, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&handler_thread, 0, waits_for_signal, 0);
	sem_wait(&ready);
	pthread_kill(handler_thread, SIGUSR1);
	sem_wait(&done);
	printf("handled by that thread: %d\n", handled == 1);
	sem_wait(&ready);
	pthread_cancel(handler_thread);
	pthread_join(handler_thread, &result);
	printf("cancelled: %d\n", result == PTHREAD_CANCELED);

	int ends[2];
	if (pipe(ends))
		return 1;
	total = 0;
	pthread_create(&threads[0], 0, reads_for_ever, &ends[0]);
	for (int i = 0; i < 5; i++)
		if (write(ends[1], "\1\2\3", 3) != 3)
			return 1;
	close(ends[1]);
	pthread_join(threads[0], &result);
	printf("through a pipe: %ld, end %ld\n", total, (long)result);

	struct timespec start, soon;
	clock_gettime(CLOCK_MONOTONIC, &start);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000)
		soon.tv_sec++, soon.tv_nsec -= 1000000000;
	pthread_mutex_lock(&queue_lock);
	int late = pthread_cond_timedwait(&has_items, &queue_lock, &soon);
	printf("waited in vain: %d, long enough: %d\n", late == ETIMEDOUT, until(CLOCK_MONOTONIC, &start) >= 0.02);

	long *shared = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared[0] = 1;
	shared[1024] = 2;
	usleep(1000);
	somewhere(11);
	shared[0]++;
	munmap(shared + 512, 4096);
	printf("shared memory of one process: %ld %ld\n", shared[0], shared[1024]);
	pid_t child = fork();
	if (!child) {
		shared[0] += 40;
		_exit(shared[1024] == 2 ? 7 : 8);
	}
	int status;
	waitpid(child, &status, 0);
	printf("and of two: %ld, status %d\n", shared[0], WEXITSTATUS(status));

	pthread_mutex_t *common = (pthread_mutex_t *)(shared + 64);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(common, &attributes);
	child = fork();
	if (!child) {
		somewhere(17);
		pthread_mutex_lock(common);
		shared[0] = 7;
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("left by a process: %d, %ld\n", pthread_mutex_lock(common) == EOWNERDEAD, shared[0]);
	return 0;
}
