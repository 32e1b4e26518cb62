/* Doubles and floats: arithmetic to the last bit, rounding modes, flags, conversions, and that a context switch keeps them. */
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t bits(double value)
{
	union { double value; uint64_t bits; } pun = { value };
	return pun.bits;
}

static unsigned flags(void)
{
	unsigned value;
	__asm__ volatile("frflags %0" : "=r"(value));
	return value;
}

static void clear(void)
{
	__asm__ volatile("fsflags zero");
}

int main(void)
{
	volatile double one = 1, three = 3, huge = 1e308, tiny = 5e-324, zero = 0, minus = -1;
	volatile float single = 0.1f;

	setvbuf(stdout, 0, _IONBF, 0);
	printf("1/3 %016lx, sqrt(3) %016lx, fma %016lx\n", bits(one / three), bits(sqrt(three)), bits(fma(0.1, 10, -1)));
	clear();
	printf("huge*huge %016lx", bits(huge * huge));
	printf(" flags %02x\n", flags());
	clear();
	printf("tiny/3 %016lx", bits(tiny / three));
	printf(" flags %02x\n", flags());
	clear();
	printf("1/0 %016lx", bits(one / zero));
	printf(" flags %02x\n", flags());
	clear();
	printf("sqrt(-1) %016lx", bits(sqrt(minus)));
	printf(" flags %02x\n", flags());
	for (int mode = 0; mode < 5; mode++) {
		__asm__ volatile("fsrm %0" ::"r"(mode));
		double up = one / three, down = -one / three;
		printf("rounding mode %d: %016lx %016lx\n", mode, bits(up), bits(down));
	}
	__asm__ volatile("fsrm zero");
	long converted;
	__asm__("fcvt.l.d %0, %1, rtz" : "=r"(converted) : "f"(-2.9));
	printf("-2.9 truncates to %ld", converted);
	__asm__("fcvt.l.d %0, %1, rne" : "=r"(converted) : "f"(2.5));
	printf(", 2.5 rounds to %ld", converted);
	__asm__("fcvt.w.d %0, %1, rtz" : "=r"(converted) : "f"(1e30));
	printf(", 1e30 saturates to %ld", converted);
	__asm__("fcvt.wu.d %0, %1, rtz" : "=r"(converted) : "f"(NAN));
	printf(", nan as unsigned %ld\n", converted);
	printf("0.1f is %.20g, as a double sum %.17g\n", (double)single, single + 0.2);

	if (fork() == 0) { /* something else that uses the registers, meanwhile */
		volatile double x = 1;
		for (int i = 0; i < 200000; i++)
			x = x * 1.0000001 + 1e-9;
		_exit(0);
	}
	double sum = 0;
	for (int i = 1; i <= 200000; i++) {
		sum += 1.0 / i;
		if (i % 10000 == 0)
			sched_yield();
	}
	wait(0);
	printf("harmonic sum %016lx %.15g\n", bits(sum), sum);
	return 0;
}
