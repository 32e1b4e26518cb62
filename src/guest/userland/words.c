/* Small commands about words: echo printf test expr true false basename dirname env printenv which pwd xargs. */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int true_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 0;
}

int false_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 1;
}

int pwd_main(int argc, char **argv)
{
	char path[4096];

	(void)argc, (void)argv;
	if (!getcwd(path, sizeof path))
		return warn_file("pwd");
	puts(path);
	return 0;
}

/* Prints one escape of echo -e or printf and returns what follows it; *stop is set by \c. */
static const char *put_escape(const char *s, int *stop)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	const char *at = *s ? strchr(names, *s) : 0;

	if (at) {
		putchar(values[at - names]);
		return s + 1;
	}
	if (*s == 'e') {
		putchar('\033');
		return s + 1;
	}
	if (*s == 'c') {
		*stop = 1;
		return s + 1;
	}
	if (*s >= '0' && *s <= '7') {
		int value = 0;
		for (int digits = 0; digits < 3 + (*s == '0' && digits == 0) && *s >= '0' && *s <= '7'; digits++)
			value = value * 8 + *s++ - '0';
		putchar(value);
		return s;
	}
	if (*s == 'x' && isxdigit((unsigned char)s[1])) {
		char digits[3] = { s[1], isxdigit((unsigned char)s[2]) ? s[2] : 0, 0 };
		putchar((int)strtol(digits, 0, 16));
		return s + 1 + strlen(digits);
	}
	putchar('\\');
	return s;
}

static int put_escaped(const char *s)
{
	int stop = 0;

	while (*s && !stop)
		if (*s == '\\' && s[1])
			s = put_escape(s + 1, &stop);
		else
			putchar(*s++);
	return stop;
}

int echo_main(int argc, char **argv)
{
	int first = 1, newline = 1, escapes = 0;

	for (; first < argc && argv[first][0] == '-' && argv[first][1] && !argv[first][1 + strspn(argv[first] + 1, "neE")]; first++)
		for (const char *letter = argv[first] + 1; *letter; letter++)
			if (*letter == 'n')
				newline = 0;
			else
				escapes = *letter == 'e';
	for (int i = first; i < argc; i++) {
		if (i > first)
			putchar(' ');
		if (!escapes)
			fputs(argv[i], stdout);
		else if (put_escaped(argv[i]))
			return 0;
	}
	if (newline)
		putchar('\n');
	return 0;
}

/* ---- printf ---- */

static long number_argument(const char *text, int *failed)
{
	char *end;

	if (*text == '\'' || *text == '"')
		return (unsigned char)text[1];
	long value = strtol(text, &end, 0);
	if (*end || end == text) {
		if (*text) {
			fprintf(stderr, "printf: %s: not a number\n", text);
			*failed = 1;
		}
	}
	return value;
}

int printf_main(int argc, char **argv)
{
	int next = 2, failed = 0, stop = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: printf FORMAT [ARGUMENT...]\n");
		return 2;
	}
	do {
		int before = next;
		for (const char *format = argv[1]; *format && !stop;) {
			if (*format == '\\' && format[1]) {
				format = put_escape(format + 1, &stop);
				continue;
			}
			if (*format != '%') {
				putchar(*format++);
				continue;
			}
			if (format[1] == '%') {
				putchar('%');
				format += 2;
				continue;
			}
			char spec[48] = "%";
			size_t length = 1;
			for (format++; *format && strchr("-+ #0123456789.*", *format) && length < 40; format++)
				if (*format == '*')
					length += snprintf(spec + length, 12, "%ld", next < argc ? number_argument(argv[next++], &failed) : 0);
				else
					spec[length++] = *format;
			char conversion = *format ? *format++ : 0;
			const char *argument = next < argc ? argv[next] : "";
			switch (conversion) {
			case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
				spec[length++] = 'l';
				spec[length] = conversion;
				printf(spec, number_argument(argument, &failed));
				break;
			case 'e': case 'E': case 'f': case 'F': case 'g': case 'G':
				spec[length] = conversion;
				printf(spec, strtod(argument, 0));
				break;
			case 'c':
				spec[length] = 'c';
				if (*argument)
					printf(spec, *argument);
				break;
			case 's':
				spec[length] = 's';
				printf(spec, argument);
				break;
			case 'b':
				stop = put_escaped(argument);
				break;
			default:
				fprintf(stderr, "printf: %%%c: unknown conversion\n", conversion);
				return 1;
			}
			next++;
		}
		if (next == before)
			break;
	} while (next < argc && !stop);
	return failed;
}

/* ---- test ---- */

static char **words;
static int left;
static int test_failed;

static int or_expression(void);

