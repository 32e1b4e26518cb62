/* Processes, signals, time, memory and scheduling: system calls, and the few lines that POSIX puts around some of them. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <stdarg.h>
#include "syscall.h"

long syscall(long number, ...)
{
	va_list a;
	va_start(a, number);
	long arguments[6];
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(a, long);
	va_end(a);
	return call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

pid_t fork(void) { return call(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
int clone_result(long result) { return checked(result); }
void _exit(int status)
{
	for (;;)
		raw(SYS_exit_group, status);
}
int execve(const char *path, char *const argv[], char *const envp[]) { return call(SYS_execve, path, argv, envp); }
int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

int execvp(const char *file, char *const argv[])
{
	if (strchr(file, '/'))
		return execv(file, argv);
	const char *path = getenv("PATH");
	int failure = ENOENT;
	for (const char *at = path ? path : "/usr/bin:/bin", *end;; at = end + 1) {
		char full[4096];
		end = strchrnul(at, ':');
		snprintf(full, sizeof full, "%.*s%s%s", (int)(end - at), at, end == at ? "" : "/", file);
		execv(full, argv);
		if (errno != ENOENT && errno != ENOTDIR)
			failure = errno;
		if (!*end)
			break;
	}
	errno = failure;
	return -1;
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) { return call(SYS_wait4, pid, status, options, usage); }
pid_t waitpid(pid_t pid, int *status, int options) { return wait4(pid, status, options, 0); }
pid_t wait(int *status) { return waitpid(-1, status, 0); }

pid_t getpid(void) { return raw(SYS_getpid); }
pid_t getppid(void) { return raw(SYS_getppid); }
pid_t gettid(void) { return raw(SYS_gettid); }
pid_t getpgid(pid_t pid) { return call(SYS_getpgid, pid); }
pid_t getpgrp(void) { return getpgid(0); }
int setpgid(pid_t pid, pid_t group) { return call(SYS_setpgid, pid, group); }
pid_t setsid(void) { return call(SYS_setsid); }
pid_t getsid(pid_t pid) { return call(SYS_getsid, pid); }
uid_t getuid(void) { return raw(SYS_getuid); }
uid_t geteuid(void) { return raw(SYS_geteuid); }
gid_t getgid(void) { return raw(SYS_getgid); }
gid_t getegid(void) { return raw(SYS_getegid); }

/* Signals. */
int sigaction(int signal, const struct sigaction *action, struct sigaction *old) { return call(SYS_rt_sigaction, signal, action, old, KERNEL_SIGSET_SIZE); }
int sigprocmask(int how, const sigset_t *set, sigset_t *old) { return call(SYS_rt_sigprocmask, how, set, old, KERNEL_SIGSET_SIZE); }
int sigpending(sigset_t *set) { return call(SYS_rt_sigpending, set, KERNEL_SIGSET_SIZE); }
int sigsuspend(const sigset_t *set) { return call(SYS_rt_sigsuspend, set, KERNEL_SIGSET_SIZE); }
int sigtimedwait(const sigset_t *set, siginfo_t *info, const void *timeout) { return call(SYS_rt_sigtimedwait, set, info, timeout, KERNEL_SIGSET_SIZE); }
int sigaltstack(const stack_t *stack, stack_t *old) { return call(SYS_sigaltstack, stack, old); }
int kill(pid_t pid, int signal) { return call(SYS_kill, pid, signal); }
int killpg(pid_t group, int signal) { return kill(-group, signal); }
int tgkill(pid_t group, pid_t thread, int signal) { return call(SYS_tgkill, group, thread, signal); }
int raise(int signal) { return tgkill(getpid(), gettid(), signal); }

void (*signal(int signal, void (*handler)(int)))(int)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;
	return sigaction(signal, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int pause(void)
{
	sigset_t mask;
	sigprocmask(SIG_BLOCK, 0, &mask);
	return sigsuspend(&mask);
}

/* Time. */
int clock_gettime(clockid_t clock, struct timespec *now) { return call(SYS_clock_gettime, clock, now); }
int clock_getres(clockid_t clock, struct timespec *resolution) { return call(SYS_clock_getres, clock, resolution); }
int clock_settime(clockid_t clock, const struct timespec *now) { return call(SYS_clock_settime, clock, now); }
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) { return -raw(SYS_clock_nanosleep, clock, flags, wanted, left); }
int nanosleep(const struct timespec *wanted, struct timespec *left) { return call(SYS_nanosleep, wanted, left); }
int gettimeofday(struct timeval *now, void *zone) { return call(SYS_gettimeofday, now, zone); }
int setitimer(int which, const struct itimerval *value, struct itimerval *old) { return call(SYS_setitimer, which, value, old); }
clock_t times(struct tms *to) { return call(SYS_times, to); }

