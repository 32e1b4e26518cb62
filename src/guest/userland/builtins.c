/* The commands that the shell runs in its own process, because they change it or because a fork would be wasted. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <unistd.h>
#include "shell.h"

extern builtin_function echo_main, printf_main, test_main, true_main, false_main;

/* ---- Traps: [0] runs at exit ---- */

static char *traps[NSIG];
static volatile char pending[NSIG];
static volatile int any_pending;

static void on_signal(int signal)
{
	pending[signal] = 1;
	any_pending = 1;
}

void run_pending_traps(void)
{
	while (any_pending) {
		any_pending = 0;
		for (int i = 1; i < NSIG; i++)
			if (pending[i]) {
				pending[i] = 0;
				int status = shell.status;
				if (traps[i])
					run_text(traps[i]);
				shell.status = status;
			}
	}
}

int has_exit_trap(void)
{
	return traps[0] != 0;
}

void run_exit_trap(void)
{
	char *action = traps[0];

	traps[0] = 0;
	if (action) {
		int status = shell.status;
		run_text(action);
		shell.status = status;
	}
}

/* What a trap catches goes back to its default in a subshell; what it ignores stays ignored. */
void reset_traps(void)
{
	for (int i = 0; i < NSIG; i++)
		if (traps[i] && *traps[i]) {
			traps[i] = 0;
			if (i)
				signal(i, SIG_DFL);
		}
}

static int trap_builtin(int argc, char **argv)
{
	int first = argc > 1 && !strcmp(argv[1], "--") ? 2 : 1, status = 0;

	if (argc <= first) {
		for (int i = 0; i < NSIG; i++)
			if (traps[i])
				printf("trap -- '%s' %s\n", traps[i], i ? signal_name(i) ? signal_name(i) : "?" : "EXIT");
		return 0;
	}
	int only_signals = isdigit((unsigned char)*argv[first]) || argc == first + 1;
	const char *action = only_signals || !strcmp(argv[first], "-") ? 0 : argv[first];
	for (int i = first + !only_signals; i < argc; i++) {
		int number = !strcmp(argv[i], "EXIT") ? 0 : signal_number(argv[i]);
		if (number < 0) {
			fprintf(stderr, "sh: trap: %s: no such signal\n", argv[i]);
			status = 1;
			continue;
		}
		free(traps[number]);
		traps[number] = action ? strdup(action) : 0;
		if (number) {
			struct sigaction how = { .sa_handler = !action ? SIG_DFL : *action ? on_signal : SIG_IGN };
			sigaction(number, &how, 0);
		}
	}
	return status;
}

/* ---- Where the shell is ---- */

static int pwd_builtin(int argc, char **argv)
{
	char path[4096];

	(void)argc, (void)argv;
	if (!getcwd(path, sizeof path)) {
		perror("sh: pwd");
		return 1;
	}
	puts(path);
	return 0;
}

static int cd_builtin(int argc, char **argv)
{
	char before[4096] = "", after[4096];
	const char *to = argc > 1 ? argv[1] : get_variable("HOME");
	int say = to && !strcmp(to, "-");

	if (say)
		to = get_variable("OLDPWD");
	if (!to) {
		fprintf(stderr, "sh: cd: %s not set\n", say ? "OLDPWD" : "HOME");
		return 1;
	}
	char *kept = strdup(to);
	getcwd(before, sizeof before);
	if (chdir(kept) < 0) {
		fprintf(stderr, "sh: cd: %s: %s\n", kept, strerror(errno));
		free(kept);
		return 1;
	}
	free(kept);
	set_variable("OLDPWD", before);
	if (getcwd(after, sizeof after))
		set_variable("PWD", after);
	if (say)
		puts(after);
	return 0;
}

/* ---- Flow ---- */

static int colon_builtin(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 0;
}

static int count_of(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	if (count > shell.loop_depth)
		count = shell.loop_depth;
	return count;
}

static int break_builtin(int argc, char **argv)
{
	shell.breaking = count_of(argc, argv);
	return 0;
}

static int continue_builtin(int argc, char **argv)
{
	shell.continuing = count_of(argc, argv);
	return 0;
}