static int test_file(char letter, const char *path)
{
	struct stat status;

	switch (letter) {
	case 'r': return !access(path, R_OK);
	case 'w': return !access(path, W_OK);
	case 'x': return !access(path, X_OK);
	case 't': return isatty(atoi(path));
	case 'h':
	case 'L': return !lstat(path, &status) && S_ISLNK(status.st_mode);
	}
	if (stat(path, &status))
		return 0;
	switch (letter) {
	case 'e': return 1;
	case 'f': return S_ISREG(status.st_mode);
	case 'd': return S_ISDIR(status.st_mode);
	case 'c': return S_ISCHR(status.st_mode);
	case 'b': return S_ISBLK(status.st_mode);
	case 'p': return S_ISFIFO(status.st_mode);
	case 'S': return S_ISSOCK(status.st_mode);
	case 's': return status.st_size > 0;
	case 'u': return !!(status.st_mode & S_ISUID);
	case 'g': return !!(status.st_mode & S_ISGID);
	default: return !!(status.st_mode & S_ISVTX);
	}
}

static long test_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	while (isspace((unsigned char)*end))
		end++;
	if (*end || end == text) {
		fprintf(stderr, "test: %s: not a number\n", text);
		test_failed = 1;
	}
	return value;
}

static long modified(const char *path)
{
	struct stat status;
	return stat(path, &status) ? -1 : status.st_mtime;
}

static int test_binary(const char *a, const char *operator, const char *b, int *known)
{
	*known = 1;
	if (!strcmp(operator, "=") || !strcmp(operator, "==")) return !strcmp(a, b);
	if (!strcmp(operator, "!=")) return strcmp(a, b) != 0;
	if (!strcmp(operator, "<")) return strcmp(a, b) < 0;
	if (!strcmp(operator, ">")) return strcmp(a, b) > 0;
	if (!strcmp(operator, "-eq")) return test_number(a) == test_number(b);
	if (!strcmp(operator, "-ne")) return test_number(a) != test_number(b);
	if (!strcmp(operator, "-lt")) return test_number(a) < test_number(b);
	if (!strcmp(operator, "-le")) return test_number(a) <= test_number(b);
	if (!strcmp(operator, "-gt")) return test_number(a) > test_number(b);
	if (!strcmp(operator, "-ge")) return test_number(a) >= test_number(b);
	if (!strcmp(operator, "-nt")) return modified(a) > modified(b);
	if (!strcmp(operator, "-ot")) return modified(a) < modified(b);
	if (!strcmp(operator, "-ef")) {
		struct stat x, y;
		return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
	}
	*known = 0;
	return 0;
}

static int test_primary(void)
{
	int known, result;

	if (left >= 3) {
		result = test_binary(words[0], words[1], words[2], &known);
		if (known) {
			words += 3;
			left -= 3;
			return result;
		}
	}
	if (left >= 2 && !strcmp(words[0], "!")) {
		words++;
		left--;
		return !test_primary();
	}
	if (left >= 3 && !strcmp(words[0], "(")) {
		words++;
		left--;
		result = or_expression();
		if (!left || strcmp(words[0], ")")) {
			fprintf(stderr, "test: missing )\n");
			test_failed = 1;
			return 0;
		}
		words++;
		left--;
		return result;
	}
	if (left >= 2 && words[0][0] == '-' && words[0][1] && !words[0][2] && strchr("rwxthLefdcbpSsugknz", words[0][1])) {
		char letter = words[0][1];
		const char *argument = words[1];
		words += 2;
		left -= 2;
		return letter == 'n' ? *argument != 0 : letter == 'z' ? !*argument : test_file(letter, argument);
	}
	if (!left) {
		fprintf(stderr, "test: an argument is missing\n");
		test_failed = 1;
		return 0;
	}
	left--;
	return **words++ != 0;
}

static int and_expression(void)
{
	int result = test_primary();

	while (left && !strcmp(words[0], "-a")) {
		words++;
		left--;
		int right = test_primary();
		result = result && right;
	}
	return result;
}

static int or_expression(void)
{
	int result = and_expression();

	while (left && !strcmp(words[0], "-o")) {
		words++;
		left--;
		int right = and_expression();
		result = result || right;
	}
	return result;
}

int test_main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	if (!strcmp(slash ? slash + 1 : argv[0], "[") && strcmp(argv[--argc], "]")) {
		fprintf(stderr, "[: missing ]\n");
		return 2;
	}
	words = argv + 1;
	left = argc - 1;
	test_failed = 0;
	if (!left)
		return 1;
	int result = or_expression();
	if (left && !test_failed) {
		fprintf(stderr, "test: %s: unexpected\n", words[0]);
		return 2;
	}
	return test_failed ? 2 : !result;
}

