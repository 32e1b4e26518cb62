/* Many processes at once: each sorts numbers of its own in memory of its own and reports a checksum, in order of birth. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 12
#define NUMBERS 4000

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint32_t work(uint32_t seed)
{
	uint32_t *numbers = malloc(NUMBERS * sizeof *numbers), sum = 0;

	for (int i = 0; i < NUMBERS; i++)
		numbers[i] = seed = seed * 1664525 + 1013904223;
	qsort(numbers, NUMBERS, sizeof *numbers, by_value);
	for (int i = 0; i < NUMBERS; i++)
		sum = sum * 31 + numbers[i];
	free(numbers);
	return sum;
}

int main(void)
{
	int pipes[PROCESSES][2];

	for (int i = 0; i < PROCESSES; i++) {
		pipe(pipes[i]);
		if (fork() == 0) {
			uint32_t sum = work(i + 1);
			write(pipes[i][1], &sum, sizeof sum);
			_exit(0);
		}
		close(pipes[i][1]);
	}
	for (int i = 0; i < PROCESSES; i++) {
		uint32_t sum = 0;
		read(pipes[i][0], &sum, sizeof sum);
		printf("process %d: %08x\n", i, sum);
	}
	while (wait(0) > 0)
		;
	return 0;
}