time_t time(time_t *to)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (to)
		*to = now.tv_sec;
	return now.tv_sec;
}

unsigned sleep(unsigned seconds)
{
	struct timespec wanted = { seconds, 0 };
	return nanosleep(&wanted, &wanted) < 0 ? wanted.tv_sec + 1 : 0;
}

int usleep(unsigned microseconds)
{
	struct timespec wanted = { microseconds / 1000000, microseconds % 1000000 * 1000l };
	return nanosleep(&wanted, 0);
}

unsigned alarm(unsigned seconds)
{
	struct itimerval value = { .it_value = { seconds, 0 } }, old;
	setitimer(ITIMER_REAL, &value, &old);
	return old.it_value.tv_sec + (old.it_value.tv_usec != 0);
}

/* Memory. */
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) { return (void *)call(SYS_mmap, address, size, protection, flags, fd, offset); }
int munmap(void *address, size_t size) { return call(SYS_munmap, address, size); }
int mprotect(void *address, size_t size, int protection) { return call(SYS_mprotect, address, size, protection); }
void *mremap(void *address, size_t old_size, size_t size, int flags) { return (void *)call(SYS_mremap, address, old_size, size, flags); }
int madvise(void *address, size_t size, int advice) { return call(SYS_madvise, address, size, advice); }

int brk(void *end)
{
	if (raw(SYS_brk, end) == (long)end)
		return 0;
	errno = ENOMEM;
	return -1;
}

void *sbrk(long increment)
{
	char *end = (char *)raw(SYS_brk, 0);
	if (increment && brk(end + increment) < 0)
		return (void *)-1;
	return end;
}

/* Scheduling and resources. */
int sched_yield(void) { return call(SYS_sched_yield); }
int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set) { return call(SYS_sched_setaffinity, pid, size, set); }
int getcpu(unsigned *cpu, unsigned *node) { return call(SYS_getcpu, cpu, node, 0); }
int getrusage(int who, struct rusage *usage) { return call(SYS_getrusage, who, usage); }
int getrlimit(int resource, struct rlimit *limit) { return call(SYS_prlimit64, 0, resource, 0, limit); }
int setrlimit(int resource, const struct rlimit *limit) { return call(SYS_prlimit64, 0, resource, limit, 0); }
int setpriority(int which, int who, int priority) { return call(SYS_setpriority, which, who, priority); }

/* The kernel returns 20 - nice, so that a good result is never negative. */
int getpriority(int which, int who)
{
	int result = call(SYS_getpriority, which, who);
	return result < 0 ? -1 : 20 - result;
}

int nice(int increment)
{
	int wanted = getpriority(PRIO_PROCESS, 0) + increment;
	return setpriority(PRIO_PROCESS, 0, wanted) < 0 ? -1 : wanted;
}

/* The kernel says how many bytes it wrote; the rest of the set is empty. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	int filled = call(SYS_sched_getaffinity, pid, size, set);
	if (filled < 0)
		return -1;
	memset((char *)set + filled, 0, size - filled);
	return 0;
}

int sched_getcpu(void)
{
	unsigned cpu;
	return getcpu(&cpu, 0) < 0 ? -1 : (int)cpu;
}

long sysconf(int name)
{
	cpu_set_t set;
	int count = 0;

	switch (name) {
	case _SC_CLK_TCK:
		return 100;
	case _SC_PAGESIZE:
		return 4096;
	case _SC_NPROCESSORS_ONLN:
		if (sched_getaffinity(0, sizeof set, &set) < 0)
			return 1;
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			count += CPU_ISSET(cpu, &set);
		return count;
	}
	errno = EINVAL;
	return -1;
}

/* The machine. */
int uname(struct utsname *to) { return call(SYS_uname, to); }
int sysinfo(struct sysinfo *to) { return call(SYS_sysinfo, to); }
int klogctl(int action, char *to, int size) { return call(SYS_syslog, action, to, size); }
int sethostname(const char *name, size_t size) { return call(SYS_sethostname, name, size); }

int gethostname(char *to, size_t size)
{
	struct utsname names;
	if (uname(&names) < 0)
		return -1;
	strlcpy(to, names.nodename, size);
	return 0;
}
