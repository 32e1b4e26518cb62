/* $((…)): C's integer expressions over 64-bit numbers and shell variables, by precedence climbing. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

static const char *at;
static int skipping; /* above 0 in the side of && || ?: that does not count: nothing is assigned or divided there */

static long assignment(void);
static long expression(void);

static void skip_space(void)
{
	while (isspace((unsigned char)*at))
		at++;
}

static int accept(const char *operator)
{
	skip_space();
	if (strncmp(at, operator, strlen(operator)))
		return 0;
	at += strlen(operator);
	return 1;
}

static long value_of(const char *name)
{
	const char *value = get_variable(name);
	return value ? strtol(value, 0, 0) : 0;
}

static void assign(const char *name, long value)
{
	char digits[24];

	if (skipping)
		return;
	snprintf(digits, sizeof digits, "%ld", value);
	set_variable(name, digits);
}

static char *take_name(void)
{
	skip_space();
	size_t length = name_length(at);
	if (!length)
		return 0;
	char *name = scratch_copy(at, length);
	at += length;
	return name;
}

static long primary(void)
{
	char *name, *end;

	skip_space();
	if (accept("(")) {
		long value = expression();
		if (!accept(")"))
			shell_error("arithmetic: missing )");
		return value;
	}
	if (accept("++") || accept("--")) {
		int step = at[-1] == '+' ? 1 : -1;
		if (!(name = take_name()))
			shell_error("arithmetic: a variable is needed after ++ or --");
		assign(name, value_of(name) + step);
		return skipping ? 0 : value_of(name);
	}
	if (accept("+"))
		return primary();
	if (accept("-"))
		return -(unsigned long)primary();
	if (accept("!"))
		return !primary();
	if (accept("~"))
		return ~primary();
	if ((name = take_name())) {
		long value = value_of(name);
		if (accept("++") || accept("--"))
			assign(name, value + (at[-1] == '+' ? 1 : -1));
		return value;
	}
	long value = strtol(at, &end, 0);
	if (end == at)
		shell_error("arithmetic: syntax error at \"%s\"", at);
	at = end;
	return value;
}

static const struct {
	const char *text;
	int precedence;
} operators[] = { /* the longer ones first */
	{ "<<", 8 }, { ">>", 8 }, { "<=", 7 }, { ">=", 7 }, { "==", 6 }, { "!=", 6 }, { "&&", 2 }, { "||", 1 },
	{ "*", 10 }, { "/", 10 }, { "%", 10 }, { "+", 9 }, { "-", 9 }, { "<", 7 }, { ">", 7 }, { "&", 5 }, { "^", 4 }, { "|", 3 },
};
#define OPERATORS ((int)(sizeof operators / sizeof *operators))

static long apply(const char *operator, long a, long b)
{
	switch (operator[0]) {
	case '*': return (unsigned long)a * b;
	case '/':
	case '%':
		if (skipping)
			return 0;
		if (!b)
			shell_error("arithmetic: division by 0");
		if (b == -1)
			return operator[0] == '/' ? -(unsigned long)a : 0;
		return operator[0] == '/' ? a / b : a % b;
	case '+': return (unsigned long)a + b;
	case '-': return (unsigned long)a - b;
	case '<': return operator[1] == '<' ? (long)((unsigned long)a << (b & 63)) : operator[1] == '=' ? a <= b : a < b;
	case '>': return operator[1] == '>' ? a >> (b & 63) : operator[1] == '=' ? a >= b : a > b;
	case '=': return a == b;
	case '!': return a != b;
	case '&': return operator[1] ? a && b : a & b;
	case '|': return operator[1] ? a || b : a | b;
	default: return a ^ b;
	}
}

static long binary(int lowest)
{
	long left = primary();

	for (;;) {
		int found = -1;
		skip_space();
		for (int i = 0; i < OPERATORS && found < 0; i++) {
			size_t length = strlen(operators[i].text);
			if (!strncmp(at, operators[i].text, length))
				found = i;
		}
		if (found < 0 || operators[found].precedence < lowest)
			return left;
		const char *operator = operators[found].text, *after = at + strlen(operator);
		if (*after == '=' && operators[found].precedence != 6 && operators[found].precedence != 7 && after[1] != '=')
			return left; /* an assignment operator */
		at = after;
		int decided = (!strcmp(operator, "&&") && !left) || (!strcmp(operator, "||") && left);
		skipping += decided;
		long right = binary(operators[found].precedence + 1);
		skipping -= decided;
		left = apply(operator, left, right);
	}
}

static long conditional(void)
{
	long value = binary(1);

	if (!accept("?"))
		return value;
	skipping += !value;
	long yes = assignment();
	skipping -= !value;
	if (!accept(":"))
		shell_error("arithmetic: missing :");
	skipping += !!value;
	long no = conditional();
	skipping -= !!value;
	return value ? yes : no;
}

static long assignment(void)
{
	static const char *const assigning[] = { "=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|=" };
	const char *start = at;
	char *name = take_name();

	if (name) {
		skip_space();
		for (size_t i = 0; i < sizeof assigning / sizeof *assigning; i++) {
			size_t length = strlen(assigning[i]);
			if (strncmp(at, assigning[i], length) || (length == 1 && at[1] == '='))
				continue;
			char operator[3] = { 0 };
			memcpy(operator, assigning[i], length - 1);
			at += length;
			long right = assignment();
			long value = *operator ? apply(operator, value_of(name), right) : right;
			assign(name, value);
			return value;
		}
	}
	at = start;
	return conditional();
}

static long expression(void)
{
	long value = assignment();

	while (accept(","))
		value = assignment();
	return value;
}

long evaluate_arithmetic(const char *text)
{
	const char *saved = at;

	at = text;
	skipping = 0;
	skip_space();
	long value = *at ? expression() : 0;
	skip_space();
	if (*at)
		shell_error("arithmetic: syntax error at \"%s\"", at);
	at = saved;
	return value;
}
