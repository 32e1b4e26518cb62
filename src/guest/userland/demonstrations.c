/*
 * Programs to watch while they are moved from kernel to kernel: spin, primes, memwalk, fp.  Each says where it runs, keeps
 * state that a bad migration would spoil, and checks it.
 */
#include "userland.h"
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* "cpu 5 of kernel 2", or without the kernel where there is only one. */
static const char *place(void)
{
	static char text[48];
	char kernel[16];
	int fd = open("/proc/self/kernel", O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, kernel, sizeof kernel - 1);

	if (fd >= 0)
		close(fd);
	int cpu = sched_getcpu();
	if (length > 0) {
		kernel[length] = 0;
		snprintf(text, sizeof text, "cpu %d of kernel %d", cpu, atoi(kernel));
	} else
		snprintf(text, sizeof text, "cpu %d", cpu);
	return text;
}

static uint64_t scramble(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

#define SPIN_LOOPS 2000000

int spin_main(int argc, char **argv)
{
	double seconds = argc > 1 ? parse_seconds(argv[1]) : 0, start = monotonic_seconds();
	uint64_t value = 88172645463325252u;

	if (seconds < 0)
		return usage("[SECONDS]");
	for (long round = 1;; round++) {
		for (int i = 0; i < SPIN_LOOPS; i++)
			value = scramble(value);
		printf("spin %d: round %ld on %s, %016lx\n", getpid(), round, place(), value);
		fflush(stdout);
		if (seconds > 0 && monotonic_seconds() - start >= seconds)
			return 0;
	}
}

/* Primes up to N, or the first ones without end: each is tested by all primes up to its root. */
int primes_main(int argc, char **argv)
{
	long limit = argc > 1 ? atol(argv[1]) : 0, count = 0, capacity = 0, *known = 0;

	for (long n = 2; !limit || n <= limit; n += n == 2 ? 1 : 2) {
		int prime = 1;
		for (long i = 0; i < count && known[i] * known[i] <= n && prime; i++)
			prime = n % known[i] != 0;
		if (!prime)
			continue;
		if (count == capacity)
			known = realloc(known, (capacity = capacity ? 2 * capacity : 64) * sizeof *known);
		known[count++] = n;
		if (limit)
			printf("%ld%c", n, count % 10 ? ' ' : '\n');
		else if (count % 1000 == 0) {
			printf("prime %ld is %ld (on %s)\n", count, n, place());
			fflush(stdout);
		}
	}
	printf("%s%ld primes up to %ld\n", count % 10 ? "\n" : "", count, limit);
	return 0;
}

#define PAGE 4096ul

int memwalk_main(int argc, char **argv)
{
	long mebibytes = argc > 1 ? atol(argv[1]) : 4, rounds = argc > 2 ? atol(argv[2]) : 0;

	if (mebibytes < 1)
		return usage("[MIB [ROUNDS]]");
	size_t pages = (size_t)mebibytes << 8;
	char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return warn_file("mmap");
	for (uint64_t round = 0; !rounds || (long)round <= rounds; round++) {
		for (size_t page = 0; page < pages; page++) {
			uint64_t *words = (uint64_t *)(memory + page * PAGE);
			for (size_t i = 0; i < PAGE / 8; i += 64) { /* every 512 bytes, checked before it is changed */
				uint64_t expected = round ? scramble(page << 32 ^ i << 20 ^ round) : 0;
				if (words[i] != expected)
					return warn_text("round %lu, page %lu: %016lx, should be %016lx", round, (unsigned long)page, words[i], expected);
				words[i] = scramble(page << 32 ^ i << 20 ^ (round + 1));
			}
		}
		if (round) {
			printf("memwalk %d: round %lu, %ld MiB intact on %s\n", getpid(), round, mebibytes, place());
			fflush(stdout);
		}
	}
	munmap(memory, pages * PAGE);
	return 0;
}

#define SIDE 64

/* Rotations are orthogonal, so the sum of squares of a product stays what it was: a check in floating point. */
int fp_main(int argc, char **argv)
{
	static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
	long rounds = argc > 1 ? atol(argv[1]) : 10;

	for (int i = 0; i < SIDE; i++) {
		b[i][i] = 1;
		a[i][i] = 0.6;
		a[i][i ^ 1] = i % 2 ? 0.8 : -0.8;
	}
	for (long round = 1; round <= rounds; round++) {
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++) {
				double sum = 0;
				for (int k = 0; k < SIDE; k++)
					sum += a[i][k] * b[k][j];
				c[i][j] = sum;
			}
		memcpy(b, c, sizeof b);
		double squares = 0;
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++)
				squares += b[i][j] * b[i][j];
		printf("fp %ld: b[0][0] = %.15f, norm = %.12f\n", round, b[0][0], sqrt(squares / SIDE));
		if (fabs(squares / SIDE - 1) > 1e-6)
			return warn_text("the norm drifted");
	}
	return 0;
}
