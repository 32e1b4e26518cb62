/*
 * Nodes to processes.  Every run_… function gives the exit status; break, continue and return are flags that the loops and
 * functions above look at after each command.  `last` says that the process ends with this command, so that exec can save a fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "shell.h"

struct shell shell;

static int run_node(struct node *node, int last);

void shell_error(const char *format, ...)
{
	char message[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s: %s\n", shell.name, message);
	shell.status = 2;
	if (shell.interactive && !shell.in_subshell)
		longjmp(shell.top, 1);
	shell_exit(2);
}

void shell_exit(int status)
{
	shell.status = status;
	run_exit_trap();
	exit(shell.status);
}

void become_subshell(void)
{
	if (shell.interactive)
		default_signals();
	shell.in_subshell = 1;
	shell.interactive = 0;
	shell.job_control = 0;
	shell.loop_depth = 0;
	reset_traps();
	forget_jobs();
}

/* ---- Redirections ---- */

static struct saved {
	int fd, copy; /* copy is -1 if fd was closed */
} saved[128];
static int saved_count;

int redirect_mark(void)
{
	return saved_count;
}

void restore_redirects(int mark)
{
	if (saved_count > mark)
		fflush(0);
	while (saved_count > mark) {
		struct saved *entry = &saved[--saved_count];
		if (entry->copy < 0)
			close(entry->fd);
		else {
			dup2(entry->copy, entry->fd);
			close(entry->copy);
		}
	}
}

void keep_redirects(int mark)
{
	while (saved_count > mark)
		if (saved[--saved_count].copy >= 0)
			close(saved[saved_count].copy);
}

