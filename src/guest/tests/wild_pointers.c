/* Pointers that lead nowhere, in every call that takes one: EFAULT, never a crash, and nothing half done that shows. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned long wild[] = { 8, 0xdeadbeef000, 0xffffffc000000000, ~7ul };

/* A call, and which of its arguments is the pointer; the others are given. */
static const struct {
	const char *name;
	long number;
	int pointer;
	long arguments[6];
} calls[] = {
	{ "read", SYS_read, 1, { 10, 0, 8 } },
	{ "write", SYS_write, 1, { 11, 0, 8 } },
	{ "pread64", SYS_pread64, 1, { 12, 0, 8, 0 } },
	{ "pwrite64", SYS_pwrite64, 1, { 12, 0, 8, 0 } },
	{ "readv", SYS_readv, 1, { 10, 0, 2 } },
	{ "writev", SYS_writev, 1, { 11, 0, 2 } },
	{ "openat", SYS_openat, 1, { AT_FDCWD, 0, 0, 0 } },
	{ "mkdirat", SYS_mkdirat, 1, { AT_FDCWD, 0, 0755 } },
	{ "mknodat", SYS_mknodat, 1, { AT_FDCWD, 0, 0100644, 0 } },
	{ "unlinkat", SYS_unlinkat, 1, { AT_FDCWD, 0, 0 } },
	{ "symlinkat target", SYS_symlinkat, 0, { 0, AT_FDCWD, (long)"/tmp/wild" } },
	{ "symlinkat path", SYS_symlinkat, 2, { (long)"x", AT_FDCWD, 0 } },
	{ "linkat from", SYS_linkat, 1, { AT_FDCWD, 0, AT_FDCWD, (long)"/tmp/wild", 0 } },
	{ "linkat to", SYS_linkat, 3, { AT_FDCWD, (long)"/tmp/wild-file", AT_FDCWD, 0, 0 } },
	{ "renameat2 from", SYS_renameat2, 1, { AT_FDCWD, 0, AT_FDCWD, (long)"/tmp/wild", 0 } },
	{ "renameat2 to", SYS_renameat2, 3, { AT_FDCWD, (long)"/tmp/wild-file", AT_FDCWD, 0, 0 } },
	{ "truncate", SYS_truncate, 0, { 0, 5 } },
	{ "faccessat", SYS_faccessat, 1, { AT_FDCWD, 0, 0 } },
	{ "chdir", SYS_chdir, 0, { 0 } },
	{ "fchmodat", SYS_fchmodat, 1, { AT_FDCWD, 0, 0644 } },
	{ "readlinkat path", SYS_readlinkat, 1, { AT_FDCWD, 0, 0, 16 } },
	{ "readlinkat buffer", SYS_readlinkat, 2, { AT_FDCWD, (long)"/tmp/wild-link", 0, 16 } },
	{ "newfstatat path", SYS_newfstatat, 1, { AT_FDCWD, 0, 0, 0 } },
	{ "newfstatat buffer", SYS_newfstatat, 2, { AT_FDCWD, (long)"/tmp", 0, 0 } },
	{ "fstat", SYS_fstat, 1, { 10, 0 } },
	{ "statfs path", SYS_statfs, 0, { 0, 0 } },
	{ "statfs buffer", SYS_statfs, 1, { (long)"/tmp", 0 } },
	{ "getcwd", SYS_getcwd, 0, { 0, 4096 } },
	{ "getdents64", SYS_getdents64, 1, { 13, 0, 4096 } },
	{ "pipe2", SYS_pipe2, 0, { 0, 0 } },
	{ "ppoll fds", SYS_ppoll, 0, { 0, 2, 0, 0, 8 } },
	{ "pselect6", SYS_pselect6, 1, { 4, 0, 0, 0, 0, 0 } },
	{ "ioctl TCGETS of a pipe", SYS_ioctl, 2, { 10, 0x5401, 0 } },
	{ "ioctl FIONREAD", SYS_ioctl, 2, { 10, 0x541b, 0 } },
	{ "execve path", SYS_execve, 0, { 0, 0, 0 } },
	{ "wait4 status", SYS_wait4, 1, { -1, 0, 1, 0 } },
	{ "uname", SYS_uname, 0, { 0 } },
	{ "sethostname", SYS_sethostname, 0, { 0, 4 } },
	{ "sysinfo", SYS_sysinfo, 0, { 0 } },
	{ "times", SYS_times, 0, { 0 } },
	{ "getrusage", SYS_getrusage, 1, { 0, 0 } },
	{ "prlimit64 old", SYS_prlimit64, 3, { 0, 3, 0, 0 } },
	{ "prlimit64 new", SYS_prlimit64, 2, { 0, 7, 0, 0 } },
	{ "clock_gettime", SYS_clock_gettime, 1, { 1, 0 } },
	{ "clock_nanosleep", SYS_clock_nanosleep, 2, { 1, 0, 0, 0 } },
	{ "gettimeofday", SYS_gettimeofday, 0, { 0, 0 } },
	{ "getitimer", SYS_getitimer, 1, { 0, 0 } },
	{ "setitimer", SYS_setitimer, 1, { 0, 0, 0 } },
	{ "rt_sigaction new", SYS_rt_sigaction, 1, { SIGUSR1, 0, 0, 8 } },
	{ "rt_sigaction old", SYS_rt_sigaction, 2, { SIGUSR1, 0, 0, 8 } },
	{ "rt_sigprocmask new", SYS_rt_sigprocmask, 1, { 0, 0, 0, 8 } },
	{ "rt_sigprocmask old", SYS_rt_sigprocmask, 2, { 0, 0, 0, 8 } },
	{ "rt_sigpending", SYS_rt_sigpending, 0, { 0, 8 } },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, 0, { 0, 8 } },
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, 0, { 0, 0, 0, 8 } },
	{ "sigaltstack new", SYS_sigaltstack, 0, { 0, 0 } },
	{ "sigaltstack old", SYS_sigaltstack, 1, { 0, 0 } },
	{ "sched_setaffinity", SYS_sched_setaffinity, 2, { 0, 8, 0 } },
	{ "sched_getaffinity", SYS_sched_getaffinity, 2, { 0, 128, 0 } },
	{ "getcpu", SYS_getcpu, 0, { 0, 0, 0 } },
	{ "getrandom", SYS_getrandom, 0, { 0, 8, 0 } },
	{ "futex wake", SYS_futex, 0, { 0, 0, 1, 0, 0, 0 } },
	{ "utimensat path", SYS_utimensat, 1, { AT_FDCWD, 0, 0, 0 } },
	{ "utimensat times", SYS_utimensat, 2, { AT_FDCWD, (long)"/tmp/wild-file", 0, 0 } },
};

