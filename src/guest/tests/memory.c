/* mmap, munmap, mprotect, mremap, brk: zeros, holes, protections, copies after fork, sharing, files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096l
static jmp_buf escape;

static void on_fault(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	longjmp(escape, signal);
}

/* The signal that touching a byte raises, or 0. */
static int touch(volatile char *at, int write)
{
	int signal = setjmp(escape);
	if (!signal) {
		if (write)
			*at = 1;
		else
			(void)*at;
	}
	return signal;
}

static char *map(size_t size, int protection, int flags)
{
	return mmap(0, size, protection, flags | MAP_ANONYMOUS, -1, 0);
}

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);

	char *a = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int zeros = 1;
	for (long i = 0; i < 8 * PAGE; i++)
		zeros &= !a[i];
	printf("fresh pages are zero: %d, aligned: %d\n", zeros, (uintptr_t)a % PAGE == 0);
	munmap(a + 2 * PAGE, PAGE);
	printf("a hole: %d %d %d\n", touch(a + 2 * PAGE - 1, 1), touch(a + 2 * PAGE, 1), touch(a + 3 * PAGE, 1));
	mprotect(a + 4 * PAGE, PAGE, PROT_READ);
	printf("read only: read %d, write %d, its neighbour %d\n", touch(a + 4 * PAGE, 0), touch(a + 4 * PAGE, 1), touch(a + 5 * PAGE, 1));
	mprotect(a + 4 * PAGE, PAGE, PROT_NONE);
	printf("no access: read %d\n", touch(a + 4 * PAGE, 0));
	mprotect(a + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	printf("and back: write %d\n", touch(a + 4 * PAGE, 1));
	printf("mprotect over a hole: %d %s\n", mprotect(a, 4 * PAGE, PROT_READ | PROT_WRITE), strerror(errno));
	printf("mmap of nothing: %d %s\n", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, strerror(errno));
	printf("munmap unaligned: %d %s\n", munmap(a + 1, PAGE), strerror(errno));
	a[0] = 'A';
	char *fixed = mmap(a, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("MAP_FIXED replaces: %d %d\n", fixed == a, a[0]);

	char *private = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), *shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	strcpy(private, "before");
	strcpy(shared, "before");
	if (fork() == 0) {
		strcpy(private, "child");
		strcpy(shared, "child");
		_exit(0);
	}
	wait(0);
	printf("after fork: private %s, shared %s\n", private, shared);

	int fd = open("/tmp/memory-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[PAGE];
	for (int i = 0; i < 3; i++) {
		memset(page, 'a' + i, PAGE);
		write(fd, page, i < 2 ? PAGE : 100);
	}
	char *file = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
	printf("a file from its second page: %c %c, past its end %d\n", file[0], file[PAGE + 99], file[PAGE + 100]);
	file[0] = 'X';
	pread(fd, page, 1, PAGE);
	printf("private changes stay private: %c\n", page[0]);
	char *both = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	both[5] = 'S';
	pread(fd, page, 8, 0);
	printf("shared ones reach the file: %.8s\n", page);
	close(fd);
	printf("after close it is still there: %c\n", both[4]);
	unlink("/tmp/memory-test");

	char *grown = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	strcpy(grown + PAGE, "moved");
	char *moved = mremap(grown, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	printf("mremap keeps what was there: %s, and adds zeros: %d\n", moved + PAGE, moved[63 * PAGE]);
	moved = mremap(moved, 64 * PAGE, PAGE, MREMAP_MAYMOVE);
	printf("and shrinks: %d\n", touch(moved + PAGE, 0));

	char *end = sbrk(0);
	printf("brk grows: %d", sbrk(3 * PAGE) == end);
	end[0] = end[3 * PAGE - 1] = 7;
	printf(" %d", sbrk(-3 * PAGE) == end + 3 * PAGE);
	printf(" %d, zero again: ", sbrk(3 * PAGE) == end);
	printf("%d\n", end[PAGE]);

	char *dropped = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	dropped[3] = 9;
	madvise(dropped, PAGE, MADV_DONTNEED);
	printf("MADV_DONTNEED gives zeros: %d\n", dropped[3]);

	uint32_t *code = (uint32_t *)map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	code[0] = 0x02a00513; /* li a0, 42 */
	code[1] = 0x00008067; /* ret */
	mprotect(code, PAGE, PROT_READ | PROT_EXEC);
	__asm__ volatile("fence.i");
	printf("code written here returns %d\n", ((int (*)(void))code)());
	mprotect(code, PAGE, PROT_READ | PROT_WRITE);
	code[0] = 0x02b00513;
	mprotect(code, PAGE, PROT_READ | PROT_EXEC);
	__asm__ volatile("fence.i");
	printf("and rewritten %d\n", ((int (*)(void))code)());
	return 0;
}
