/* The end of a program, its environment, numbers out of text, sorting. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATEXIT_MAX 32
static void (*exit_functions[ATEXIT_MAX])(void);
static int exit_count;

int atexit(void (*function)(void))
{
	if (exit_count == ATEXIT_MAX)
		return -1;
	exit_functions[exit_count++] = function;
	return 0;
}

void exit(int status)
{
	while (exit_count)
		exit_functions[--exit_count]();
	fflush(0);
	_exit(status);
}

void abort(void)
{
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
	_exit(127);
}

/* The environment is the kernel's array until the first change, which copies it. */
static char **owned_environ;

static char **find_variable(const char *name, size_t length)
{
	for (char **entry = environ; entry && *entry; entry++)
		if (!strncmp(*entry, name, length) && (*entry)[length] == '=')
			return entry;
	return 0;
}

char *getenv(const char *name)
{
	size_t length = strlen(name);
	char **entry = find_variable(name, length);

	return entry ? *entry + length + 1 : 0;
}

int setenv(const char *name, const char *value, int overwrite)
{
	char **entry = find_variable(name, strlen(name)), *text;

	if (entry && !overwrite)
		return 0;
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -1;
	if (entry) {
		*entry = text;
		return 0;
	}
	size_t count = 0;
	while (environ && environ[count])
		count++;
	char **grown = malloc((count + 2) * sizeof *grown);
	if (!grown)
		return -1;
	memcpy(grown, environ, count * sizeof *grown);
	grown[count] = text;
	grown[count + 1] = 0;
	free(owned_environ);
	environ = owned_environ = grown;
	return 0;
}

int unsetenv(const char *name)
{
	char **entry = find_variable(name, strlen(name));

	if (entry)
		do
			entry[0] = entry[1];
		while (*entry++);
	return 0;
}

static int digit_value(int c)
{
	if (isdigit(c))
		return c - '0';
	return isalpha(c) ? tolower(c) - 'a' + 10 : 99;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
	const char *at = s;
	int negative = 0, any = 0;
	unsigned long value = 0;

	while (isspace((unsigned char)*at))
		at++;
	if (*at == '-' || *at == '+')
		negative = *at++ == '-';
	if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 32) == 'x' && isxdigit((unsigned char)at[2])) {
		at += 2;
		base = 16;
	} else if (base == 0)
		base = *at == '0' ? 8 : 10;
	for (int digit; (digit = digit_value((unsigned char)*at)) < base; at++, any = 1)
		value = value * base + digit;
	if (end)
		*end = (char *)(any ? at : s);
	return negative ? -value : value;
}

long strtol(const char *restrict s, char **restrict end, int base)
{
	return (long)strtoul(s, end, base);
}

int atoi(const char *s)
{
	return (int)strtol(s, 0, 10);
}

long atol(const char *s)
{
	return strtol(s, 0, 10);
}

int abs(int value)
{
	return value < 0 ? -value : value;
}

/* Decimal only; exact for up to 19 digits and small exponents, within an ulp or two beyond. */
double strtod(const char *restrict s, char **restrict end)
{
	const char *at = s;
	int negative = 0, any = 0, exponent = 0;
	double value = 0;

	while (isspace((unsigned char)*at))
		at++;
	if (*at == '-' || *at == '+')
		negative = *at++ == '-';
	for (; isdigit((unsigned char)*at); at++, any = 1)
		value = value * 10 + (*at - '0');
	if (*at == '.')
		for (at++; isdigit((unsigned char)*at); at++, any = 1, exponent--)
			value = value * 10 + (*at - '0');
	if (any && (*at | 32) == 'e') {
		char *after;
		long power = strtol(at + 1, &after, 10);
		if (after != at + 1) {
			exponent += power;
			at = after;
		}
	}
	double scale = 1;
	for (int i = exponent < 0 ? -exponent : exponent; i > 0 && scale < 1e300; i--)
		scale *= 10;
	value = exponent < 0 ? value / scale : value * scale;
	if (end)
		*end = (char *)(any ? at : s);
	return negative ? -value : value;
}

/* Heap sort: no recursion, no extra memory, never quadratic. */
static void swap(char *a, char *b, size_t size)
{
	for (; size--; a++, b++) {
		char byte = *a;
		*a = *b;
		*b = byte;
	}
}

static void sift_down(char *base, size_t root, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t child; (child = 2 * root + 1) < count; root = child) {
		if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (compare(base + root * size, base + child * size) >= 0)
			return;
		swap(base + root * size, base + child * size, size);
	}
}

void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t root = count / 2; root-- > 0;)
		sift_down(base, root, count, size, compare);
	while (count > 1) {
		count--;
		swap(base, (char *)base + count * size, size);
		sift_down(base, 0, count, size, compare);
	}
}

void *bsearch(const void *key, const void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t low = 0, high = count; low < high;) {
		size_t middle = low + (high - low) / 2;
		const char *item = (const char *)base + middle * size;
		int order = compare(key, item);
		if (order == 0)
			return (void *)item;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}
