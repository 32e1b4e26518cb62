/*
 * Jobs.  A job is a pipeline or a background list; with job control it is a process group, and the one in the foreground owns
 * the terminal.  Every child that is waited for is noted in its job, whoever waited.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "shell.h"

struct process {
	pid_t pid;
	int status; /* as wait reports it; RUNNING until then */
};
#define RUNNING (-1)

struct job {
	int number, background, told_stopped;
	pid_t group; /* its leader's pid, and its process group under job control */
	char *text;
	struct process *processes;
	int count;
	struct termios modes; /* the terminal's, from when it was stopped */
	int has_modes;
	struct job *next;
};

static struct job *jobs; /* sorted by number */
static struct job *current, *previous; /* %+ and %- */
static struct termios shell_modes;

/* ---- The table ---- */

struct job *job_new(const char *text, int background)
{
	struct job *job = calloc(1, sizeof *job), **link = &jobs;

	job->number = 1;
	for (; *link && (*link)->number == job->number; link = &(*link)->next)
		job->number++;
	job->next = *link;
	*link = job;
	job->text = strdup(text ? text : "");
	job->background = background;
	return job;
}

static void set_current(struct job *job)
{
	if (current != job)
		previous = current;
	current = job;
}

static void job_remove(struct job *job)
{
	struct job **link = &jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	if (current == job) {
		current = previous;
		previous = 0;
	}
	if (previous == job)
		previous = 0;
	for (struct job *other = jobs; other; other = other->next)
		if (other != current && (other->background || other->told_stopped)) {
			if (!current)
				current = other;
			else
				previous = other;
		}
	free(job->text);
	free(job->processes);
	free(job);
}

void forget_jobs(void)
{
	while (jobs)
		job_remove(jobs);
}

void job_add(struct job *job, pid_t pid)
{
	job->processes = realloc(job->processes, (job->count + 1) * sizeof *job->processes);
	job->processes[job->count++] = (struct process){ pid, RUNNING };
	if (!job->group)
		job->group = pid;
}

int job_number(const struct job *job)
{
	return job->number;
}

enum state { IS_RUNNING, IS_STOPPED, IS_DONE };

static enum state state_of(const struct job *job)
{
	enum state state = IS_DONE;

	for (int i = 0; i < job->count; i++)
		if (job->processes[i].status == RUNNING)
			return IS_RUNNING;
		else if (WIFSTOPPED(job->processes[i].status))
			state = IS_STOPPED;
	return state;
}

static int as_exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSTOPPED(status) ? 128 + WSTOPSIG(status) : 128 + WTERMSIG(status);
}

static int job_status(const struct job *job)
{
	return job->count ? as_exit_status(job->processes[job->count - 1].status) : 0;
}

static void note(pid_t pid, int status)
{
	for (struct job *job = jobs; job; job = job->next)
		for (int i = 0; i < job->count; i++)
			if (job->processes[i].pid == pid) {
				job->processes[i].status = WIFCONTINUED(status) ? RUNNING : status;
				return;
			}
}

/* ---- Notices ---- */

