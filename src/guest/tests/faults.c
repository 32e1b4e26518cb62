/* Every cause of a fault: its signal, si_code and si_addr. And code that changes after it has become hot: the new bytes run. With an argument: by
 * which other ways they come. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096l
#define FLUSH_ICACHE 259
#define HOT 20000

static jmp_buf escape;
static siginfo_t seen;
static char *base;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	seen = *info;
	longjmp(escape, 1);
}

/* Where the fault was, counted from the four pages; what lies outside as it is. */
static void report(const char *what)
{
	uintptr_t at = (uintptr_t)seen.si_addr, from = (uintptr_t)base;
	printf("%-46s signal %2d, code %d, at ", what, seen.si_signo, seen.si_code);
	if (at >= from && at < from + 4 * PAGE)
		printf("+%lx\n", at - from);
	else
		printf("%lx\n", at);
}

#define FAULT(what, does) \
	do { \
		memset(&seen, 0, sizeof seen); \
		if (setjmp(escape) == 0) { \
			does; \
		} \
		report(what); \
	} while (0)

static void load(uintptr_t at) { asm volatile("lw t0, 0(%0)" : : "r"(at) : "t0", "memory"); }
static void store(uintptr_t at) { asm volatile("sd zero, 0(%0)" : : "r"(at) : "memory"); }
static void add(uintptr_t at) { asm volatile("amoadd.w t0, zero, (%0)" : : "r"(at) : "t0", "memory"); }
static void reserve(uintptr_t at) { asm volatile("lr.d t0, (%0)" : : "r"(at) : "t0", "memory"); }
static void run(uintptr_t at) { asm volatile("jalr %0" : : "r"(at) : "ra", "t0", "memory"); }
static long result(const void *code) { return ((long (*)(void))code)(); }

/* One instruction in the first page, behind which is a return. */
static uintptr_t code(uint32_t instruction)
{
	uint32_t both[2] = { instruction, 0x8067 };
	memcpy(base + 16, both, sizeof both);
	syscall(FLUSH_ICACHE, base, base + PAGE, 0);
	return (uintptr_t)base + 16;
}

static void returning(char *at, int value)
{
	uint32_t both[2] = { 0x513 | (uint32_t)value << 20, 0x8067 };
	memcpy(at, both, sizeof both);
}

static long hot(const char *at)
{
	long sum = 0;
	for (int i = 0; i < HOT; i++)
		sum += result(at);
	return sum;
}

/* Bytes that come by another address: qemu-riscv64 does not notice them. */
static void aliases(int fd)
{
	char *written = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *executed = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	returning(written, 4);
	syscall(FLUSH_ICACHE, executed, executed + PAGE, 0);
	long before = hot(executed);
	returning(written, 5);
	syscall(FLUSH_ICACHE, executed, executed + PAGE, 0);
	printf("mapped twice, rewritten by its other address: %ld %ld\n", before / HOT, hot(executed) / HOT);
	uint32_t instruction = 0x600513;
	lseek(fd, 0, SEEK_SET);
	write(fd, &instruction, 4);
	syscall(FLUSH_ICACHE, executed, executed + PAGE, 0);
	printf("rewritten by write(2): %ld\n", hot(executed) / HOT);
	munmap(executed, PAGE);
	base = executed;
	FAULT("fetch of hot code that is gone", run((uintptr_t)base));

}

int main(int argc, char **argv)
{
	(void)argv;
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &action, 0);
	setvbuf(stdout, 0, _IONBF, 0);
	int fd = open("/tmp/faults-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ftruncate(fd, 100);
	if (argc > 1) {
		aliases(fd);
		return 0;
	}

	/* Everything; reading only; nothing at all; not there. */
	base = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t all = (uintptr_t)base, readable = all + PAGE, closed = all + 2 * PAGE, absent = all + 3 * PAGE;
	memset(base, 0, 3 * PAGE);
	mprotect((void *)readable, PAGE, PROT_READ);
	mprotect((void *)closed, PAGE, PROT_NONE);
	munmap((void *)absent, PAGE);

	FAULT("load, nothing there", load(absent + 5 * 4));
	FAULT("store, nothing there", store(absent + 8));
	FAULT("atomic, nothing there", add(absent + 4));
	FAULT("reservation, nothing there", reserve(absent + 16));
	FAULT("fetch, nothing there", run(absent + 32));
	FAULT("load, no access", load(closed + 4));
	FAULT("store, no access", store(closed + 8));
	FAULT("fetch, no access", run(closed + 64));
	FAULT("store, reading only", store(readable + 128));
	FAULT("atomic, reading only", add(readable + 256));
	FAULT("fetch, reading only", run(readable + 20));
	FAULT("load across two pages, the second closed", load(closed - 2));
	FAULT("store across two pages, the second for reading", store(readable - 3));
	FAULT("load at 1", load(1));
	FAULT("fetch at 0", run(0));
	uint16_t half = 0x0513;
	memcpy((void *)(readable - 2), &half, 2);
	FAULT("instruction across two pages", run(readable - 2));

	char *own = base;
	base = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FAULT("load behind the end of a file", load((uintptr_t)base + PAGE + 12));
	FAULT("store behind the end of a file", store((uintptr_t)base + PAGE + 24));
	munmap(base, 2 * PAGE);
	base = own;

	FAULT("no instruction", run(code(0)));
	FAULT("an instruction of ones", run(code(0xffffffff)));
	FAULT("a control register that is not there", run(code(0x123022f3)));
	FAULT("writing the count of cycles", run(code(0xc0001073)));
	FAULT("a rounding mode that is none", run(code(0x02005053)));
	FAULT("a dynamic rounding mode that is none", asm volatile("fsrmi 5" : : : "memory"); run(code(0x02007053)));
	asm volatile("fsrmi 0");
	FAULT("ebreak", run(code(0x00100073)));
	FAULT("c.ebreak", run(code(0x00009002)));

	returning(base, 1);
	long before = hot(base);
	returning(base, 2);
	asm volatile("fence.i");
	printf("hot code, rewritten: %ld %ld\n", before / HOT, hot(base) / HOT);
	mprotect(base, PAGE, PROT_READ | PROT_WRITE);
	FAULT("fetch of hot code that may not run now", run((uintptr_t)base));
	returning(base, 3);
	mprotect(base, PAGE, PROT_READ | PROT_EXEC);
	printf("made writable, rewritten, made executable: %ld\n", hot(base) / HOT);
	FAULT("store to hot code that may not be written", store((uintptr_t)base));

	uint64_t first[3], second[3];
	asm volatile("rdcycle %0\nrdtime %1\nrdinstret %2" : "=r"(first[0]), "=r"(first[1]), "=r"(first[2]));
	hot(own);
	asm volatile("rdcycle %0\nrdtime %1\nrdinstret %2" : "=r"(second[0]), "=r"(second[1]), "=r"(second[2]));
	printf("counters rise: %d %d %d\n", second[0] > first[0], second[1] > first[1], second[2] > first[2]);
	unlink("/tmp/faults-test");
	return 0;
}
