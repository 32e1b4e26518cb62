/* Threads by clone: shared memory, thread-local pointer, futex wait and wake, join by CLONE_CHILD_CLEARTID, atomics, tgkill. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define THREADS 4
#define ROUNDS 10000
#define STACK 65536
#define FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

struct thread {
	int number, tid, parent_tid;
	void *stack;
	long local; /* what its tp points at */
};
static struct thread threads[THREADS];
static atomic_int lock, ready, gate, sum;
static long plain;
static atomic_int signalled_tid;

static void futex_wait(atomic_int *word, int value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, 0, 0, 0);
}

static void futex_wake(atomic_int *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE, count, 0, 0, 0);
}

/* 0 free, 1 taken, 2 taken with waiters. */
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

static int body(void *argument)
{
	struct thread *self = argument;
	long *tp;

	__asm__("mv %0, tp" : "=r"(tp));
	self->local = tp == &self->local;
	atomic_fetch_add(&ready, 1);
	futex_wake(&ready, 1);
	while (!atomic_load(&gate))
		futex_wait(&gate, 0);
	for (int i = 0; i < ROUNDS; i++) {
		take();
		plain++;
		release();
		if (i % 1000 == 0)
			sched_yield();
	}
	atomic_fetch_add(&sum, self->number);
	return 0;
}

static void on_signal(int signal)
{
	(void)signal;
	signalled_tid = gettid();
}

static int sleeper(void *argument)
{
	(void)argument;
	while (!atomic_load(&signalled_tid))
		syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, 0);
	return 0;
}

static void start(struct thread *thread, int (*function)(void *))
{
	thread->stack = mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	thread->tid = 1;
	clone(function, (char *)thread->stack + STACK, FLAGS, thread, &thread->parent_tid, &thread->local, &thread->tid);
}

/* The kernel clears the word and wakes it when the thread is gone. */
static void join(struct thread *thread)
{
	for (int value; (value = atomic_load((atomic_int *)&thread->tid));)
		futex_wait((atomic_int *)&thread->tid, value);
	munmap(thread->stack, STACK);
}

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	for (int i = 0; i < THREADS; i++) {
		threads[i].number = i + 1;
		start(&threads[i], body);
	}
	for (int seen; (seen = atomic_load(&ready)) < THREADS;)
		futex_wait(&ready, seen);
	int distinct = 1;
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < i; j++)
			distinct &= threads[i].parent_tid != threads[j].parent_tid && threads[i].parent_tid != getpid();
	printf("four threads with tids of their own: %d\n", distinct);
	atomic_store(&gate, 1);
	futex_wake(&gate, THREADS);
	for (int i = 0; i < THREADS; i++)
		join(&threads[i]);
	printf("count under the lock: %ld\n", plain);
	printf("sum of the numbers: %d\n", atomic_load(&sum));
	printf("thread pointers right: %ld\n", threads[0].local + threads[1].local + threads[2].local + threads[3].local);

	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &action, 0);
	struct thread *one = &threads[0];
	start(one, sleeper);
	int tid = one->parent_tid;
	tgkill(getpid(), tid, SIGUSR1);
	join(one);
	printf("the signal reached that thread: %d\n", signalled_tid == tid);
	while (tgkill(getpid(), tid, 0) == 0) /* it is cleared a moment before it is gone */
		sched_yield();
	printf("no such thread any more: %s\n", strerror(errno));

	atomic_int word = 5;
	errno = 0;
	printf("futex with another value: %ld %s\n", syscall(SYS_futex, &word, FUTEX_WAIT, 4, 0, 0, 0), strerror(errno));
	struct timespec soon = { 0, 10000000 };
	printf("futex that times out: %ld %d\n", syscall(SYS_futex, &word, FUTEX_WAIT, 5, &soon, 0, 0), errno == ETIMEDOUT);
	printf("wake nobody: %ld\n", syscall(SYS_futex, &word, FUTEX_WAKE, 1, 0, 0, 0));
	return 0;
}