static void describe(const struct job *job, int with_pid)
{
	static char text[64];
	int status = job->count ? job->processes[job->count - 1].status : 0;

	switch (state_of(job)) {
	case IS_RUNNING:
		strcpy(text, "Running");
		break;
	case IS_STOPPED:
		strcpy(text, "Stopped");
		break;
	case IS_DONE:
		if (WIFSIGNALED(status))
			snprintf(text, sizeof text, "%s%s", strsignal(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
		else if (WEXITSTATUS(status))
			snprintf(text, sizeof text, "Done(%d)", WEXITSTATUS(status));
		else
			strcpy(text, "Done");
	}
	char mark = job == current ? '+' : job == previous ? '-' : ' ';
	if (with_pid)
		printf("[%d]%c %d %-23s %s\n", job->number, mark, job->group, text, job->text);
	else
		printf("[%d]%c  %-23s %s\n", job->number, mark, text, job->text);
	fflush(stdout);
}

void announce_background(struct job *job)
{
	set_current(job);
	if (shell.interactive)
		fprintf(stderr, "[%d] %d\n", job->number, job->group);
}

/* Before each prompt: what has ended, and what has stopped since the last one. */
void notify_jobs(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		note(pid, status);
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		enum state state = state_of(job);
		if (state == IS_STOPPED && !job->told_stopped) {
			job->told_stopped = 1;
			if (shell.interactive)
				describe(job, 0);
		}
		if (state == IS_DONE) {
			if (shell.interactive)
				describe(job, 0);
			if (shell.interactive || !job->background)
				job_remove(job);
		}
	}
}

/* ---- Starting and waiting ---- */

void default_signals(void)
{
	static const int shells_own[] = { SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < sizeof shells_own / sizeof *shells_own; i++)
		signal(shells_own[i], SIG_DFL);
}

pid_t fork_into(struct job *job)
{
	fflush(0);
	int foreground = !job->background;
	pid_t pid = fork();

	if (pid < 0)
		shell_error("cannot fork: %s", strerror(errno));
	pid_t self = pid ? pid : getpid(), group = job->group ? job->group : self;
	if (shell.job_control) { /* both sides do it, so that neither runs ahead of it */
		setpgid(self, group);
		if (foreground)
			tcsetpgrp(shell.terminal, group);
	}
	if (pid) {
		job_add(job, pid);
		return pid;
	}
	if (shell.interactive)
		default_signals();
	if (!shell.job_control && job->background) {
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
		int null = open("/dev/null", O_RDONLY);
		if (null > 0) {
			dup2(null, 0);
			close(null);
		}
	}
	become_subshell();
	return 0;
}

int job_wait(struct job *job)
{
	int status;

	while (state_of(job) == IS_RUNNING) {
		pid_t pid = waitpid(-1, &status, shell.job_control ? WUNTRACED : 0);
		if (pid > 0)
			note(pid, status);
		else if (errno == EINTR)
			run_pending_traps();
		else
			break;
	}
	int result = job_status(job);
	if (shell.job_control) {
		tcsetpgrp(shell.terminal, getpgrp());
		if (state_of(job) == IS_STOPPED) {
			tcgetattr(shell.terminal, &job->modes);
			job->has_modes = 1;
		}
		if (state_of(job) == IS_STOPPED || result > 128)
			tcsetattr(shell.terminal, TCSADRAIN, &shell_modes);
		else
			tcgetattr(shell.terminal, &shell_modes);
	}
	if (state_of(job) == IS_STOPPED) {
		job->background = 1;
		job->told_stopped = 1;
		set_current(job);
		putchar('\n');
		describe(job, 0);
		return result;
	}
	int last = job->count ? job->processes[job->count - 1].status : 0;
	if (WIFSIGNALED(last) && last != RUNNING) {
		int signal = WTERMSIG(last);
		if (signal == SIGINT && shell.interactive) {
			fputc('\n', stderr);
			shell.interrupted = 2; /* and its line is ended already */
		} else if (signal == SIGINT && !shell.in_subshell) {
			job_remove(job); /* the user stopped the script's command: stop the script */
			default_signals();
			kill(getpid(), SIGINT);
			return result;
		} else if (signal != SIGINT && signal != SIGPIPE)
			fprintf(stderr, "%s%s\n", strsignal(signal), WCOREDUMP(last) ? " (core dumped)" : "");
	}
	job_remove(job);
	return result;
}

static void on_interrupt(int signal)
{
	(void)signal;
	shell.interrupted = 1;
}

/* The shell takes a group of its own and the terminal, once it has the right to. */
void job_control_on(void)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &interrupt, 0);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (terminal < 0)
		terminal = fcntl(0, F_DUPFD_CLOEXEC, 10);
	pid_t owner = terminal < 0 ? -1 : tcgetpgrp(terminal);
	if (owner < 0) {
		fprintf(stderr, "%s: no job control here\n", shell.name);
		return;
	}
	int high = fcntl(terminal, F_DUPFD_CLOEXEC, 20);
	if (high >= 0) {
		close(terminal);
		terminal = high;
	}
	while ((owner = tcgetpgrp(terminal)) >= 0 && owner != getpgrp())
		kill(0, SIGTTIN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	if (getsid(0) != getpid())
		setpgid(0, 0);
	tcsetpgrp(terminal, getpgrp());
	tcgetattr(terminal, &shell_modes);
	shell.terminal = terminal;
	shell.job_control = 1;
}

/* ---- The commands ---- */

/* %n, %+, %-, %text, or nothing for the current one. */
static struct job *find_job(const char *name)
{
	struct job *job = 0;

