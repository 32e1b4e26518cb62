/* fork, wait and exit: statuses, WNOHANG, orphans of nobody, a private copy of memory, a tree of processes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int shared = 1;

static int leaf_count(int depth)
{
	int total = 0, status;

	if (!depth)
		return 1;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(leaf_count(depth - 1));
		waitpid(pid, &status, 0);
		total += WEXITSTATUS(status);
	}
	return total;
}

int main(void)
{
	int status;

	setvbuf(stdout, 0, _IONBF, 0);
	pid_t pid = fork();
	if (pid == 0) {
		shared = 2;
		printf("child: parent is mine: %d, shared %d\n", getppid() > 0, shared);
		_exit(42);
	}
	printf("wait gives the child: %d\n", wait(&status) == pid);
	printf("exited %d with %d, shared is still %d\n", WIFEXITED(status), WEXITSTATUS(status), shared);
	printf("no more children: %d %d\n", wait(&status), errno == ECHILD);

	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	printf("WNOHANG on a living one: %d\n", waitpid(pid, &status, WNOHANG));
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	printf("signaled %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));

	pid = fork();
	if (pid == 0)
		raise(SIGSTOP), _exit(9);
	waitpid(pid, &status, WUNTRACED);
	printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	printf("went on and exited with %d\n", WEXITSTATUS(status));

	printf("leaves of a tree four deep: %d\n", leaf_count(4));
	int statuses = 0;
	for (int i = 0; i < 10; i++)
		if (fork() == 0)
			_exit(i);
	while (wait(&status) > 0)
		statuses += WEXITSTATUS(status);
	printf("ten children, sum of statuses %d\n", statuses);
	return 0;
}
