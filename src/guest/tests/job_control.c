/* Sessions and process groups: who may be where, signals to groups, stop and continue as a parent sees it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int continued;

static void on_continue(int signal)
{
	(void)signal;
	continued = 1;
}

int main(void)
{
	int status, fds[2];
	char byte;

	setvbuf(stdout, 0, _IONBF, 0);
	pid_t leader = fork();
	if (leader) {
		waitpid(leader, &status, 0);
		return WEXITSTATUS(status);
	}
	printf("setsid: %d\n", setsid() == getpid());
	printf("session and group are mine: %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
	printf("setsid again: %d %s\n", setsid(), strerror(errno));
	printf("a leader's group stays: %d %s\n", setpgid(0, 0), strerror(errno));
	printf("no terminal any more: %d\n", tcgetpgrp(0) < 0);

	pid_t group = 0, pids[3];
	pipe(fds);
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			setpgid(0, group);
			signal(SIGCONT, on_continue);
			write(fds[1], "r", 1);
			for (;;)
				pause();
		}
		setpgid(pids[i], group);
		if (!group)
			group = pids[i];
	}
	for (int i = 0; i < 3; i++)
		read(fds[0], &byte, 1);
	printf("in one group: %d %d %d\n", getpgid(pids[0]) == group, getpgid(pids[1]) == group, getpgid(pids[2]) == group);
	printf("a group that is not there: %d %s\n", setpgid(pids[0], 1), strerror(errno));
	kill(-group, SIGTSTP);
	int stopped = 0;
	for (int i = 0; i < 3; i++)
		stopped += waitpid(pids[i], &status, WUNTRACED) == pids[i] && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP;
	printf("stopped: %d\n", stopped);
	printf("nothing else to tell: %d\n", waitpid(-group, &status, WNOHANG | WUNTRACED));
	kill(-group, SIGCONT);
	int going = 0;
	for (int i = 0; i < 3; i++)
		going += waitpid(pids[i], &status, WCONTINUED) == pids[i] && WIFCONTINUED(status);
	printf("continued: %d\n", going);
	kill(-group, SIGTERM);
	int killed = 0;
	while (waitpid(-group, &status, 0) > 0)
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
	printf("terminated: %d\n", killed);
	printf("an empty group: %d %s\n", kill(-group, SIGTERM), strerror(errno));
	return 0;
}
