/*
 * Raw words to fields: tilde, parameters, commands and arithmetic; then splitting, globbing and the removal of quotes.
 * In between, a word is a row of cells, each a sign with what may still happen to it, so that no sign is ever looked at twice.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

enum kind {
	PLAIN = 'p',    /* written as it stands: globs, does not split */
	QUOTED = 'q',   /* neither globs nor splits */
	EXPANDED = 'e', /* came from an unquoted expansion: globs and splits */
	PRESENT = '0',  /* no sign: quotes were here, so the field exists even if it is empty */
	BREAK = 'b',    /* no sign: a field ends here, as between the parts of "$@" */
};

struct row {
	struct text signs, kinds;
};

static void add(struct row *row, const char *s, size_t length, enum kind kind)
{
	text_add(&row->signs, s, length);
	for (size_t i = 0; i < length; i++)
		text_char(&row->kinds, kind);
}

static void add_mark(struct row *row, enum kind kind)
{
	add(row, "", 1, kind);
}

static void expand_part(struct row *row, const char *raw, size_t length, int in_quotes);

static char *as_string(const struct row *row)
{
	struct text text = { 0 };

	for (size_t i = 0; i < row->signs.length; i++)
		if (row->kinds.data[i] == BREAK)
			text_char(&text, ' ');
		else if (row->kinds.data[i] != PRESENT)
			text_char(&text, row->signs.data[i]);
	return text_end(&text);
}

static char *as_pattern(const struct row *row)
{
	struct text text = { 0 };

	for (size_t i = 0; i < row->signs.length; i++) {
		char kind = row->kinds.data[i], c = row->signs.data[i];
		if (kind == PRESENT || kind == BREAK)
			continue;
		if (kind == QUOTED && strchr("*?[]\\-!", c))
			text_char(&text, '\\');
		text_char(&text, c);
	}
	return text_end(&text);
}

/* ---- Parameters ---- */

static char *number_text(long number)
{
	char digits[24];
	snprintf(digits, sizeof digits, "%ld", number);
	return scratch_copy(digits, strlen(digits));
}

/* The value of any parameter but @ and *; 0 if it is unset. */
static const char *parameter(const char *name)
{
	if (isdigit((unsigned char)*name)) {
		int index = atoi(name);
		return index == 0 ? shell.name : index <= shell.argument_count ? shell.arguments[index - 1] : 0;
	}
	switch (*name) {
	case '?': return number_text(shell.status);
	case '$': return number_text(shell.pid);
	case '!': return shell.last_background ? number_text(shell.last_background) : 0;
	case '#': return number_text(shell.argument_count);
	case '-': return shell.interactive ? "i" : "";
	}
	return get_variable(name);
}

static void add_arguments(struct row *row, char which, int in_quotes)
{
	const char *ifs = get_variable("IFS");
	char joint = ifs ? *ifs : ' ';

	for (int i = 0; i < shell.argument_count; i++) {
		if (i && in_quotes && which == '*') {
			if (joint)
				add(row, &joint, 1, QUOTED);
		} else if (i)
			add_mark(row, BREAK);
		add(row, shell.arguments[i], strlen(shell.arguments[i]), in_quotes ? QUOTED : EXPANDED);
		if (in_quotes && which == '@')
			add_mark(row, PRESENT);
	}
}

static const char *joined_arguments(void)
{
	struct row row = { 0 };
	add_arguments(&row, '*', 1);
	return as_string(&row);
}

/* Cuts the shortest or longest piece that matches off the front or the end. */
static char *trim(const char *value, const char *pattern, char side, int longest)
{
	size_t length = strlen(value);

	for (size_t step = 0; step <= length; step++) {
		size_t cut = (side == '#') == !longest ? step : length - step;
		if (side == '#') {
			char *front = scratch_copy(value, cut);
			if (!fnmatch(pattern, front, 0))
				return scratch_copy(value + cut, length - cut);
		} else if (!fnmatch(pattern, value + cut, 0))
			return scratch_copy(value, cut);
		if (side == '%' && !longest && cut == 0)
			break;
	}
	return scratch_copy(value, length);
}

static void add_value(struct row *row, const char *value, int in_quotes)
{
	if (value)
		add(row, value, strlen(value), in_quotes ? QUOTED : EXPANDED);
}

static const char *needed(const char *name, const char *value)
{
	if (!value && shell.no_unset)
		shell_error("%s: parameter not set", name);
	return value;
}

