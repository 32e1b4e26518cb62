/* Built with the distribution's compiler and its glibc, for src/cli/exec.test.ts: a program in whose C library nothing is ours. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sum(void *factor)
{
	long total = 0;
	for (long i = 0; i < 100000; i++)
		total += i * (long)factor;
	return (void *)total;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv)
{
	int values[1000], status, ends[2];
	srand(7);
	for (int i = 0; i < 1000; i++)
		values[i] = rand();
	qsort(values, 1000, sizeof *values, ascending);
	printf("%d %d %.12f\n", values[0], values[999], sin(1.5) * exp(2.25));

	if (argc > 1) {
		pthread_t threads[4];
		for (long i = 0; i < 4; i++)
			pthread_create(&threads[i], 0, sum, (void *)i);
		for (int i = 0; i < 4; i++) {
			void *result;
			pthread_join(threads[i], &result);
			printf("thread %d: %ld\n", i, (long)result);
		}
	}

	pipe(ends);
	if (fork() == 0) {
		dprintf(ends[1], "%s has a child\n", argv[0]);
		_exit(5);
	}
	char text[100];
	int length = read(ends[0], text, sizeof text - 1);
	text[length > 0 ? length : 0] = 0;
	wait(&status);
	printf("%sthat ended with %d\n", text, WEXITSTATUS(status));

	char *block = malloc(1 << 20);
	memset(block, 1, 1 << 20);
	block = realloc(block, 5 << 20);
	printf("kept: %d\n", block[(1 << 20) - 1]);
	FILE *file = fopen("/etc/motd", "r");
	printf("%s", file ? fgets(text, sizeof text, file) : "no file\n");
	return 42;
}
