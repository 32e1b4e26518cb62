/* execve: arguments, environment, descriptors that close, errors that leave the caller as it was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void try(const char *path)
{
	char *argv[] = { "x", 0 };
	execve(path, argv, environ);
	printf("exec %s: %s\n", path, strerror(errno));
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	write(fd, text, strlen(text));
	close(fd);
	chmod(path, mode);
}

int main(int argc, char **argv)
{
	int status;

	setvbuf(stdout, 0, _IONBF, 0);
	if (argc > 1 && !strcmp(argv[1], "again")) {
		printf("again: %d arguments, last \"%s\", COLOUR=%s, HOME %s\n", argc, argv[argc - 1], getenv("COLOUR"), getenv("HOME") ? "set" : "unset");
		printf("descriptor 7 open: %d, descriptor 8 open: %d\n", fcntl(7, F_GETFD) >= 0, fcntl(8, F_GETFD) >= 0);
		return 5;
	}
	try("/tmp/exec-missing");
	try("/tmp");
	write_file("/tmp/exec-plain", "no program\n", 0644);
	write_file("/tmp/exec-short", "\177ELF", 0755);
	try("/tmp/exec-short");
	unlink("/tmp/exec-plain");
	unlink("/tmp/exec-short");
	dup2(1, 7);
	dup2(1, 8);
	fcntl(8, F_SETFD, FD_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		char *arguments[] = { argv[0], "again", "", "a b", 0 }, *environment[] = { "COLOUR=blue", 0 };
		execve(argv[0], arguments, environment);
		perror(argv[0]);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("its status: %d\n", WEXITSTATUS(status));
	return 0;
}
