/*
 * sed: edits lines by a script.  Known: s///[gpiN], y, p, P, d, D, n, N, g, G, h, H, x, q, =, a, i, c, b, t, :label, { };
 * addresses are a number, $, /expression/, first~step, their ranges, +N, and !; options -n -e -E -r -f -i -s.
 */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum address_type { NONE, LINE, LAST, MATCHING, STEP, PLUS };
struct address {
	enum address_type type;
	long number, step;
	regex_t *regex; /* 0: the last one used */
};
struct command {
	struct address from, to;
	int negated, active; /* active: inside its range */
	long range_end;
	char letter;
	regex_t *regex;
	char *text; /* replacement, text of a i c, label */
	int global, print, nth;
	unsigned char map[256];
	int target; /* index to jump to: of } for {, of the label for b and t */
};

#define COMMANDS 200
static struct command commands[COMMANDS];
static int command_count, extended, silent;
static regex_t *last_regex;
static const char *at;

/* A growing buffer for the spaces that sed works on. */
struct space {
	char *data;
	size_t length, capacity;
};
static struct space pattern, hold, result;

static void space_add(struct space *space, const char *s, size_t length)
{
	if (space->length + length + 1 > space->capacity)
		space->data = realloc(space->data, space->capacity = 2 * (space->length + length) + 64);
	memcpy(space->data + space->length, s, length);
	space->length += length;
	space->data[space->length] = 0;
}

static void space_set(struct space *space, const char *s, size_t length)
{
	space->length = 0;
	space_add(space, s, length);
}

static _Noreturn void bad_script(const char *why)
{
	warn_text("script: %s at \"%s\"", why, at);
	exit(1);
}

/* ---- Reading the script ---- */

/* Text up to an unescaped delimiter; \n is a newline, and \delimiter the delimiter itself. */
static char *take_until(char delimiter, int is_expression)
{
	char *text = malloc(strlen(at) + 1), *to = text;
	int in_set = 0;

	for (; *at != delimiter || in_set; at++) {
		if (!*at)
			bad_script("unfinished command");
		if (is_expression && *at == '[' && !in_set)
			in_set = 1;
		else if (*at == ']' && in_set && at[-1] != '[' && !(at[-1] == '^' && at[-2] == '['))
			in_set = 0;
		if (*at == '\\' && at[1] && !in_set) {
			at++;
			if (*at == 'n' && is_expression)
				*to++ = '\n';
			else {
				if (*at != delimiter)
					*to++ = '\\';
				*to++ = *at;
			}
			continue;
		}
		*to++ = *at;
	}
	at++;
	*to = 0;
	return text;
}

static regex_t *compile(const char *text, int flags)
{
	if (!*text)
		return 0;
	regex_t *regex = malloc(sizeof *regex);
	if (regcomp(regex, text, flags | (extended ? REG_EXTENDED : 0)))
		bad_script("not a regular expression");
	return regex;
}

static struct address take_address(void)
{
	struct address address = { 0 };
	char *end;

	if (isdigit((unsigned char)*at)) {
		address.type = LINE;
		address.number = strtol(at, &end, 10);
		at = end;
		if (*at == '~') {
			address.type = STEP;
			address.step = strtol(at + 1, &end, 10);
			at = end;
		}
	} else if (*at == '+') {
		address.type = PLUS;
		address.number = strtol(at + 1, &end, 10);
		at = end;
	} else if (*at == '$') {
		address.type = LAST;
		at++;
	} else if (*at == '/' || *at == '\\') {
		char delimiter = *at == '\\' ? *++at : '/';
		at++;
		address.type = MATCHING;
		char *text = take_until(delimiter, 1);
		int fold = *at == 'I';
		at += fold;
		address.regex = compile(text, fold ? REG_ICASE : 0);
	}
	return address;
}

