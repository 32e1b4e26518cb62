/* Signals: handlers and their context, masks, pending, alternate stack, restart, faults with their addresses, timers. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int count;
static volatile char *volatile nowhere = (char *)0x123;
static char alternate[32768] __attribute__((aligned(16)));
static jmp_buf escape;

static void on_user(int signal)
{
	count++;
	(void)signal;
}

static void on_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	char local;
	printf("signal %d from %s, code %d, on the alternate stack: %d\n", signal, info->si_pid == getpid() ? "myself" : "another", info->si_code,
	       &local > alternate && &local < alternate + sizeof alternate);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *where = context;
	printf("fault %d code %d at %p, pc known: %d\n", signal, info->si_code, info->si_addr, where->uc_mcontext.gregs[0] != 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	longjmp(escape, 1);
}

/* The handler steps over the instruction that faulted. */
static void on_skip(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	ucontext_t *where = context;
	where->uc_mcontext.gregs[0] += 4;
	where->uc_mcontext.gregs[10] = 77;
	count++;
}

static void set(int signal, void (*handler)(int, siginfo_t *, void *), unsigned long flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
	sigaction(signal, &action, 0);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_user };
	sigset_t blocked, pending;
	int fds[2];
	char byte;

	setvbuf(stdout, 0, _IONBF, 0);
	sigaction(SIGUSR1, &action, 0);
	raise(SIGUSR1);
	printf("handled: %d\n", count);

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	printf("blocked: handled %d, pending %d\n", count, sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &blocked, 0);
	printf("unblocked: handled %d\n", count);

	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	sigaltstack(&stack, 0);
	set(SIGUSR2, on_info, SA_ONSTACK);
	kill(getpid(), SIGUSR2);
	raise(SIGUSR2);

	set(SIGSEGV, on_fault, SA_ONSTACK);
	set(SIGBUS, on_fault, 0);
	set(SIGTRAP, on_fault, 0);
	set(SIGILL, on_fault, 0);
	if (!setjmp(escape))
		*nowhere = 1;
	if (!setjmp(escape))
		(void)*(volatile long *)0x7777777000;
	char *page = mmap((void *)0x10000000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (!setjmp(escape))
		page[9] = 1;
	if (!setjmp(escape))
		((void (*)(void))page)();
	munmap(page, 4096);

	count = 0;
	set(SIGSEGV, on_skip, 0);
	register long a0 __asm__("a0") = 5;
	__asm__ volatile(".option push\n.option norvc\nsd zero, 0(zero)\n.option pop" : "+r"(a0)::"memory");
	printf("skipped %d, a0 became %ld\n", 1, (long)a0);
	signal(SIGSEGV, SIG_DFL);

	/* A read that a handled signal interrupts: restarted with SA_RESTART, EINTR without. */
	struct itimerval soon = { .it_value = { 0, 20000 } };
	pipe(fds);
	for (int restart = 0; restart < 2; restart++) {
		action.sa_flags = restart ? SA_RESTART : 0;
		sigaction(SIGALRM, &action, 0);
		count = 0;
		pid_t writer = fork();
		if (writer == 0) {
			usleep(200000);
			write(fds[1], "x", 1);
			_exit(0);
		}
		setitimer(ITIMER_REAL, &soon, 0);
		ssize_t size = read(fds[0], &byte, 1);
		printf("restart %d: read gives %ld%s, handled %d\n", restart, size, size < 0 && errno == EINTR ? " EINTR" : "", count);
		if (size < 0)
			read(fds[0], &byte, 1);
		waitpid(writer, 0, 0);
	}

	action.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &action, 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, 0, &action);
	printf("after SA_RESETHAND: default %d\n", action.sa_handler == SIG_DFL);
	errno = 0;
	action.sa_handler = SIG_IGN;
	printf("SIGKILL can't be ignored: %d %s\n", sigaction(SIGKILL, &action, 0), strerror(errno));
	printf("kill with 0 on myself: %d\n", kill(getpid(), 0));

	int deadly[] = { SIGSEGV, SIGABRT, SIGKILL, SIGTERM, SIGALRM };
	for (unsigned i = 0; i < sizeof deadly / sizeof *deadly; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			signal(deadly[i], SIG_DFL);
			if (deadly[i] == SIGSEGV)
				*nowhere = 0;
			kill(getpid(), deadly[i]);
			pause();
		}
		waitpid(pid, &status, 0);
		printf("killed by %s: %d\n", signal_name(deadly[i]), WTERMSIG(status) == deadly[i]);
	}
	return 0;
}
