#pragma once
#include <sys/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPWR 30
#define SIGSYS 31
#define NSIG 65

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_ERR ((void (*)(int))-1)

#define SA_NOCLDSTOP 1
#define SA_NOCLDWAIT 2
#define SA_SIGINFO 4
#define SA_ONSTACK 0x08000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SI_USER 0
#define SI_TKILL (-6)
#define ILL_ILLOPC 1
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define TRAP_BRKPT 1
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_STOPPED 5

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048
#define SIGSTKSZ 8192

typedef struct {
	unsigned long bits;
} sigset_t;

typedef struct {
	int si_signo, si_errno, si_code, si_pad;
	union {
		struct {
			pid_t si_pid;
			uid_t si_uid;
			int si_status;
		};
		void *si_addr;
		char si_space[112];
	};
} siginfo_t;

typedef struct {
	void *ss_sp;
	int ss_flags;
	size_t ss_size;
} stack_t;

typedef struct ucontext {
	unsigned long uc_flags;
	struct ucontext *uc_link;
	stack_t uc_stack;
	sigset_t uc_sigmask;
	char uc_unused[120];
	struct {
		unsigned long gregs[32]; /* pc, then x1 to x31 */
		unsigned long fpregs[66];
	} uc_mcontext __attribute__((aligned(16)));
} ucontext_t;

/* RISC-V Linux has no sa_restorer: the kernel itself supplies the return to rt_sigreturn. */
struct sigaction {
	union {
		void (*sa_handler)(int);
		void (*sa_sigaction)(int, siginfo_t *, void *);
	};
	unsigned long sa_flags;
	sigset_t sa_mask;
};

int sigaction(int signal, const struct sigaction *action, struct sigaction *old);
void (*signal(int signal, void (*handler)(int)))(int);
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int sigpending(sigset_t *set);
int sigsuspend(const sigset_t *set);
int sigaltstack(const stack_t *stack, stack_t *old);
int sigtimedwait(const sigset_t *set, siginfo_t *info, const void *timeout);
int kill(pid_t pid, int signal);
int killpg(pid_t group, int signal);
int tgkill(pid_t group, pid_t thread, int signal);
int raise(int signal);

static inline int sigemptyset(sigset_t *set) { return set->bits = 0, 0; }
static inline int sigfillset(sigset_t *set) { return set->bits = ~0ul, 0; }
static inline int sigaddset(sigset_t *set, int signal) { return set->bits |= 1ul << (signal - 1), 0; }
static inline int sigdelset(sigset_t *set, int signal) { return set->bits &= ~(1ul << (signal - 1)), 0; }
static inline int sigismember(const sigset_t *set, int signal) { return (set->bits >> (signal - 1)) & 1; }

/* Names without "SIG": signal_name(9) is "KILL"; signal_number takes "KILL", "SIGKILL" or "9", and gives -1 for others. */
const char *signal_name(int signal);
int signal_number(const char *name);
