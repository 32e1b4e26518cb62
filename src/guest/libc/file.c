/* Files and directories: each function is one system call, with Linux's result. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include "syscall.h"

ssize_t read(int fd, void *to, size_t size) { return call(SYS_read, fd, to, size); }
ssize_t write(int fd, const void *from, size_t size) { return call(SYS_write, fd, from, size); }
ssize_t pread(int fd, void *to, size_t size, off_t offset) { return call(SYS_pread64, fd, to, size, offset); }
ssize_t pwrite(int fd, const void *from, size_t size, off_t offset) { return call(SYS_pwrite64, fd, from, size, offset); }
ssize_t readv(int fd, const struct iovec *pieces, int count) { return call(SYS_readv, fd, pieces, count); }
ssize_t writev(int fd, const struct iovec *pieces, int count) { return call(SYS_writev, fd, pieces, count); }
ssize_t sendfile(int to, int from, off_t *offset, size_t size) { return call(SYS_sendfile, to, from, offset, size); }
off_t lseek(int fd, off_t offset, int whence) { return call(SYS_lseek, fd, offset, whence); }
int close(int fd) { return call(SYS_close, fd); }
int dup(int fd) { return call(SYS_dup, fd); }
int dup3(int fd, int to, int flags) { return call(SYS_dup3, fd, to, flags); }
int dup2(int fd, int to) { return fd == to ? (fcntl(fd, F_GETFD) < 0 ? -1 : to) : dup3(fd, to, 0); }
int pipe2(int fds[2], int flags) { return call(SYS_pipe2, fds, flags); }
int pipe(int fds[2]) { return pipe2(fds, 0); }
int flock(int fd, int operation) { return call(SYS_flock, fd, operation); }
int fsync(int fd) { return call(SYS_fsync, fd); }
void sync(void) { raw(SYS_sync); }
int ftruncate(int fd, off_t size) { return call(SYS_ftruncate, fd, size); }
int truncate(const char *path, off_t size) { return call(SYS_truncate, path, size); }

int openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return call(SYS_openat, directory, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return call(SYS_openat, AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int fcntl(int fd, int command, ...)
{
	va_list arguments;
	va_start(arguments, command);
	long argument = va_arg(arguments, long);
	va_end(arguments);
	return call(SYS_fcntl, fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	long argument = va_arg(arguments, long);
	va_end(arguments);
	return call(SYS_ioctl, fd, request, argument);
}

int access(const char *path, int mode) { return call(SYS_faccessat, AT_FDCWD, path, mode); }
int chdir(const char *path) { return call(SYS_chdir, path); }
int fchdir(int fd) { return call(SYS_fchdir, fd); }
int chroot(const char *path) { return call(SYS_chroot, path); }
char *getcwd(char *to, size_t size) { return call(SYS_getcwd, to, size) < 0 ? 0 : to; }
int link(const char *from, const char *to) { return call(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlink(const char *target, const char *path) { return call(SYS_symlinkat, target, AT_FDCWD, path); }
ssize_t readlink(const char *path, char *to, size_t size) { return call(SYS_readlinkat, AT_FDCWD, path, to, size); }
int unlink(const char *path) { return call(SYS_unlinkat, AT_FDCWD, path, 0); }
int rmdir(const char *path) { return call(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }
int rename(const char *from, const char *to) { return call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); }
int remove(const char *path)
{
	int result = unlink(path);
	return result < 0 && errno == EISDIR ? rmdir(path) : result;
}
int chown(const char *path, uid_t owner, gid_t group) { return call(SYS_fchownat, AT_FDCWD, path, owner, group, 0); }

int stat(const char *path, struct stat *to) { return call(SYS_newfstatat, AT_FDCWD, path, to, 0); }
int lstat(const char *path, struct stat *to) { return call(SYS_newfstatat, AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW); }
int fstat(int fd, struct stat *to) { return call(SYS_fstat, fd, to); }
int chmod(const char *path, mode_t mode) { return call(SYS_fchmodat, AT_FDCWD, path, mode); }
int fchmod(int fd, mode_t mode) { return call(SYS_fchmod, fd, mode); }
int mkdir(const char *path, mode_t mode) { return call(SYS_mkdirat, AT_FDCWD, path, mode); }
int mknod(const char *path, mode_t mode, dev_t device) { return call(SYS_mknodat, AT_FDCWD, path, mode, device); }
int mkfifo(const char *path, mode_t mode) { return mknod(path, S_IFIFO | mode, 0); }
mode_t umask(mode_t mask) { return raw(SYS_umask, mask); }
int utimensat(int directory, const char *path, const struct timespec times[2], int flags) { return call(SYS_utimensat, directory, path, times, flags); }
int statfs(const char *path, struct statfs *to) { return call(SYS_statfs, path, to); }
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) { return call(SYS_mount, source, target, type, flags, data); }
int umount(const char *target) { return call(SYS_umount2, target, 0); }

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000l };
	return call(SYS_ppoll, fds, count, timeout_ms < 0 ? 0 : &timeout, 0, KERNEL_SIGSET_SIZE);
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional, struct timeval *timeout)
{
	struct timespec limit = { 0 };
	if (timeout)
		limit = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000 };
	return call(SYS_pselect6, count, readable, writable, exceptional, timeout ? &limit : 0, 0);
}

/* Terminals. */
int tcgetattr(int fd, struct termios *to) { return ioctl(fd, TCGETS, to); }
int tcsetattr(int fd, int when, const struct termios *from) { return ioctl(fd, TCSETS + when, from); }
int tcsetpgrp(int fd, pid_t group) { return ioctl(fd, TIOCSPGRP, &group); }
int isatty(int fd)
{
	struct termios unused;
	return tcgetattr(fd, &unused) == 0;
}
pid_t tcgetpgrp(int fd)
{
	pid_t group;
	return ioctl(fd, TIOCGPGRP, &group) < 0 ? -1 : group;
}

/* Directories: a buffer of the kernel's own entries, handed out one by one. */
struct DIR {
	int fd;
	ssize_t at, filled;
	char entries[4096] __attribute__((aligned(8)));
};

ssize_t getdents64(int fd, void *to, size_t size) { return call(SYS_getdents64, fd, to, size); }

DIR *fdopendir(int fd)
{
	DIR *directory = malloc(sizeof *directory);
	if (!directory)
		return 0;
	directory->fd = fd;
	directory->at = directory->filled = 0;
	return directory;
}

DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	return fdopendir(fd);
}

struct dirent *readdir(DIR *directory)
{
	if (directory->at >= directory->filled) {
		directory->filled = getdents64(directory->fd, directory->entries, sizeof directory->entries);
		directory->at = 0;
		if (directory->filled <= 0)
			return 0;
	}
	struct dirent *entry = (struct dirent *)(directory->entries + directory->at);
	directory->at += entry->d_reclen;
	return entry;
}

int closedir(DIR *directory)
{
	int result = close(directory->fd);
	free(directory);
	return result;
}
