/* Threads that ask for a core each, wherever that is: memory shared between them whichever kernel they compute on. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define THREADS 4
#define ROUNDS 300
#define STACK 65536
#define PAGE 4096
#define FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

struct thread {
	int number, tid, parent_tid;
	void *stack;
	long local;
};
static struct thread threads[THREADS];

/* Each on pages of their own, and some side by side in one. */
static atomic_int lock __attribute__((aligned(PAGE)));
static long plain __attribute__((aligned(PAGE)));
static atomic_long adds __attribute__((aligned(PAGE)));
static long beside[THREADS] __attribute__((aligned(PAGE)));
static atomic_int turn __attribute__((aligned(PAGE)));
static char story[THREADS * 64 + 1] __attribute__((aligned(PAGE)));
static char *volatile mapped;
static atomic_int stage, seen_tid, faults;

static void futex_wait(atomic_int *word, int value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, 0, 0, 0);
}

static void futex_wake(atomic_int *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE, count, 0, 0, 0);
}

static void take(void)
{
	int seen = 0;

	if (atomic_compare_exchange_strong(&lock, &seen, 1))
		return;
	while (atomic_exchange(&lock, 2) != 0)
		futex_wait(&lock, 2);
}

static void release(void)
{
	if (atomic_exchange(&lock, 0) == 2)
		futex_wake(&lock, 1);
}

static void spread_out(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	syscall(SYS_sched_setaffinity, 0, sizeof set, &set);
}

static void await(atomic_int *word, int value)
{
	for (int seen; (seen = atomic_load(word)) < value;)
		futex_wait(word, seen);
}

static void advance(atomic_int *word)
{
	atomic_fetch_add(word, 1);
	futex_wake(word, 100);
}

static int worker(void *argument)
{
	struct thread *self = argument;
	int number = self->number;

	spread_out(number);
	for (int i = 0; i < ROUNDS; i++) {
		take();
		plain++;
		release();
		atomic_fetch_add(&adds, number);
		beside[number]++;
		if (i % 50 == 49)
			spread_out((number + i / 50) % 8);
	}
	/* One after the other, each writes behind what the last one wrote. */
	for (int round = 0; round < 3; round++) {
		await(&turn, round * THREADS + number);
		char word[32];
		int length = snprintf(word, sizeof word, "%d%c", number, round < 2 || number < THREADS - 1 ? ' ' : '.');
		memcpy(story + strlen(story), word, length + 1);
		advance(&turn);
	}
	/* A system call that reads and one that writes memory, from wherever this is. */
	int ends[2];
	char back[PAGE];
	syscall(SYS_pipe2, ends, 0);
	memset(back, 'a' + number, sizeof back);
	for (long done = 0; done < PAGE;)
		done += syscall(SYS_write, ends[1], back + done, sizeof back - done);
	memset(back, 0, sizeof back);
	for (long done = 0; done < PAGE;)
		done += syscall(SYS_read, ends[0], back + done, sizeof back - done);
	syscall(SYS_close, ends[0]);
	syscall(SYS_close, ends[1]);
	int right = 0;
	for (int i = 0; i < PAGE; i++)
		right += back[i] == 'a' + number;
	beside[number] += right == PAGE;
	return 0;
}

static void on_signal(int signal)
{
	(void)signal;
	seen_tid = gettid();
}

static void on_fault(int signal)
{
	(void)signal;
	atomic_fetch_add(&faults, 1);
	mprotect(mapped, PAGE, PROT_READ | PROT_WRITE);
}

/* What one thread does to the address space, the other sees. */
static int watcher(void *argument)
{
	(void)argument;
	spread_out(2);
	await(&stage, 1);
	mapped[10] = mapped[0] + 1;
	mapped[PAGE] = 7;
	advance(&stage);
	await(&stage, 3);
	mapped[11] = 42; /* read only by now: faults once */
	mapped[12] = mapped[PAGE] + 1; /* thrown away meanwhile: zero */
	advance(&stage);
	while (!atomic_load(&seen_tid))
		;
	advance(&stage);
	await(&stage, 6);
	advance(&stage);
	for (;;)
		atomic_fetch_add(&adds, 1);
	return 0;
}

static void start(struct thread *thread, int (*function)(void *))
{
	thread->stack = mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	thread->tid = 1;
	clone(function, (char *)thread->stack + STACK, FLAGS, thread, &thread->parent_tid, &thread->local, &thread->tid);
}

static void join(struct thread *thread)
{
	for (int value; (value = atomic_load((atomic_int *)&thread->tid));)
		futex_wait((atomic_int *)&thread->tid, value);
	munmap(thread->stack, STACK);
}

/* For who wants to look: two threads that count in one page, until the process is killed. */
static int counter(void *argument)
{
	struct thread *self = argument;

	for (;;) {
		beside[self->number]++;
		if (beside[self->number] % 1000 == 0)
			syscall(SYS_nanosleep, &(struct timespec){ 0, 100000 }, 0);
	}
	return 0;
}

static int stay(void)
{
	for (int i = 0; i < 2; i++) {
		threads[i].number = i;
		start(&threads[i], counter);
	}
	for (long seen[2] = { 0 };;) {
		nanosleep(&(struct timespec){ 0, 20000000 }, 0);
		printf("%s\n", beside[0] > seen[0] && beside[1] > seen[1] ? "both" : "not both");
		seen[0] = beside[0];
		seen[1] = beside[1];
	}
	return 0;
}

int main(int argc, char **argv)
{
	(void)argv;
	setvbuf(stdout, 0, _IONBF, 0);
	if (argc > 1)
		return stay();
	for (int i = 0; i < THREADS; i++) {
		threads[i].number = i;
		start(&threads[i], worker);
	}
	for (int i = 0; i < THREADS; i++)
		join(&threads[i]);
	printf("under the lock: %ld\n", plain);
	printf("atomically: %ld\n", atomic_load(&adds));
	printf("side by side: %ld %ld %ld %ld\n", beside[0], beside[1], beside[2], beside[3]);
	printf("in turn: %s\n", story);

	spread_out(1);
	signal(SIGSEGV, on_fault);
	signal(SIGUSR1, on_signal);
	start(&threads[0], watcher);
	mapped = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapped[0] = 30;
	advance(&stage);
	await(&stage, 2);
	printf("written there, read here: %d %d\n", mapped[10], mapped[PAGE]);
	mprotect(mapped, PAGE, PROT_READ);
	madvise(mapped + PAGE, PAGE, MADV_DONTNEED);
	advance(&stage);
	await(&stage, 4);
	printf("after mprotect and madvise: %d %d, faults %d\n", mapped[11], mapped[12], faults);
	tgkill(getpid(), threads[0].parent_tid, SIGUSR1);
	await(&stage, 5);
	printf("the signal reached that thread: %d\n", seen_tid == threads[0].parent_tid);
	int status = 0;
	if (fork() == 0) {
		/* A copy of all that the threads have written, wherever they have. */
		int same = mapped[11] == 42 && plain == THREADS * ROUNDS && atomic_load(&stage) == 5;
		mapped[11] = 1;
		_exit(same ? 3 : 4);
	}
	wait(&status);
	printf("a child has it all: %d, and its own: %d\n", WEXITSTATUS(status), mapped[11]);
	advance(&stage);
	await(&stage, 7);
	/* The other thread computes on, until all ends. */
	exit(5);
}