static int return_builtin(int argc, char **argv)
{
	shell.returning = 1;
	shell.status = argc > 1 ? atoi(argv[1]) & 255 : shell.status;
	return shell.status;
}

static int exit_builtin(int argc, char **argv)
{
	shell_exit(argc > 1 ? atoi(argv[1]) & 255 : shell.status);
}

static int eval_builtin(int argc, char **argv)
{
	struct text text = { 0 };

	for (int i = 1; i < argc; i++) {
		if (i > 1)
			text_char(&text, ' ');
		text_add(&text, argv[i], strlen(argv[i]));
	}
	return run_text(text_end(&text));
}

static int source_builtin(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "sh: .: a file is needed\n");
		return 2;
	}
	char *path = strchr(argv[1], '/') || !access(argv[1], R_OK) ? argv[1] : find_in_path(argv[1]);
	char **arguments = shell.arguments;
	int count = shell.argument_count;
	if (argc > 2) {
		shell.arguments = argv + 2;
		shell.argument_count = argc - 2;
	}
	shell.function_depth++;
	int status = run_file(path ? path : argv[1]);
	if (shell.returning)
		status = shell.status;
	shell.returning = 0;
	shell.function_depth--;
	shell.arguments = arguments;
	shell.argument_count = count;
	return status;
}

static int exec_builtin(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	char *path = find_in_path(argv[1]);
	fflush(0);
	if (shell.interactive)
		default_signals();
	if (path)
		execve(path, argv + 1, environment_for_exec());
	fprintf(stderr, "sh: %s: %s\n", argv[1], path ? strerror(errno) : "not found");
	if (!shell.interactive)
		shell_exit(path ? 126 : 127);
	job_control_on();
	return 127;
}

/* ---- Variables and options ---- */

static int each_variable(int argc, char **argv, void (*mark)(const char *), const char *what)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		size_t length = name_length(argv[i]);
		if (!length || (argv[i][length] && argv[i][length] != '=')) {
			fprintf(stderr, "sh: %s: %s: not a name\n", what, argv[i]);
			status = 1;
			continue;
		}
		char *name = scratch_copy(argv[i], length);
		if (mark == make_local)
			mark(name);
		if (argv[i][length])
			set_variable(name, argv[i] + length + 1);
		if (mark != make_local)
			mark(name);
	}
	return status;
}

static int export_builtin(int argc, char **argv)
{
	if (argc == 1 || !strcmp(argv[1], "-p")) {
		print_variables(1);
		return 0;
	}
	return each_variable(argc, argv, export_variable, "export");
}

static int readonly_builtin(int argc, char **argv)
{
	return each_variable(argc, argv, make_readonly, "readonly");
}

static int local_builtin(int argc, char **argv)
{
	if (!shell.function_depth) {
		fprintf(stderr, "sh: local: not in a function\n");
		return 1;
	}
	return each_variable(argc, argv, make_local, "local");
}

static int unset_builtin(int argc, char **argv)
{
	int functions = 0;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-f"))
			functions = 1;
		else if (!strcmp(argv[i], "-v"))
			functions = 0;
		else if (functions)
			undefine_function(argv[i]);
		else
			unset_variable(argv[i]);
	return 0;
}

static struct {
	char letter;
	const char *name;
	int *flag;
} options[] = {
	{ 'e', "errexit", &shell.exit_on_error }, { 'x', "xtrace", &shell.trace }, { 'u', "nounset", &shell.no_unset },
	{ 'f', "noglob", &shell.no_glob }, { 'C', "noclobber", &shell.no_clobber }, { 'n', "noexec", &shell.no_exec },
};
#define OPTIONS (sizeof options / sizeof *options)

int set_option(const char *word, const char *name)
{
	int on = *word == '-';

	for (const char *letter = word + 1; *letter; letter++) {
		size_t i = 0;
		while (i < OPTIONS && !(*letter == 'o' ? name && !strcmp(options[i].name, name) : options[i].letter == *letter))
			i++;
		if (i < OPTIONS)
			*options[i].flag = on;
		else if (*letter != 'm' && *letter != 'b') {
			fprintf(stderr, "sh: set: %s: no such option\n", *letter == 'o' && name ? name : word);
			return 2;
		}
	}
	return 0;
}

