/*
 * sh: a POSIX shell.
 *   sh [-eux] [-c COMMANDS [NAME [ARGUMENT…]] | FILE [ARGUMENT…]]
 * With neither and a terminal it is interactive: it edits lines, keeps a history and controls jobs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "shell.h"

extern int set_option(const char *word, const char *name);
extern void set_arguments(int count, char **arguments);

/* PS1 and PS2 know \w (the folder, ~ for home), \W (its last part), \h, \u, \$, \n, \e, \[ and \]. */
static char *prompt_text(const char *variable, const char *otherwise)
{
	const char *format = get_variable(variable), *home = get_variable("HOME");
	struct text text = { 0 };
	char value[4096];

	for (format = format ? format : otherwise; *format; format++) {
		if (*format != '\\' || !format[1]) {
			text_char(&text, *format);
			continue;
		}
		value[0] = 0;
		switch (*++format) {
		case 'w':
		case 'W':
			if (!getcwd(value, sizeof value))
				strcpy(value, "?");
			size_t length = home ? strlen(home) : 0;
			if (length > 1 && !strncmp(value, home, length) && (!value[length] || value[length] == '/')) {
				memmove(value + 1, value + length, strlen(value + length) + 1);
				value[0] = '~';
			}
			if (*format == 'W' && strrchr(value, '/') && value[1])
				memmove(value, strrchr(value, '/') + 1, strlen(strrchr(value, '/')));
			break;
		case 'h': gethostname(value, sizeof value); break;
		case 'u': strlcpy(value, get_variable("USER") ? get_variable("USER") : "root", sizeof value); break;
		case '$': strcpy(value, geteuid() ? "$" : "#"); break;
		case 'n': strcpy(value, "\n"); break;
		case 'e': strcpy(value, "\033"); break;
		case '[':
		case ']': break;
		default: value[0] = *format; value[1] = 0;
		}
		text_add(&text, value, strlen(value));
	}
	return text_end(&text);
}

/* A line from standard input, byte by byte: what follows it belongs to the commands. */
static char *read_line(void)
{
	size_t length = 0, capacity = 128;
	char *line = malloc(capacity), c;
	ssize_t size;

	while ((size = read(0, &c, 1)) == 1 || (size < 0 && errno == EINTR)) {
		if (size < 0)
			continue;
		if (c == '\n')
			break;
		if (length + 2 > capacity)
			line = realloc(line, capacity *= 2);
		if (c)
			line[length++] = c;
	}
	if (size != 1 && !length) {
		free(line);
		return 0;
	}
	line[length] = 0;
	return line;
}

static char *next_line(int continued)
{
	if (!shell.interactive)
		return read_line();
	size_t mark = scratch_mark();
	char *line = edit_line(continued ? prompt_text("PS2", "> ") : prompt_text("PS1", "\\w \\$ "));
	scratch_release(mark);
	return line;
}

/* Reads lines until they make whole commands, and runs them. */
static void read_and_run(void)
{
	char *text = 0;

	if (setjmp(shell.top)) {
		restore_redirects(0);
		while (shell.function_depth) {
			shell.function_depth--;
			leave_scope();
		}
		if (shell.interrupted) {
			shell.status = 130;
			if (shell.interrupted == 1)
				write(2, "\n", 1);
		}
		shell.loop_depth = shell.condition_depth = 0;
		shell.breaking = shell.continuing = shell.returning = 0;
		scratch_release(0);
	}
	text = 0;
	for (;;) {
		shell.interrupted = 0;
		run_pending_traps();
		if (!text)
			notify_jobs();
		char *line = next_line(text != 0);
		if (shell.interrupted) {
			shell.status = 130;
			free(text);
			free(line);
			text = 0;
			continue;
		}
		if (!line && !text)
			return;
		size_t length = text ? strlen(text) : 0;
		text = realloc(text, length + (line ? strlen(line) : 0) + 2);
		strcpy(text + length, line ? line : "");
		strcat(text, "\n");

		struct parser parser;
		parser_open(&parser, text);
		struct node *node = parse_command_line(&parser);
		if (parser.error && !*parser.error && line) { /* it only ends too early: ask for more */
			parser_close(&parser);
			free(line);
			continue;
		}
		if (shell.interactive) {
			size_t end = strlen(text) - 1;
			text[end] = 0;
			history_add(text);
			text[end] = '\n';
		}
		free(line);
		while (node) {
			run(node);
			scratch_release(0);
			if (shell.returning)
				shell.returning = 0;
			node = parse_command_line(&parser);
		}
		if (parser.error) {
			fprintf(stderr, "%s: %s\n", shell.name, *parser.error ? parser.error : "syntax error: unexpected end of file");
			shell.status = 2;
			if (!shell.interactive)
				shell_exit(2);
		}
		parser_close(&parser);
		free(text);
		text = 0;
	}
}

int sh_main(int argc, char **argv)
{
	char *commands = 0;
	int i = 1, login = argv[0][0] == '-', from_input = 0, wants_interactive = 0;
	char number[16];

	shell.name = login ? argv[0] + 1 : argv[0];
	shell.pid = getpid();
	variables_from_environment(environ);
	snprintf(number, sizeof number, "%d", getppid());
	set_variable("PPID", number);
	set_variable("OPTIND", "1");
	char folder[4096];
	if (getcwd(folder, sizeof folder))
		set_variable("PWD", folder);
	for (; i < argc && (*argv[i] == '-' || *argv[i] == '+') && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		char word[32] = { argv[i][0] };
		int named = 0;
		for (const char *letter = argv[i] + 1; *letter && strlen(word) < sizeof word - 1; letter++)
			if (*letter == 'c')
				commands = "";
			else if (*letter == 's')
				from_input = 1;
			else if (*letter == 'i')
				wants_interactive = 1;
			else if (*letter == 'l')
				login = 1;
			else {
				word[strlen(word)] = *letter;
				named |= *letter == 'o';
			}
		if (word[1] && set_option(word, named && i + 1 < argc ? argv[i + 1] : 0))
			return 2;
		i += named;
	}
	if (commands) {
		if (i >= argc) {
			fprintf(stderr, "sh: -c needs commands\n");
			return 2;
		}
		commands = argv[i++];
		if (i < argc)
			shell.name = argv[i++];
	}
	char *script = !commands && !from_input && i < argc ? argv[i++] : 0;
	if (script)
		shell.name = script;
	set_arguments(argc - i, argv + i);

	if (login && !access("/etc/profile", R_OK))
		run_file("/etc/profile");
	if (commands)
		shell_exit(run_text(commands));
	if (script)
		shell_exit(run_file(script));
	shell.interactive = wants_interactive || (isatty(0) && isatty(2));
	if (shell.interactive)
		job_control_on();
	read_and_run();
	shell_exit(shell.status);
}