static char *take_text(void)
{
	while (isblank((unsigned char)*at))
		at++;
	if (*at == '\\') {
		at++;
		while (isblank((unsigned char)*at))
			at++;
		if (*at == '\n')
			at++;
	}
	char *text = malloc(strlen(at) + 2), *to = text;
	for (; *at && *at != '\n'; at++) {
		if (*at == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	strcpy(to, "\n");
	return text;
}

static void parse(const char *script)
{
	at = script;
	for (;;) {
		while (isspace((unsigned char)*at) || *at == ';')
			at++;
		if (!*at)
			return;
		if (*at == '#') {
			at = strchrnul(at, '\n');
			continue;
		}
		if (command_count == COMMANDS)
			bad_script("too many commands");
		struct command *command = &commands[command_count++];
		command->from = take_address();
		if (command->from.type && *at == ',') {
			at++;
			command->to = take_address();
			if (!command->to.type)
				bad_script("an address is missing");
		}
		while (isblank((unsigned char)*at) || *at == '!') {
			command->negated |= *at == '!';
			at++;
		}
		command->letter = *at;
		if (!*at++)
			bad_script("a command is missing");
		switch (command->letter) {
		case 's': {
			char delimiter = *at++;
			char *expression = take_until(delimiter, 1);
			command->text = take_until(delimiter, 0);
			int flags = 0;
			for (;; at++)
				if (*at == 'g') command->global = 1;
				else if (*at == 'p') command->print = 1;
				else if (*at == 'i' || *at == 'I') flags = REG_ICASE;
				else if (isdigit((unsigned char)*at)) command->nth = command->nth * 10 + *at - '0';
				else break;
			command->regex = compile(expression, flags);
			break;
		}
		case 'y': {
			char delimiter = *at++, *from = take_until(delimiter, 0), *to = take_until(delimiter, 0);
			if (strlen(from) != strlen(to))
				bad_script("y needs two sets of the same length");
			for (int c = 0; c < 256; c++)
				command->map[c] = c;
			for (; *from; from++, to++)
				command->map[(unsigned char)*from] = *to;
			break;
		}
		case 'a':
		case 'i':
		case 'c':
			command->text = take_text();
			break;
		case ':':
		case 'b':
		case 't': {
			while (isblank((unsigned char)*at))
				at++;
			size_t length = strcspn(at, ";\n}");
			while (length && isblank((unsigned char)at[length - 1]))
				length--;
			command->text = strndup(at, length);
			at += length;
			break;
		}
		default:
			if (!strchr("pPdDnNgGhHxq={}", command->letter)) {
				at--;
				bad_script("unknown command");
			}
		}
	}
}

static void resolve_targets(void)
{
	int open[COMMANDS], depth = 0;

	for (int i = 0; i < command_count; i++) {
		struct command *command = &commands[i];
		if (command->letter == '{')
			open[depth++] = i;
		if (command->letter == '}') {
			if (!depth)
				bad_script("a } too many");
			commands[open[--depth]].target = i;
		}
		if (command->letter != 'b' && command->letter != 't')
			continue;
		command->target = *command->text ? -1 : command_count;
		for (int j = 0; j < command_count; j++)
			if (commands[j].letter == ':' && !strcmp(commands[j].text, command->text))
				command->target = j;
		if (command->target < 0)
			bad_script("a label is missing");
	}
	if (depth)
		bad_script("a } is missing");
}

/* ---- Input: one line ahead, so that $ is known ---- */

static char **files;
static int file_count, file_index, failed;
static FILE *current;
static char *ahead;
static long ahead_length = -1, line_number;
static size_t ahead_capacity;

static void read_ahead(void)
{
	for (;;) {
		if (!current) {
			if (file_index >= file_count) {
				ahead_length = -1;
				return;
			}
			current = open_input(files[file_index++]);
			if (!current) {
				failed = 1;
				continue;
			}
		}
		ahead_length = getline(&ahead, &ahead_capacity, current);
		if (ahead_length > 0)
			return;
		close_input(current);
		current = 0;
	}
}

static int missing_newline;

static int next_line(int append)
{
	if (ahead_length < 0)
		return 0;
	missing_newline = ahead[ahead_length - 1] != '\n';
	size_t length = ahead_length - !missing_newline;
	if (append) {
		space_add(&pattern, "\n", 1);
		space_add(&pattern, ahead, length);
	} else
		space_set(&pattern, ahead, length);
	line_number++;
	read_ahead();
	return 1;
}

/* ---- Running ---- */

static int matches(regex_t *regex, const char *s, regmatch_t *match, int flags)
{
	if (!regex)
		regex = last_regex;
	if (!regex)
		bad_script("no expression yet");
	last_regex = regex;
	return !regexec(regex, s, 10, match, flags);
}

static int at_address(const struct address *address)
{
	regmatch_t match[10];

	switch (address->type) {
	case LINE: return line_number == address->number;
	case LAST: return ahead_length < 0;
	case MATCHING: return matches(address->regex, pattern.data, match, 0);
	case STEP: return address->step ? line_number >= address->number && (line_number - address->number) % address->step == 0 : line_number == address->number;
	default: return 1;
	}
}

static int selected(struct command *command)
{
	int result;

	if (!command->to.type)
		result = at_address(&command->from);
	else if (command->active) {
		result = 1;
		if (command->to.type == LINE || command->to.type == PLUS) {
			command->active = line_number < command->range_end;
			if (line_number > command->range_end)
				result = at_address(&command->from);
		} else
			command->active = !at_address(&command->to);
	} else if ((result = at_address(&command->from))) {
		command->range_end = command->to.type == PLUS ? line_number + command->to.number : command->to.number;
		command->active = command->to.type == LINE || command->to.type == PLUS ? line_number < command->range_end : command->to.type != LAST || ahead_length >= 0;
	}
	return result != command->negated;
}

static void add_replacement(const char *text, const char *subject, const regmatch_t match[10])
{
	for (; *text; text++) {
		int group = *text == '&' ? 0 : *text == '\\' && isdigit((unsigned char)text[1]) ? text[1] - '0' : -1;
		if (group >= 0) {
			if (match[group].rm_so >= 0)
				space_add(&result, subject + match[group].rm_so, match[group].rm_eo - match[group].rm_so);
			text += *text == '\\';
		} else if (*text == '\\' && text[1]) {
			text++;
			space_add(&result, *text == 'n' ? "\n" : *text == 't' ? "\t" : text, 1);
		} else
			space_add(&result, text, 1);
	}
}

static int substitute(const struct command *command)
{
	regmatch_t match[10];
	const char *rest = pattern.data, *last_end = 0;
	int count = 0, done = 0;

	space_set(&result, "", 0);
	while (matches(command->regex, rest, match, rest > pattern.data ? REG_NOTBOL : 0)) {
		int empty = match[0].rm_so == match[0].rm_eo, touches = empty && rest + match[0].rm_so == last_end;
		space_add(&result, rest, match[0].rm_so);
		count += !touches; /* nothing is matched where a match has just ended */
		int wanted = !touches && (command->nth ? count == command->nth || (command->global && count > command->nth) : 1);
		if (wanted) {
			add_replacement(command->text, rest, match);
			done = 1;
		} else
			space_add(&result, rest + match[0].rm_so, match[0].rm_eo - match[0].rm_so);
		rest = last_end = rest + match[0].rm_eo;
		if (wanted && !command->global)
			break;
		if (empty) {
			if (!*rest)
				break;
			space_add(&result, rest++, 1);
		}
	}
	if (!done)
		return 0;
	space_add(&result, rest, strlen(rest));
	space_set(&pattern, result.data, result.length);
	return 1;
}

static void print_pattern(size_t length)
{
	fwrite(pattern.data, 1, length, stdout);
	if (!(missing_newline && ahead_length < 0))
		putchar('\n');
}

static struct space appended;

static void end_cycle(int print)
{
	if (print && !silent)
		print_pattern(pattern.length);
	fwrite(appended.data, 1, appended.length, stdout);
	appended.length = 0;
}

static void run_script(void)
{
	int restart = 0; /* D: run again without reading */

	space_set(&hold, "", 0);
	space_set(&pattern, "", 0);
	space_set(&appended, "", 0);
	while (restart || next_line(0)) {
		int substituted = 0, deleted = 0;
		restart = 0;
		for (int i = 0; i < command_count && !deleted; i++) {
			struct command *command = &commands[i];
			char *newline;
			if (command->letter == '}' || command->letter == ':')
				continue;
			if (!selected(command)) {
				if (command->letter == '{')
					i = command->target;
				continue;
			}
			switch (command->letter) {
			case 's':
				if (substitute(command)) {
					substituted = 1;
					if (command->print)
						print_pattern(pattern.length);
				}
				break;
			case 'y':
				for (size_t j = 0; j < pattern.length; j++)
					pattern.data[j] = command->map[(unsigned char)pattern.data[j]];
				break;
			case 'p': print_pattern(pattern.length); break;
			case 'P':
				newline = strchr(pattern.data, '\n');
				print_pattern(newline ? (size_t)(newline - pattern.data) : pattern.length);
				break;
			case 'd': deleted = 1; break;
			case 'D':
				newline = strchr(pattern.data, '\n');
				deleted = 1;
				if (newline) {
					size_t rest = pattern.length - (newline + 1 - pattern.data);
					memmove(pattern.data, newline + 1, rest + 1);
					pattern.length = rest;
					restart = 1;
				}
				break;
			case 'n':
				end_cycle(ahead_length >= 0);
				if (!next_line(0)) {
					end_cycle(1);
					return;
				}
				break;
			case 'N':
				if (!next_line(1)) {
					end_cycle(1);
					return;
				}
				break;
			case 'g': space_set(&pattern, hold.data, hold.length); break;
			case 'G':
				space_add(&pattern, "\n", 1);
				space_add(&pattern, hold.data, hold.length);
				break;
			case 'h': space_set(&hold, pattern.data, pattern.length); break;
			case 'H':
				space_add(&hold, "\n", 1);
				space_add(&hold, pattern.data, pattern.length);
				break;
			case 'x': {
				struct space other = pattern;
				pattern = hold;
				hold = other;
				break;
			}
			case 'q':
				end_cycle(1);
				return;
			case '=': printf("%ld\n", line_number); break;
			case 'a': space_add(&appended, command->text, strlen(command->text)); break;
			case 'i': fputs(command->text, stdout); break;
			case 'c':
				if (!command->active || command->negated)
					fputs(command->text, stdout);
				deleted = 1;
				break;
			case 't':
				if (!substituted)
					break;
				substituted = 0; /* fall through */
			case 'b': i = command->target; break;
			}
		}
		end_cycle(!deleted);
	}
}

static void parse_file(const char *path)
{
	struct space text = { 0 };
	char *line = 0;
	size_t capacity = 0;
	FILE *file = open_input(path);

	if (!file)
		exit(1);
	for (long length; (length = getline(&line, &capacity, file)) > 0;)
		space_add(&text, line, length);
	parse(text.data ? text.data : "");
}

/* -i: each file is edited into a new one that takes its place. */
static int edit_in_place(int count, char **paths)
{
	for (int i = 0; i < count; i++) {
		char *temporary;
		asprintf(&temporary, "%s.sed%d", paths[i], getpid());
		fflush(stdout);
		FILE *target = fopen(temporary, "w");
		if (!target)
			return warn_file(temporary);
		int saved = dup(1);
		dup2(fileno(target), 1);
		fclose(target);
		files = &paths[i];
		file_count = 1;
		file_index = 0;
		line_number = 0;
		read_ahead();
		run_script();
		fflush(stdout);
		dup2(saved, 1);
		close(saved);
		if (failed)
			unlink(temporary);
		else if (rename(temporary, paths[i]) < 0)
			return warn_file(paths[i]);
		free(temporary);
	}
	return failed;
}

int sed_main(int argc, char **argv)
{
	int option, have_script = 0, in_place = 0;
	struct space script = { 0 };

	while ((option = getopt(argc, argv, "nEre:f:is")) != -1)
		switch (option) {
		case 'n': silent = 1; break;
		case 'E':
		case 'r': extended = 1; break;
		case 'i': in_place = 1; break;
		case 's': break;
		case 'e':
			space_add(&script, optarg, strlen(optarg));
			space_add(&script, "\n", 1);
			have_script = 1;
			break;
		case 'f':
			parse_file(optarg);
			have_script = 1;
			break;
		default: return usage("[-nEi] [-e SCRIPT | -f FILE | SCRIPT] [FILE...]");
		}
	if (!have_script && optind < argc)
		space_add(&script, argv[optind], strlen(argv[optind])), optind++;
	else if (!have_script)
		return usage("[-nEi] [-e SCRIPT | -f FILE | SCRIPT] [FILE...]");
	if (script.data)
		parse(script.data);
	resolve_targets();
	if (in_place)
		return edit_in_place(argc - optind, argv + optind);
	static char *standard_input[] = { "-" };
	files = optind < argc ? argv + optind : standard_input;
	file_count = optind < argc ? argc - optind : 1;
	read_ahead();
	run_script();
	return failed;
}