void set_arguments(int count, char **arguments)
{
	char **kept = malloc((count + 1) * sizeof *kept); /* they live as long as the function or script */

	for (int i = 0; i < count; i++)
		kept[i] = strdup(arguments[i]);
	kept[count] = 0;
	shell.arguments = kept;
	shell.argument_count = count;
}

static int set_builtin(int argc, char **argv)
{
	int i = 1;

	if (argc == 1) {
		print_variables(0);
		return 0;
	}
	if (argc == 2 && (!strcmp(argv[1], "-o") || !strcmp(argv[1], "+o"))) {
		for (size_t o = 0; o < OPTIONS; o++)
			printf("%-12s %s\n", options[o].name, *options[o].flag ? "on" : "off");
		return 0;
	}
	for (; i < argc && (*argv[i] == '-' || *argv[i] == '+') && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			set_arguments(argc - i - 1, argv + i + 1);
			return 0;
		}
		int named = argv[i][strlen(argv[i]) - 1] == 'o';
		if (set_option(argv[i], named ? argv[i + 1] : 0))
			return 2;
		i += named;
	}
	if (i < argc)
		set_arguments(argc - i, argv + i);
	return 0;
}

static int shift_builtin(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;

	if (count < 0 || count > shell.argument_count) {
		fprintf(stderr, "sh: shift: only %d to shift\n", shell.argument_count);
		return 1;
	}
	shell.arguments += count;
	shell.argument_count -= count;
	return 0;
}

/* read: a line into variables, split by IFS; the last one takes the rest.  Byte by byte, so that what follows is left to others. */
static int read_builtin(int argc, char **argv)
{
	int raw = 0, option, escaped = 0, status = 1;
	struct text line = { 0 }, protected = { 0 };

	optind = 0;
	while ((option = getopt(argc, argv, "rp:")) != -1)
		if (option == 'r')
			raw = 1;
		else if (option == 'p')
			fputs(optarg, stderr);
		else
			return 2;
	for (char c;;) {
		ssize_t size = read(0, &c, 1);
		if (size < 0 && errno == EINTR && !shell.interrupted) {
			run_pending_traps();
			continue;
		}
		if (size <= 0)
			break;
		if (!raw && !escaped && c == '\\') {
			escaped = 1;
			continue;
		}
		if (c == '\n' && !escaped) {
			status = 0;
			break;
		}
		if (c && !(c == '\n' && escaped)) {
			text_char(&line, c);
			text_char(&protected, escaped ? 'y' : 'n');
		}
		escaped = 0;
	}
	char *at = text_end(&line), *shield = text_end(&protected), *end = at + line.length;
	const char *ifs = get_variable("IFS");
	if (!ifs)
		ifs = " \t\n";
#define SEPARATES(p) (shield[(p)-line.data] == 'n' && strchr(ifs, *(p)))
#define BLANK(p) (isspace((unsigned char)*(p)) && SEPARATES(p))
	while (at < end && BLANK(at))
		at++;
	for (int i = optind; i < argc || i == optind; i++) {
		const char *name = i < argc ? argv[i] : "REPLY";
		char *stop = at;
		if (i >= argc - 1)
			for (stop = end; stop > at && BLANK(stop - 1);)
				stop--;
		else
			while (stop < end && !SEPARATES(stop))
				stop++;
		char *next = stop;
		while (next < end && BLANK(next))
			next++;
		if (next < end && SEPARATES(next) && i < argc - 1)
			for (next++; next < end && BLANK(next);)
				next++;
		set_variable(name, scratch_copy(at, stop - at));
		at = next;
	}
	return status;
}

/* ---- About commands ---- */

static int describe_command(const char *name, int brief)
{
	static const char *const reserved[] = { "if", "then", "else", "elif", "fi", "for", "in", "while", "until", "do", "done", "case", "esac", "{", "}", "!" };
	char *path;

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (!strcmp(name, reserved[i]))
			return printf(brief ? "%s\n" : "%s is a shell keyword\n", name), 0;
	if (find_function(name))
		return printf(brief ? "%s\n" : "%s is a function\n", name), 0;
	if (find_builtin(name))
		return printf(brief ? "%s\n" : "%s is a shell builtin\n", name), 0;
	if ((path = find_in_path(name)) && !access(path, X_OK))
		return brief ? printf("%s\n", path) : printf("%s is %s\n", name, path), 0;
	if (!brief)
		fprintf(stderr, "%s: not found\n", name);
	return 127;
}