int main(void)
{
	int fds[2];

	setvbuf(stdout, 0, _IONBF, 0);
	pipe(fds);
	dup2(fds[0], 10);
	dup2(fds[1], 11);
	int file = open("/tmp/wild-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(file, "something to read", 17);
	dup2(file, 12);
	dup2(open("/tmp", O_RDONLY | O_DIRECTORY), 13);
	symlink("target", "/tmp/wild-link");

	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
		printf("%-24s", calls[i].name);
		for (unsigned w = 0; w < sizeof wild / sizeof *wild; w++) {
			long a[6];
			memcpy(a, calls[i].arguments, sizeof a);
			a[calls[i].pointer] = wild[w];
			if (calls[i].number == SYS_read || calls[i].number == SYS_readv)
				write(11, "12345678", 8);
			if (calls[i].number == SYS_wait4 && fork() == 0)
				_exit(0);
			if (calls[i].number == SYS_wait4) {
				struct {
					char info[128];
				} unused;
				syscall(95, 0, 0, &unused, 4 | 0x1000000, 0); /* waitid: see it end, leave it there */
			}
			errno = 0;
			long result = syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
			int error = errno;
			if (calls[i].number == SYS_wait4)
				syscall(SYS_wait4, -1, 0, 1, 0);
			if (calls[i].number == SYS_read || calls[i].number == SYS_readv) {
				char drain[64];
				int flags = fcntl(10, F_GETFL);
				fcntl(10, F_SETFL, flags | O_NONBLOCK);
				read(10, drain, sizeof drain);
				fcntl(10, F_SETFL, flags);
			}
			printf(" %s", result < 0 ? error == EFAULT ? "EFAULT" : strerror(error) : "worked");
		}
		puts("");
	}
	unlink("/tmp/wild-file");
	unlink("/tmp/wild-link");

	/* A buffer whose second half is not there: what fits is what was done, or nothing. */
	char *edge = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(edge + 4096, 4096);
	errno = 0;
	printf("a path that runs off its page: %ld %s\n", syscall(SYS_chdir, memset(edge + 4090, 'x', 6)), strerror(errno));
	strcpy(edge + 4091, "/tmp");
	printf("one that just fits: %ld\n", syscall(SYS_chdir, edge + 4091));
	printf("still here: %d\n", getpid() > 0);
	return 0;
}