/* ---- expr ---- */

/* STRING : EXPRESSION gives what the first group matched, or how many characters matched, from the start. */
static const char *expr_match(const char *text, const char *pattern)
{
	char *anchored, *result;
	regex_t regex;
	regmatch_t match[2];

	asprintf(&anchored, "^%s", pattern);
	if (regcomp(&regex, anchored, 0)) {
		warn_text("%s: not a regular expression", pattern);
		exit(2);
	}
	int found = !regexec(&regex, text, 2, match, 0);
	if (regex.re_nsub)
		return found && match[1].rm_so >= 0 ? strndup(text + match[1].rm_so, match[1].rm_eo - match[1].rm_so) : "";
	asprintf(&result, "%ld", found ? match[0].rm_eo : 0);
	return result;
}


static const char *expr_level(int level);

static const char *expr_primary(void)
{
	if (!left) {
		warn_text("an operand is missing");
		exit(2);
	}
	left--;
	const char *word = *words++;
	if (!strcmp(word, "(")) {
		word = expr_level(0);
		if (left)
			words++, left--;
	} else if (!strcmp(word, "length") && left) {
		char *text;
		left--;
		asprintf(&text, "%ld", (long)strlen(*words++));
		return text;
	}
	return word;
}

static int is_true(const char *word)
{
	return *word && strcmp(word, "0");
}

static const char *expr_level(int level)
{
	static const char *const operators[][7] = { { "|" }, { "&" }, { "<", "<=", "=", "!=", ">=", ">" }, { "+", "-" }, { "*", "/", "%" }, { ":" } };
	const char *a = level == 6 ? expr_primary() : expr_level(level + 1);

	while (level < 6 && left) {
		int index = 0;
		while (operators[level][index] && strcmp(operators[level][index], *words))
			index++;
		const char *operator = operators[level][index];
		if (!operator)
			break;
		words++;
		left--;
		const char *b = expr_level(level + 1);
		if (level == 0) {
			a = is_true(a) ? a : b;
			continue;
		}
		if (level == 1) {
			a = is_true(a) && is_true(b) ? a : "0";
			continue;
		}
		if (level == 5) {
			a = expr_match(a, b);
			continue;
		}
		char *end_a, *end_b, *text;
		long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10), value;
		int numbers = *a && *b && !*end_a && !*end_b, order = numbers ? (x > y) - (x < y) : strcmp(a, b);
		if (level > 2 && !numbers) {
			warn_text("not a number");
			exit(2);
		}
		if ((*operator == '/' || *operator == '%') && !y) {
			warn_text("division by zero");
			exit(2);
		}
		switch (*operator) {
		case '<': value = operator[1] ? order <= 0 : order < 0; break;
		case '>': value = operator[1] ? order >= 0 : order > 0; break;
		case '=': value = order == 0; break;
		case '!': value = order != 0; break;
		case '+': value = x + y; break;
		case '-': value = x - y; break;
		case '*': value = x * y; break;
		case '/': value = x / y; break;
		default: value = x % y;
		}
		asprintf(&text, "%ld", value);
		a = text;
	}
	return a;
}

int expr_main(int argc, char **argv)
{
	words = argv + 1;
	left = argc - 1;
	const char *result = expr_level(0);
	if (left)
		return warn_text("%s: unexpected", *words) + 1;
	puts(result);
	return !is_true(result);
}

/* ---- Paths ---- */

int basename_main(int argc, char **argv)
{
	if (argc < 2)
		return usage("PATH [SUFFIX]");
	char *path = argv[1];
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		path[--length] = 0;
	char *slash = strrchr(path, '/');
	if (slash && slash[1])
		path = slash + 1;
	length = strlen(path);
	size_t suffix = argc > 2 ? strlen(argv[2]) : 0;
	if (suffix && suffix < length && !strcmp(path + length - suffix, argv[2]))
		path[length - suffix] = 0;
	puts(path);
	return 0;
}

int dirname_main(int argc, char **argv)
{
	if (argc < 2)
		return usage("PATH");
	char *path = argv[1];
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	while (length > 1 && path[length - 1] == '/')
		length--;
	printf("%.*s\n", length ? (int)length : 1, length ? path : ".");
	return 0;
}

int which_main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		const char *path = getenv("PATH");
		int found = strchr(argv[i], '/') && !access(argv[i], X_OK);
		if (found)
			puts(argv[i]);
		for (const char *at = path ? path : "/usr/bin:/bin", *end; !found && *at; at = end + (*end != 0)) {
			char full[4096];
			end = strchrnul(at, ':');
			snprintf(full, sizeof full, "%.*s/%s", (int)(end - at), at, argv[i]);
			if (!access(full, X_OK)) {
				puts(full);
				found = 1;
			}
		}
		failed |= !found;
	}
	return failed;
}