static int type_builtin(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		status |= describe_command(argv[i], 0);
	return status;
}

static int command_builtin(int argc, char **argv)
{
	if (argc > 2 && (!strcmp(argv[1], "-v") || !strcmp(argv[1], "-V")))
		return describe_command(argv[2], argv[1][1] == 'v');
	if (argc < 2)
		return 0;
	const struct builtin *builtin = find_builtin(argv[1]);
	if (builtin)
		return builtin->function(argc - 1, argv + 1);
	struct job *job = job_new(argv[1], 0);
	if (fork_into(job))
		return job_wait(job);
	exec_builtin(argc, argv);
	_exit(127);
}

static int umask_builtin(int argc, char **argv)
{
	if (argc > 1)
		umask(strtol(argv[1], 0, 8));
	else {
		mode_t mask = umask(0);
		umask(mask);
		printf("%04o\n", mask);
	}
	return 0;
}

static int times_builtin(int argc, char **argv)
{
	struct tms t;

	(void)argc, (void)argv;
	times(&t);
	long ticks[] = { t.tms_utime, t.tms_stime, t.tms_cutime, t.tms_cstime };
	for (int i = 0; i < 4; i++)
		printf("%ldm%ld.%02lds%c", ticks[i] / 6000, ticks[i] / 100 % 60, ticks[i] % 100, i % 2 ? '\n' : ' ');
	return 0;
}

static int history_builtin(int argc, char **argv)
{
	(void)argc, (void)argv;
	history_print();
	return 0;
}

static int help_builtin(int argc, char **argv)
{
	const char *name;

	(void)argc, (void)argv;
	puts("Shell builtins:");
	for (int i = 0; (name = builtin_name(i)); i++)
		printf("%-10s%s", name, i % 7 == 6 ? "\n" : "");
	puts("\nEvery other command: popcorn --list.  This machine's kernels: kernels.");
	return 0;
}

static const struct builtin builtins[] = {
	{ ".", source_builtin, 1 }, { ":", colon_builtin, 1 }, { "[", test_main, 0 }, { "bg", bg_builtin, 0 },
	{ "break", break_builtin, 1 }, { "cd", cd_builtin, 0 }, { "command", command_builtin, 0 }, { "continue", continue_builtin, 1 },
	{ "disown", disown_builtin, 0 }, { "echo", echo_main, 0 }, { "eval", eval_builtin, 1 }, { "exec", exec_builtin, 1 },
	{ "exit", exit_builtin, 1 }, { "export", export_builtin, 1 }, { "false", false_main, 0 }, { "fg", fg_builtin, 0 },
	{ "hash", colon_builtin, 0 }, { "help", help_builtin, 0 }, { "history", history_builtin, 0 }, { "jobs", jobs_builtin, 0 },
	{ "kill", kill_builtin, 0 }, { "local", local_builtin, 0 }, { "printf", printf_main, 0 }, { "pwd", pwd_builtin, 0 },
	{ "read", read_builtin, 0 }, { "readonly", readonly_builtin, 1 }, { "return", return_builtin, 1 }, { "set", set_builtin, 1 },
	{ "shift", shift_builtin, 1 }, { "source", source_builtin, 1 }, { "test", test_main, 0 }, { "times", times_builtin, 1 },
	{ "trap", trap_builtin, 1 }, { "true", true_main, 0 }, { "type", type_builtin, 0 }, { "umask", umask_builtin, 0 },
	{ "unset", unset_builtin, 1 }, { "wait", wait_builtin, 0 },
};
#define BUILTINS ((int)(sizeof builtins / sizeof *builtins))

const char *builtin_name(int index)
{
	return index < BUILTINS ? builtins[index].name : 0;
}

const struct builtin *find_builtin(const char *name)
{
	for (int i = 0; i < BUILTINS; i++)
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	return 0;
}