/* A pipe holds a small body; a longer one goes to a file that has no name any more. */
static int here_document(const char *body)
{
	size_t length = strlen(body);
	int fds[2];

	if (length <= 4096) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -1;
		write(fds[1], body, length);
		close(fds[1]);
		return fds[0];
	}
	char path[32];
	snprintf(path, sizeof path, "/tmp/.sh-%d-%d", getpid(), saved_count);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	unlink(path);
	for (size_t done = 0; done < length;) {
		ssize_t written = write(fd, body + done, length - done);
		if (written < 0)
			break;
		done += written;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int open_redirect(const struct redirect *redirect, const char *word)
{
	switch (redirect->type) {
	case READ_FILE: return open(word, O_RDONLY | O_CLOEXEC);
	case WRITE_FILE: return open(word, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (shell.no_clobber ? O_EXCL : 0), 0666);
	case APPEND_FILE: return open(word, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	case READ_WRITE: return open(word, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	case HERE_DOCUMENT:
	case HERE_LITERAL: return here_document(word);
	default: return -1;
	}
}

int apply_redirects(struct redirect *redirect)
{
	if (redirect)
		fflush(0);
	for (; redirect; redirect = redirect->next) {
		char *word = redirect->type == HERE_LITERAL ? redirect->word : redirect->type == HERE_DOCUMENT ? expand_here_document(redirect->word) : expand_single(redirect->word);
		int source = -1, closing = 0;
		if (redirect->type == DUPLICATE) {
			closing = !strcmp(word, "-");
			char *end;
			long number = strtol(word, &end, 10);
			source = closing ? -1 : *word && !*end ? fcntl(number, F_DUPFD_CLOEXEC, 10) : (errno = EBADF, -1);
		} else
			source = open_redirect(redirect, word);
		if (source < 0 && !closing) {
			fprintf(stderr, "%s: %s: %s\n", shell.name, redirect->type >= HERE_DOCUMENT ? "here-document" : word, strerror(errno));
			return -1;
		}
		if (saved_count == (int)(sizeof saved / sizeof *saved))
			shell_error("too many redirections");
		if (source != redirect->fd) {
			saved[saved_count++] = (struct saved){ redirect->fd, fcntl(redirect->fd, F_DUPFD_CLOEXEC, 30) };
			if (closing)
				close(redirect->fd);
			else {
				dup2(source, redirect->fd);
				close(source);
			}
		} else { /* it was closed, and open() found it free */
			saved[saved_count++] = (struct saved){ redirect->fd, -1 };
			fcntl(source, F_SETFD, 0);
		}
	}
	return 0;
}

/* ---- Functions ---- */

struct function {
	char *name;
	struct node *body;
	struct function *next;
};
static struct function *functions;

void define_function(const char *name, struct node *body)
{
	undefine_function(name);
	struct function *function = malloc(sizeof *function);
	*function = (struct function){ strdup(name), body, functions };
	functions = function;
}

struct node *find_function(const char *name)
{
	for (struct function *function = functions; function; function = function->next)
		if (!strcmp(function->name, name))
			return function->body;
	return 0;
}

void undefine_function(const char *name)
{
	for (struct function **link = &functions; *link; link = &(*link)->next)
		if (!strcmp((*link)->name, name)) {
			struct function *function = *link;
			*link = function->next;
			free(function->name);
			free(function);
			return;
		}
}

#define FUNCTION_DEPTH_MAX 1000

int run_function(struct node *body, int argc, char **argv)
{
	char **arguments = shell.arguments;
	int count = shell.argument_count, loops = shell.loop_depth;

	if (shell.function_depth >= FUNCTION_DEPTH_MAX)
		shell_error("%s: functions call each other too deeply", argv[0]);
	shell.arguments = argv + 1;
	shell.argument_count = argc - 1;
	shell.loop_depth = 0;
	shell.function_depth++;
	enter_scope();
	int status = run(body);
	if (shell.returning)
		status = shell.status;
	shell.returning = 0;
	leave_scope();
	shell.function_depth--;
	shell.loop_depth = loops;
	shell.arguments = arguments;
	shell.argument_count = count;
	return status;
}

/* ---- Simple commands ---- */

char *find_in_path(const char *name)
{
	struct stat status;

	if (strchr(name, '/'))
		return scratch_copy(name, strlen(name));
	const char *path = get_variable("PATH");
	for (const char *at = path ? path : "/usr/bin:/bin", *end;; at = end + 1) {
		struct text full = { 0 };
		end = strchrnul(at, ':');
		text_add(&full, at, end - at);
		if (end > at)
			text_char(&full, '/');
		text_add(&full, name, strlen(name));
		char *candidate = text_end(&full);
		if (*name && !stat(candidate, &status) && S_ISREG(status.st_mode) && !access(candidate, X_OK))
			return candidate;
		if (!*end)
			return 0;
	}
}

static _Noreturn void exec_command(int argc, char **argv)
{
	char *path = find_in_path(argv[0]);

	if (!path) {
		fprintf(stderr, "%s: %s: not found\n", shell.name, argv[0]);
		exit(127);
	}
	execve(path, argv, environment_for_exec());
	if (errno == ENOEXEC) { /* a script without #! */
		shell.name = path;
		shell.arguments = argv + 1;
		shell.argument_count = argc - 1;
		shell_exit(run_file(path));
	}
	int error = errno;
	struct stat status;
	if (error == EACCES && !stat(path, &status) && S_ISDIR(status.st_mode))
		error = EISDIR;
	fprintf(stderr, "%s: %s: %s\n", shell.name, argv[0], strerror(error));
	exit(error == ENOENT ? 127 : 126);
}

static void assign(const char *raw, int exported)
{
	size_t length = name_length(raw);
	char *name = scratch_copy(raw, length);

	set_variable(name, expand_single(raw + length + 1));
	if (exported)
		export_variable(name);
}

static void assign_all(const struct words *assignments, int exported)
{
	for (int i = 0; i < assignments->count; i++)
		assign(assignments->items[i], exported);
}

static void trace(const struct words *words, const struct words *assignments)
{
	struct text line = { 0 };

	text_char(&line, '+');
	for (int i = 0; i < assignments->count; i++) {
		text_char(&line, ' ');
		text_add(&line, assignments->items[i], strlen(assignments->items[i]));
	}
	for (int i = 0; i < words->count; i++) {
		text_char(&line, ' ');
		text_add(&line, words->items[i], strlen(words->items[i]));
	}
	text_char(&line, '\n');
	fputs(text_end(&line), stderr);
}

static int run_in_shell(const struct builtin *builtin, struct node *function, struct node *node, struct words *words)
{
	int mark = redirect_mark(), is_exec = builtin && !strcmp(builtin->name, "exec");
	int keeps = builtin && builtin->special, status = 1;

	if (apply_redirects(node->redirects) == 0) {
		if (keeps)
			assign_all(&node->assignments, 0);
		else if (node->assignments.count) {
			enter_scope();
			for (int i = 0; i < node->assignments.count; i++) {
				char *raw = node->assignments.items[i], *value = expand_single(raw + name_length(raw) + 1);
				char *name = scratch_copy(raw, name_length(raw));
				make_local(name);
				set_variable(name, value);
				export_variable(name);
			}
		}
		status = function ? run_function(function, words->count, words->items) : builtin->function(words->count, words->items);
		if (fflush(stdout)) {
			if (!status && !function) {
				fprintf(stderr, "%s: write error: %s\n", words->items[0], strerror(errno));
				status = 1;
			}
			clearerr(stdout); /* what comes next may go elsewhere */
		}
		if (!keeps && node->assignments.count)
			leave_scope();
	} else if (builtin && builtin->special && !shell.interactive)
		shell_exit(1);
	if (is_exec && status == 0)
		keep_redirects(mark);
	restore_redirects(mark);
	return status;
}

/* What looks like an assignment after export, readonly or local expands as one: it is not split. */
static struct words expand_command(const struct words *raw)
{
	static const char *const declaring[] = { "export", "readonly", "local" };
	struct words shielded = { scratch_alloc((raw->count + 1) * sizeof(char *)), raw->count };
	int declares = 0;

	for (size_t i = 0; raw->count && i < sizeof declaring / sizeof *declaring; i++)
		declares |= !strcmp(raw->items[0], declaring[i]);
	if (!declares)
		return expand_words(raw);
	for (int i = 0; i < raw->count; i++) {
		if (!is_assignment(raw->items[i])) {
			shielded.items[i] = raw->items[i];
			continue;
		}
		struct text word = { 0 };
		size_t name = name_length(raw->items[i]) + 1;
		text_add(&word, raw->items[i], name);
		text_char(&word, '\'');
		for (const char *c = expand_single(raw->items[i] + name); *c; c++)
			text_add(&word, *c == '\'' ? "'\\''" : c, *c == '\'' ? 4 : 1);
		text_char(&word, '\'');
		shielded.items[i] = text_end(&word);
	}
	return expand_words(&shielded);
}

static int run_simple(struct node *node, const char *source, int last)
{
	shell.substitution_status = 0;
	struct words words = expand_command(&node->words);

	if (shell.trace)
		trace(&words, &node->assignments);
	if (!words.count) {
		int mark = redirect_mark(), failed = apply_redirects(node->redirects);
		restore_redirects(mark);
		if (failed)
			return 1;
		assign_all(&node->assignments, 0);
		return shell.substitution_status;
	}
	struct node *function = find_function(words.items[0]);
	const struct builtin *builtin = function ? 0 : find_builtin(words.items[0]);
	if (function || builtin)
		return run_in_shell(builtin, function, node, &words);

	struct job *job = 0;
	if (!last) {
		job = job_new(source, 0);
		if (fork_into(job))
			return job_wait(job);
	}
	fflush(0);
	if (apply_redirects(node->redirects) < 0)
		exit(1);
	assign_all(&node->assignments, 1);
	exec_command(words.count, words.items);
}

char *command_output(const char *text)
{
	int fds[2], status;
	struct text output = { 0 };

	fflush(0);
	if (pipe2(fds, O_CLOEXEC) < 0)
		shell_error("cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		shell_error("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		become_subshell();
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		shell_exit(run_text(text));
	}
	close(fds[1]);
	char piece[1024];
	for (ssize_t size; (size = read(fds[0], piece, sizeof piece)) > 0 || (size < 0 && errno == EINTR);)
		if (size > 0)
			for (ssize_t i = 0; i < size; i++)
				if (piece[i])
					text_char(&output, piece[i]);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	shell.status = shell.substitution_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	while (output.length && output.data[output.length - 1] == '\n')
		output.length--;
	return text_end(&output);
}

/* ---- Compound commands ---- */

static int stopping(void)
{
	if (shell.interrupted && shell.interactive)
		longjmp(shell.top, 1);
	return shell.breaking || shell.continuing || shell.returning;
}

/* After a round of a loop: whether it ends. */
static int loop_ends(void)
{
	if (shell.breaking) {
		shell.breaking--;
		return 1;
	}
	if (shell.continuing && --shell.continuing)
		return 1; /* it is for a loop further out */
	return stopping();
}

static int run_condition(struct node *node)
{
	shell.condition_depth++;
	int status = run(node);
	shell.condition_depth--;
	return status;
}

static int run_while(struct node *node)
{
	int status = 0;

	shell.loop_depth++;
	for (;;) {
		int condition = run_condition(node->left);
		if (stopping()) {
			if (loop_ends())
				break;
			continue;
		}
		if ((condition == 0) != (node->type == WHILE))
			break;
		status = run(node->right);
		if (loop_ends())
			break;
	}
	shell.loop_depth--;
	return status;
}

static int run_for(struct node *node)
{
	int status = 0;
	size_t mark = scratch_mark();
	struct words words = node->has_in ? expand_words(&node->words) : (struct words){ 0 };

	if (!node->has_in) { /* $@, as it is now */
		words.count = shell.argument_count;
		words.items = scratch_alloc((words.count + 1) * sizeof *words.items);
		memcpy(words.items, shell.arguments, words.count * sizeof *words.items);
	}
	shell.loop_depth++;
	for (int i = 0; i < words.count; i++) {
		set_variable(node->name, words.items[i]);
		status = run(node->right);
		if (loop_ends())
			break;
	}
	shell.loop_depth--;
	scratch_release(mark);
	return status;
}

static int run_case(struct node *node, int last)
{
	char *word = expand_single(node->name);

	for (struct case_item *item = node->items; item; item = item->next)
		for (int i = 0; i < item->patterns.count; i++)
			if (!fnmatch(expand_pattern(item->patterns.items[i]), word, 0))
				return item->body ? run_node(item->body, last) : 0;
	return 0;
}

static int run_subshell(struct node *node, const char *source, int last)
{
	if (!last) {
		struct job *job = job_new(source, 0);
		if (fork_into(job))
			return job_wait(job);
	}
	if (apply_redirects(node->redirects) < 0)
		exit(1);
	shell_exit(run_last(node->left));
}

static int run_compound(struct node *node, int last)
{
	switch (node->type) {
	case GROUP:
		return run_node(node->left, last);
	case IF:
		if (run_condition(node->left) == 0)
			return stopping() ? shell.status : run_node(node->right, last);
		return node->other && !stopping() ? run_node(node->other, last) : 0;
	case WHILE:
	case UNTIL:
		return run_while(node);
	case FOR:
		return run_for(node);
	case CASE:
		return run_case(node, last);
	default:
		define_function(node->name, node->right);
		return 0;
	}
}

static int run_command(struct node *node, const char *source, int last)
{
	size_t scratch = scratch_mark();
	int status;

	if (node->type == SIMPLE)
		status = run_simple(node, source, last);
	else if (node->type == SUBSHELL)
		status = run_subshell(node, source, last);
	else if (node->redirects) {
		int mark = redirect_mark();
		status = apply_redirects(node->redirects) < 0 ? 1 : run_compound(node, 0);
		restore_redirects(mark);
	} else
		status = run_compound(node, last);
	scratch_release(scratch);
	return status;
}

static int run_pipeline(struct node *node, int last)
{
	if (!node->left->next)
		return run_command(node->left, node->source, last && !node->negated);
	struct job *job = job_new(node->source, 0);
	int input = -1;
	for (struct node *command = node->left; command; command = command->next) {
		int fds[2] = { -1, -1 };
		if (command->next && pipe2(fds, O_CLOEXEC) < 0)
			shell_error("cannot make a pipe: %s", strerror(errno));
		if (fork_into(job) == 0) {
			if (input >= 0)
				dup2(input, 0);
			if (fds[1] >= 0)
				dup2(fds[1], 1);
			shell_exit(run_command(command, node->source, 1));
		}
		if (input >= 0)
			close(input);
		if (fds[1] >= 0)
			close(fds[1]);
		input = fds[0];
	}
	return job_wait(job);
}

static int run_background(struct node *node)
{
	struct job *job = job_new(node->source, 1);
	pid_t pid = fork_into(job);

	if (pid == 0)
		shell_exit(run_last(node->left));
	shell.last_background = pid;
	announce_background(job);
	return 0;
}

static int run_node(struct node *node, int last)
{
	int status = 0;

	if (!node || shell.no_exec)
		return 0;
	switch (node->type) {
	case SEQUENCE:
		for (; node; node = node->right) {
			status = run_node(node->left, last && !node->right);
			run_pending_traps();
			if (stopping())
				break;
		}
		return status;
	case AND:
	case OR:
		status = run_condition(node->left);
		if (!stopping() && (status == 0) == (node->type == AND))
			status = run_node(node->right, last);
		return status;
	case BACKGROUND:
		status = run_background(node);
		break;
	case PIPELINE:
		if (node->negated)
			shell.condition_depth++;
		status = run_pipeline(node, last);
		if (node->negated) {
			shell.condition_depth--;
			status = !status;
			shell.status = status;
			return status;
		}
		break;
	default:
		status = run_command(node, 0, last);
	}
	shell.status = status;
	if (status && shell.exit_on_error && !shell.condition_depth && !stopping())
		shell_exit(status);
	return status;
}

int run(struct node *node)
{
	return run_node(node, 0);
}

extern int has_exit_trap(void);

int run_last(struct node *node)
{
	return run_node(node, !has_exit_trap());
}

/* ---- Texts ---- */

int run_text(const char *text)
{
	struct parser parser;
	int status = 0;

	parser_open(&parser, text);
	for (;;) {
		size_t mark = scratch_mark();
		struct node *node = parse_command_line(&parser);
		if (parser.error) {
			shell.status = 2;
			fprintf(stderr, "%s: %s\n", shell.name, *parser.error ? parser.error : "syntax error: unexpected end of file");
			if (!shell.interactive)
				shell_exit(2);
			status = 2;
			break;
		}
		if (!node)
			break;
		status = run(node);
		scratch_release(mark);
		if (stopping())
			break;
	}
	parser_close(&parser);
	return status;
}

int run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", shell.name, path, strerror(errno));
		return 127;
	}
	size_t length = 0, capacity = 4096;
	char *text = malloc(capacity + 1);
	for (ssize_t size; (size = read(fd, text + length, capacity - length)) > 0;) {
		length += size;
		if (length == capacity)
			text = realloc(text, (capacity *= 2) + 1);
	}
	close(fd);
	text[length] = 0;
	int status = run_text(text);
	free(text);
	return status;
}