	if (!name || !strcmp(name, "%") || !strcmp(name, "%+") || !strcmp(name, "%%"))
		job = current;
	else if (!strcmp(name, "%-"))
		job = previous;
	else {
		const char *what = name + (*name == '%');
		for (job = jobs; job; job = job->next)
			if (isdigit((unsigned char)*what) ? job->number == atoi(what) : !strncmp(job->text, what, strlen(what)))
				break;
	}
	if (!job)
		fprintf(stderr, "sh: %s: no such job\n", name ? name : "current");
	return job;
}

int jobs_builtin(int argc, char **argv)
{
	int long_form = argc > 1 && !strcmp(argv[1], "-l"), pids_only = argc > 1 && !strcmp(argv[1], "-p"), status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		note(pid, status);
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		if (pids_only)
			printf("%d\n", job->group);
		else
			describe(job, long_form);
		if (state_of(job) == IS_DONE)
			job_remove(job);
	}
	return 0;
}

static void resume(struct job *job)
{
	for (int i = 0; i < job->count; i++)
		if (job->processes[i].status != RUNNING && WIFSTOPPED(job->processes[i].status))
			job->processes[i].status = RUNNING;
	job->told_stopped = 0;
	if (kill(shell.job_control ? -job->group : job->group, SIGCONT) < 0)
		perror("sh: kill");
}

int fg_builtin(int argc, char **argv)
{
	struct job *job = find_job(argc > 1 ? argv[1] : 0);

	if (!job)
		return 1;
	puts(job->text);
	fflush(stdout);
	job->background = 0;
	if (shell.job_control) {
		if (job->has_modes)
			tcsetattr(shell.terminal, TCSADRAIN, &job->modes);
		tcsetpgrp(shell.terminal, job->group);
	}
	resume(job);
	return job_wait(job);
}

int bg_builtin(int argc, char **argv)
{
	struct job *job = find_job(argc > 1 ? argv[1] : 0);

	if (!job)
		return 1;
	job->background = 1;
	printf("[%d]%c %s &\n", job->number, job == current ? '+' : ' ', job->text);
	resume(job);
	return 0;
}

int disown_builtin(int argc, char **argv)
{
	struct job *job = find_job(argc > 1 ? argv[1] : 0);
	if (!job)
		return 1;
	job_remove(job);
	return 0;
}

/* Waits for a job without giving it the terminal; an interrupt or a trap ends the waiting. */
static int wait_quietly(struct job *job)
{
	int status;

	while (state_of(job) == IS_RUNNING) {
		pid_t pid = waitpid(-1, &status, WUNTRACED);
		if (pid > 0)
			note(pid, status);
		else if (errno != EINTR)
			break;
		else {
			run_pending_traps();
			if (shell.interrupted)
				return 128 + SIGINT;
		}
	}
	int result = job_status(job);
	if (!shell.interactive && state_of(job) == IS_DONE)
		job_remove(job);
	return result;
}

static struct job *job_of(pid_t pid)
{
	for (struct job *job = jobs; job; job = job->next)
		for (int i = 0; i < job->count; i++)
			if (job->processes[i].pid == pid)
				return job;
	return 0;
}

int wait_builtin(int argc, char **argv)
{
	int result = 0;

	if (argc == 1) {
		for (struct job *job = jobs, *next; job && !shell.interrupted; job = next) {
			next = job->next;
			if (state_of(job) != IS_STOPPED)
				wait_quietly(job);
		}
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		struct job *job = *argv[i] == '%' ? find_job(argv[i]) : job_of(atoi(argv[i]));
		result = job ? wait_quietly(job) : 127;
	}
	return result;
}

extern int kill_main(int argc, char **argv);

/* kill with job names: each %n becomes the number of its process group. */
int kill_builtin(int argc, char **argv)
{
	char **words = scratch_alloc((argc + 2) * sizeof *words);
	int count = 0, marked = 0;

	for (int i = 0; i < argc; i++) {
		if (*argv[i] != '%') {
			words[count++] = argv[i];
			continue;
		}
		struct job *job = find_job(argv[i]);
		if (!job)
			return 1;
		if (!marked++)
			words[count++] = "--"; /* a group's number begins with a minus */
		char number[16];
		snprintf(number, sizeof number, "%d", shell.job_control ? -job->group : job->group);
		words[count++] = scratch_copy(number, strlen(number));
	}
	return kill_main(count, words);
}