/* ---- The environment ---- */

static int run_words(char **argv)
{
	execvp(argv[0], argv);
	int error = errno;
	warn_file(argv[0]);
	return error == ENOENT ? 127 : 126;
}

int env_main(int argc, char **argv)
{
	int i = 1;

	if (i < argc && (!strcmp(argv[i], "-i") || !strcmp(argv[i], "-"))) {
		static char *nothing[1];
		environ = nothing;
		i++;
	}
	for (; i + 1 < argc && !strcmp(argv[i], "-u"); i += 2)
		unsetenv(argv[i + 1]);
	for (char *equals; i < argc && (equals = strchr(argv[i], '=')); i++) {
		*equals = 0;
		setenv(argv[i], equals + 1, 1);
	}
	if (i < argc)
		return run_words(argv + i);
	for (char **entry = environ; *entry; entry++)
		puts(*entry);
	return 0;
}

int printenv_main(int argc, char **argv)
{
	int failed = 0;

	for (char **entry = environ; argc < 2 && *entry; entry++)
		puts(*entry);
	for (int i = 1; i < argc; i++) {
		const char *value = getenv(argv[i]);
		if (value)
			puts(value);
		failed |= !value;
	}
	return failed;
}

/* ---- xargs ---- */

static int xargs_status, xargs_trace;

static void xargs_run(char **command)
{
	int status;

	if (xargs_trace) {
		for (char **word = command; *word; word++)
			fprintf(stderr, "%s%s", *word, word[1] ? " " : "\n");
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_words(command));
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		xargs_status = warn_file("fork");
		return;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		xargs_status = WIFEXITED(status) && WEXITSTATUS(status) >= 126 ? WEXITSTATUS(status) : 123;
}

/* One word of the input: blanks separate, quotes and backslashes protect; with -0 or -I a whole record. */
static char *xargs_word(int delimiter)
{
	static char word[4096];
	size_t length = 0;
	int c, quote = 0, any = 0;

	if (delimiter >= 0) {
		while ((c = getchar()) != EOF && c != delimiter) {
			any = 1;
			if (length < sizeof word - 1)
				word[length++] = c;
		}
		word[length] = 0;
		return any || c != EOF ? word : 0;
	}
	while ((c = getchar()) != EOF) {
		if (!quote && isspace(c)) {
			if (any)
				break;
			continue;
		}
		any = 1;
		if (!quote && (c == '"' || c == '\''))
			quote = c;
		else if (quote == c)
			quote = 0;
		else {
			if (!quote && c == '\\' && (c = getchar()) == EOF)
				break;
			if (length < sizeof word - 1)
				word[length++] = c;
		}
	}
	word[length] = 0;
	return any ? word : 0;
}

#define XARGS_WORDS 500

int xargs_main(int argc, char **argv)
{
	int option, most = XARGS_WORDS, delimiter = -1, skip_empty = 0;
	const char *replace = 0;
	static char *standard[] = { "echo" };

	while ((option = getopt(argc, argv, "n:I:0rt")) != -1)
		switch (option) {
		case 'n': most = atoi(optarg); break;
		case 'I': replace = optarg; break;
		case '0': delimiter = 0; break;
		case 'r': skip_empty = 1; break;
		case 't': xargs_trace = 1; break;
		default: return usage("[-0rt] [-n COUNT] [-I WORD] [COMMAND...]");
		}
	int base = optind < argc ? argc - optind : 1, count = 0, ran = 0;
	char **given = optind < argc ? argv + optind : standard, *word;
	if (most < 1 || most > XARGS_WORDS)
		most = XARGS_WORDS;
	char **command = calloc(base + most + 1, sizeof *command);
	if (replace) {
		while ((word = xargs_word(delimiter < 0 ? '\n' : delimiter))) {
			for (int i = 0; i < base; i++) {
				char *at = strstr(given[i], replace);
				if (at)
					asprintf(&command[i], "%.*s%s%s", (int)(at - given[i]), given[i], word, at + strlen(replace));
				else
					command[i] = given[i];
			}
			command[base] = 0;
			xargs_run(command);
		}
		return xargs_status;
	}
	memcpy(command, given, base * sizeof *command);
	while ((word = xargs_word(delimiter))) {
		command[base + count++] = strdup(word);
		if (count < most)
			continue;
		xargs_run(command);
		ran = 1;
		while (count) {
			free(command[base + --count]);
			command[base + count] = 0;
		}
	}
	if (count || (!ran && !skip_empty))
		xargs_run(command);
	return xargs_status;
}