/* inside: what stands between the braces. */
static void expand_braces(struct row *row, const char *inside, size_t length, int in_quotes)
{
	const char *end = inside + length, *at = inside;
	int want_length = *at == '#' && length > 1 && (isalnum((unsigned char)at[1]) || strchr("_@*?$!", at[1]));

	at += want_length;
	size_t name_size = name_length(at);
	if (!name_size)
		name_size = isdigit((unsigned char)*at) ? strspn(at, "0123456789") : 1;
	char *name = scratch_copy(at, name_size);
	at += name_size;
	int all = (*name == '@' || *name == '*') && name_size == 1;
	const char *value = all ? shell.argument_count ? joined_arguments() : 0 : parameter(name);

	if (want_length) {
		add_value(row, number_text(all ? shell.argument_count : (long)strlen(needed(name, value) ? value : "")), in_quotes);
		return;
	}
	if (at >= end) {
		if (all)
			add_arguments(row, *name, in_quotes);
		else
			add_value(row, needed(name, value), in_quotes);
		return;
	}
	int colon = *at == ':' && at + 1 < end && strchr("-=?+", at[1]);
	char operator = at[colon];
	const char *word = at + colon + 1;
	int missing = !value || (colon && !*value);
	struct row operand = { 0 };

	switch (operator) {
	case '-':
		if (!missing && all)
			add_arguments(row, *name, in_quotes);
		else if (!missing)
			add_value(row, value, in_quotes);
		else
			expand_part(row, word, end - word, in_quotes ? 1 : 2);
		return;
	case '+':
		if (!missing)
			expand_part(row, word, end - word, in_quotes ? 1 : 2);
		return;
	case '=':
		if (missing) {
			expand_part(&operand, word, end - word, in_quotes);
			value = as_string(&operand);
			set_variable(name, value);
		}
		add_value(row, value, in_quotes);
		return;
	case '?':
		if (missing) {
			expand_part(&operand, word, end - word, in_quotes);
			shell_error("%s: %s", name, word < end ? as_string(&operand) : "parameter not set");
		}
		add_value(row, value, in_quotes);
		return;
	case '#':
	case '%': {
		int longest = word < end && *word == operator;
		expand_part(&operand, word + longest, end - word - longest, 0);
		add_value(row, trim(value ? value : "", as_pattern(&operand), operator, longest), in_quotes);
		return;
	}
	}
	shell_error("${%.*s}: bad substitution", (int)length, inside);
}

/* ---- Dollars and backquotes ---- */

static void add_output(struct row *row, const char *commands, int in_quotes)
{
	add_value(row, command_output(commands), in_quotes);
}

static char *backquoted_commands(const char *raw, size_t length, int in_quotes)
{
	struct text text = { 0 };

	for (size_t i = 0; i < length; i++) {
		if (raw[i] == '\\' && i + 1 < length && (strchr("$`\\", raw[i + 1]) || (in_quotes && raw[i + 1] == '"')))
			i++;
		text_char(&text, raw[i]);
	}
	return text_end(&text);
}

/* Expands what begins with the $ or ` at raw, and returns its length. */
static size_t expand_dollar(struct row *row, const char *raw, int in_quotes)
{
	if (*raw == '`') {
		size_t size = substitution_end(raw, 0);
		add_output(row, backquoted_commands(raw + 1, size - 2, in_quotes), in_quotes);
		return size;
	}
	if (raw[1] == '(') {
		size_t size = substitution_end(raw, 0);
		if (raw[2] == '(') {
			struct row expression = { 0 };
			expand_part(&expression, raw + 3, size - 5, 1);
			add_value(row, number_text(evaluate_arithmetic(as_string(&expression))), in_quotes);
		} else
			add_output(row, scratch_copy(raw + 2, size - 3), in_quotes);
		return size;
	}
	if (raw[1] == '{') {
		size_t size = substitution_end(raw, 0);
		expand_braces(row, raw + 2, size - 3, in_quotes);
		return size;
	}
	if (raw[1] == '@' || raw[1] == '*') {
		add_arguments(row, raw[1], in_quotes);
		return 2;
	}
	size_t length = name_length(raw + 1);
	if (!length && raw[1] && strchr("0123456789?$!#-", raw[1]))
		length = 1;
	if (!length) {
		add(row, "$", 1, in_quotes ? QUOTED : PLAIN);
		return 1;
	}
	char *name = scratch_copy(raw + 1, length);
	add_value(row, needed(name, parameter(name)), in_quotes);
	return length + 1;
}

/*
 * in_quotes: 0 for a plain word; 1 inside double quotes; 2 for the word of ${x-word}, whose bare signs split like an
 * expansion's.
 */
static void expand_part(struct row *row, const char *raw, size_t length, int in_quotes)
{
	const char *end = raw + length;
	enum kind bare = in_quotes == 1 ? QUOTED : in_quotes == 2 ? EXPANDED : PLAIN;

	while (raw < end) {
		char c = *raw;
		if (c == '$' || c == '`')
			raw += expand_dollar(row, raw, in_quotes == 1);
		else if (c == '\\' && raw + 1 < end) {
			if (raw[1] == '\n')
				;
			else if (in_quotes == 1 && !strchr("$`\"\\", raw[1]))
				add(row, raw, 2, QUOTED);
			else
				add(row, raw + 1, 1, QUOTED);
			raw += 2;
		} else if (c == '\'' && in_quotes != 1) {
			const char *close = memchr(raw + 1, '\'', end - raw - 1);
			if (!close)
				close = end;
			add_mark(row, PRESENT);
			add(row, raw + 1, close - raw - 1, QUOTED);
			raw = close + 1;
		} else if (c == '"' && in_quotes != 1) {
			size_t size = substitution_end(raw, 0);
			int only_arguments = !strncmp(raw, "\"$@\"", 4) && !shell.argument_count;
			if (!only_arguments)
				add_mark(row, PRESENT);
			expand_part(row, raw + 1, size - 2, 1);
			raw += size;
		} else if (c == '"') /* quotes within "${x-"word"}" */
			raw++;
		else {
			add(row, raw, 1, bare);
			raw++;
		}
	}
}

