/*
 * Memory and strings.  The compiler turns loops into calls of memcpy and memset, so this file is compiled without that
 * transformation; copies go by words where both sides are aligned alike.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;
#define WORD sizeof(word)

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if ((((uintptr_t)t ^ (uintptr_t)f) % WORD) == 0) {
		for (; size && (uintptr_t)t % WORD; size--)
			*t++ = *f++;
		for (; size >= WORD; size -= WORD, t += WORD, f += WORD)
			*(word *)t = *(const word *)f;
	}
	while (size--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t <= f || t >= f + size) {
		if ((((uintptr_t)t ^ (uintptr_t)f) % WORD) == 0) {
			for (; size && (uintptr_t)t % WORD; size--)
				*t++ = *f++;
			for (; size >= WORD; size -= WORD, t += WORD, f += WORD)
				*(word *)t = *(const word *)f;
		}
		while (size--)
			*t++ = *f++;
	} else
		while (size--)
			t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;
	word pattern = (unsigned char)byte * 0x0101010101010101ul;

	for (; size && (uintptr_t)t % WORD; size--)
		*t++ = byte;
	for (; size >= WORD; size -= WORD, t += WORD)
		*(word *)t = pattern;
	while (size--)
		*t++ = byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
	const unsigned char *at = bytes;

	for (; size; size--, at++)
		if (*at == (unsigned char)byte)
			return (void *)at;
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return end - s;
}

size_t strnlen(const char *s, size_t max)
{
	const char *end = memchr(s, 0, max);

	return end ? (size_t)(end - s) : max;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
	while ((*to = *from++))
		to++;
	return to;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	stpcpy(to, from);
	return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strnlen(from, size);

	memcpy(to, from, length);
	memset(to + length, 0, size - length);
	return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
	stpcpy(to + strlen(to), from);
	return to;
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strlen(from);

	if (size) {
		size_t kept = length < size ? length : size - 1;
		memcpy(to, from, kept);
		to[kept] = 0;
	}
	return length;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strnlen(to, size);

	return length + strlcpy(to + length, from, size - length);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, (size_t)-1);
}

int strncasecmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++) {
		int x = tolower((unsigned char)*a), y = tolower((unsigned char)*b);
		if (x != y || !x)
			return x - y;
	}
	return 0;
}

char *strchrnul(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	char *at = strchrnul(s, c);

	return *at == (char)c ? at : 0;
}

char *strrchr(const char *s, int c)
{
	const char *last = 0;

	do
		if (*s == (char)c)
			last = s;
	while (*s++);
	return (char *)last;
}

char *strstr(const char *s, const char *part)
{
	size_t length = strlen(part);

	for (; (s = strchr(s, *part)); s++) {
		if (!strncmp(s, part, length))
			return (char *)s;
		if (!*s)
			break;
	}
	return 0;
}

size_t strspn(const char *s, const char *set)
{
	size_t length = 0;

	while (s[length] && strchr(set, s[length]))
		length++;
	return length;
}

size_t strcspn(const char *s, const char *set)
{
	size_t length = 0;

	while (s[length] && !strchr(set, s[length]))
		length++;
	return length;
}

char *strpbrk(const char *s, const char *set)
{
	s += strcspn(s, set);
	return *s ? (char *)s : 0;
}

char *strsep(char **rest, const char *set)
{
	char *token = *rest;

	if (!token)
		return 0;
	char *end = token + strcspn(token, set);
	*rest = *end ? end + 1 : 0;
	*end = 0;
	return token;
}

char *strtok(char *restrict s, const char *restrict set)
{
	static char *rest;

	if (s)
		rest = s;
	if (!rest)
		return 0;
	rest += strspn(rest, set);
	return *rest ? strsep(&rest, set) : 0;
}

char *strndup(const char *s, size_t max)
{
	size_t length = strnlen(s, max);
	char *copy = malloc(length + 1);

	if (copy) {
		memcpy(copy, s, length);
		copy[length] = 0;
	}
	return copy;
}

char *strdup(const char *s)
{
	return strndup(s, (size_t)-1);
}
