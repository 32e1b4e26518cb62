/*
 * init: the first process of a kernel.  It opens the console, keeps a shell running on it, and waits for every orphan.
 * It never returns while the kernel runs.
 */
#include "userland.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY);

	if (console < 0)
		return;
	for (int fd = 0; fd < 3; fd++)
		if (console != fd)
			dup2(console, fd);
	if (console > 2)
		close(console);
}

static pid_t start_shell(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	open_console();
	ioctl(0, TIOCSCTTY, 1);
	signal(SIGINT, SIG_DFL);
	chdir("/");
	execv("/bin/sh", (char *[]){ "-sh", 0 });
	warn_file("/bin/sh");
	_exit(127);
}

/* /etc/hostname, unless the kernel has given itself a name. */
static void name_host(void)
{
	char name[65], current[65];
	FILE *file = fopen("/etc/hostname", "r");

	if (file && fgets(name, sizeof name, file)) {
		name[strcspn(name, "\n")] = 0;
		if (gethostname(current, sizeof current) == 0 && (!*current || !strcmp(current, "(none)")))
			sethostname(name, strlen(name));
	}
	if (file)
		fclose(file);
}

int init_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	if (getppid() != 0 && !getenv("INIT_ANYWAY")) /* its pid need not be 1: pids are the machine's, not the kernel's */
		return warn_text("only a kernel starts this (INIT_ANYWAY=1 does it all the same)");
	open_console();
	signal(SIGINT, SIG_IGN);
	setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 0);
	setenv("TERM", "xterm-256color", 0);
	setenv("PS1", "\\w \\$ ", 0);
	name_host();
	for (;;) {
		double started = monotonic_seconds();
		pid_t shell = start_shell(), gone;
		if (shell < 0) {
			warn_file("fork");
			sleep_seconds(1);
			continue;
		}
		while ((gone = wait(0)) != shell)
			if (gone < 0 && errno != EINTR)
				break;
		if (monotonic_seconds() - started < 0.1)
			sleep_seconds(1); /* a shell that cannot live must not take the whole kernel's time */
	}
}