/* ~ and ~/… at the start of a word or after : or = in an assignment. */
static size_t expand_tilde(struct row *row, const char *raw)
{
	const char *home = get_variable("HOME");

	if (*raw != '~' || (raw[1] && raw[1] != '/') || !home)
		return 0;
	add(row, home, strlen(home), QUOTED);
	return 1;
}

static struct row expand_raw(const char *raw)
{
	struct row row = { 0 };

	raw += expand_tilde(&row, raw);
	expand_part(&row, raw, strlen(raw), 0);
	return row;
}

/* ---- Fields ---- */

static void add_field(struct words *words, char *field)
{
	if ((words->count & (words->count + 1)) == 0) {
		char **grown = scratch_alloc((2 * words->count + 2) * sizeof *grown);
		if (words->count)
			memcpy(grown, words->items, words->count * sizeof *grown);
		words->items = grown;
	}
	words->items[words->count++] = field;
}

/* Cells [from, to) are one field: glob it if it holds a pattern. */
static void finish_field(struct words *words, const struct row *row, size_t from, size_t to)
{
	struct row part = { { row->signs.data + from, to - from, 0 }, { row->kinds.data + from, to - from, 0 } };
	int globs = 0, open = 0; /* a bracket that nothing closes is itself: `[` is a command that scripts call often */

	for (size_t i = from; i < to && !shell.no_glob; i++) {
		if (row->kinds.data[i] == QUOTED || row->kinds.data[i] == PRESENT)
			continue;
		char sign = row->signs.data[i];
		globs |= sign == '*' || sign == '?' || (open && sign == ']');
		open |= sign == '[';
	}
	glob_t found;
	if (!globs || glob(as_pattern(&part), 0, 0, &found)) {
		add_field(words, as_string(&part));
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_field(words, scratch_copy(found.gl_pathv[i], strlen(found.gl_pathv[i])));
	globfree(&found);
}

static void split(struct words *words, const struct row *row)
{
	const char *ifs = get_variable("IFS");
	size_t start = 0, i = 0;
	int open = 0; /* something of a field has been seen since `start` */

	if (!ifs)
		ifs = " \t\n";
	for (; i < row->signs.length; i++) {
		char c = row->signs.data[i], kind = row->kinds.data[i];
		int separator = kind == EXPANDED && c && strchr(ifs, c);
		if (kind != BREAK && !separator) {
			if (!open)
				start = i;
			open = 1;
			continue;
		}
		if (open || (separator && !isspace((unsigned char)c)))
			finish_field(words, row, open ? start : i, i);
		if (separator && isspace((unsigned char)c)) { /* blanks around one other separator belong to it */
			size_t next = i + 1;
			while (next < row->signs.length && row->kinds.data[next] == EXPANDED && isspace((unsigned char)row->signs.data[next]) && strchr(ifs, row->signs.data[next]))
				next++;
			if (open && next < row->signs.length && row->kinds.data[next] == EXPANDED && row->signs.data[next] && !isspace((unsigned char)row->signs.data[next]) && strchr(ifs, row->signs.data[next]))
				i = next;
		}
		open = 0;
	}
	if (open)
		finish_field(words, row, start, i);
}

struct words expand_words(const struct words *raw)
{
	struct words words = { 0 };

	for (int i = 0; i < raw->count; i++) {
		struct row row = expand_raw(raw->items[i]);
		split(&words, &row);
	}
	if (!words.items)
		words.items = scratch_alloc(sizeof *words.items);
	return words;
}

char *expand_single(const char *raw)
{
	struct row row = expand_raw(raw);
	return as_string(&row);
}

char *expand_pattern(const char *raw)
{
	struct row row = expand_raw(raw);
	return as_pattern(&row);
}

/* As inside double quotes, except that a double quote is a sign like others. */
char *expand_here_document(const char *raw)
{
	struct row row = { 0 };

	while (*raw)
		if (*raw == '$' || *raw == '`')
			raw += expand_dollar(&row, raw, 1);
		else if (*raw == '\\' && raw[1] && strchr("$`\\\n", raw[1])) {
			if (raw[1] != '\n')
				add(&row, raw + 1, 1, QUOTED);
			raw += 2;
		} else
			add(&row, raw++, 1, QUOTED);
	return as_string(&row);
}
