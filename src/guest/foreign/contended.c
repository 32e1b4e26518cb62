/*
 * Four threads, each on a core of its own where there are as many, count in one cache line by LR and SC and by a spinlock made of them, for
 * src/cli/exec.test.ts. What is printed says whether an increment was ever lost; how many cores took part goes to the standard error.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { THREADS = 4, TURNS = 3000 };
static struct {
	long loose, narrow, locked;
	int lock;
} line __attribute__((aligned(64)));
static long failed[THREADS];
static int cpu[THREADS];

/* An LR and its SC with work between them, in which another core has its turn now and then. */
static long add(long *at, long value)
{
	long old, new, refused, failures = -1;

	do {
		failures++;
		__asm__ volatile("lr.d.aq %0, (%3)\n\tadd %1, %0, %4\n\tmul %2, %1, %1\n\txor %2, %2, %1\n\tsc.d.rl %2, %1, (%3)"
		                 : "=&r"(old), "=&r"(new), "=&r"(refused)
		                 : "r"(at), "r"(value)
		                 : "memory");
	} while (refused);
	return failures;
}

static int take(int *lock)
{
	int refused;

	__asm__ volatile("lr.w.aq %0, (%1)\n\tbnez %0, 1f\n\tli %0, 1\n\tsc.w %0, %0, (%1)\n1:" : "=&r"(refused) : "r"(lock) : "memory");
	return !refused;
}

static void *count(void *number)
{
	long own = (long)number;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(own, &set);
	sched_setaffinity(0, sizeof set, &set);
	for (int i = 0; i < TURNS; i++) {
		failed[own] += add(&line.loose, own + 1);
		__atomic_fetch_add(&line.narrow, 3, __ATOMIC_RELAXED);
		while (!take(&line.lock))
			sched_yield();
		line.locked++;
		__atomic_store_n(&line.lock, 0, __ATOMIC_RELEASE);
	}
	cpu[own] = sched_getcpu();
	return 0;
}

int main(void)
{
	pthread_t threads[THREADS];
	int cores = 0;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], 0, count, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], 0);
	for (int i = 0; i < THREADS; i++)
		cores += cpu[i] == i;
	printf("loose %ld, narrow %ld, locked %ld\n", line.loose, line.narrow, line.locked);
	fprintf(stderr, "cores %d, refused %s\n", cores, failed[0] + failed[1] + failed[2] + failed[3] > 0 ? "now and then" : "never");
	return 0;
}
