/* File name patterns: *, ?, [a-z], [!a-z] and backslash; glob() walks the directories that a pattern names. */
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int in_class(const char *name, size_t length, int c)
{
	static const struct {
		const char *name;
		int (*test)(int);
	} classes[] = { { "alpha", isalpha }, { "digit", isdigit }, { "alnum", isalnum }, { "upper", isupper }, { "lower", islower },
			{ "space", isspace }, { "blank", isblank }, { "punct", ispunct }, { "xdigit", isxdigit }, { "print", isprint } };

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (strlen(classes[i].name) == length && !strncmp(classes[i].name, name, length))
			return classes[i].test(c);
	return 0;
}

/* The sign after the closing bracket, or 0 when the bracket opens no set. */
static const char *match_set(const char *set, int c, int *matched)
{
	int inverted = *set == '!' || *set == '^', found = 0;
	const char *at = set + inverted, *first = at;

	for (; *at != ']' || at == first; at++) {
		if (!*at)
			return 0;
		if (at[0] == '[' && at[1] == ':') {
			const char *end = strstr(at + 2, ":]");
			if (end) {
				found |= in_class(at + 2, end - at - 2, c);
				at = end + 1;
				continue;
			}
		}
		if (*at == '\\' && at[1])
			at++;
		unsigned char low = *at, high = low;
		if (at[1] == '-' && at[2] && at[2] != ']') {
			high = at[2];
			at += 2;
		}
		found |= low <= c && c <= high;
	}
	*matched = found != inverted;
	return at + 1;
}

int fnmatch(const char *pattern, const char *s, int flags)
{
	if ((flags & FNM_PERIOD) && *s == '.' && *pattern != '.' && !(*pattern == '\\' && pattern[1] == '.'))
		return FNM_NOMATCH;
	for (; *pattern; pattern++, s++) {
		if (*pattern == '*') {
			while (*pattern == '*')
				pattern++;
			for (;; s++) {
				if (!fnmatch(pattern, s, 0))
					return 0;
				if (!*s)
					return FNM_NOMATCH;
			}
		}
		if (!*s)
			return FNM_NOMATCH;
		if (*pattern == '?')
			continue;
		int matched;
		const char *after = *pattern == '[' ? match_set(pattern + 1, (unsigned char)*s, &matched) : 0;
		if (after) {
			if (!matched)
				return FNM_NOMATCH;
			pattern = after - 1;
			continue;
		}
		if (*pattern == '\\' && pattern[1])
			pattern++;
		if (*pattern != *s)
			return FNM_NOMATCH;
	}
	return *s ? FNM_NOMATCH : 0;
}

static void add(glob_t *result, char *path)
{
	result->gl_pathv = realloc(result->gl_pathv, (result->gl_pathc + 2) * sizeof(char *));
	result->gl_pathv[result->gl_pathc++] = path;
	result->gl_pathv[result->gl_pathc] = 0;
}

static char *join(const char *a, const char *b, size_t length)
{
	char *joined = malloc(strlen(a) + length + 1);
	strcpy(joined, a);
	memcpy(joined + strlen(a), b, length);
	joined[strlen(a) + length] = 0;
	return joined;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `found` is a path that exists; `rest` is what of the pattern lies below it. */
static void walk(const char *found, const char *rest, glob_t *result)
{
	size_t slashes = strspn(rest, "/");
	char *base = join(found, rest, slashes);
	rest += slashes;
	size_t length = strcspn(rest, "/");

	if (!length) {
		struct stat status;
		if (!lstat(*base ? base : ".", &status))
			add(result, base);
		else
			free(base);
		return;
	}
	char *part = strndup(rest, length);
	if (!strpbrk(part, "*?[")) {
		char *plain = part, *to = part;
		for (; *plain; plain++) {
			if (*plain == '\\' && plain[1])
				plain++;
			*to++ = *plain;
		}
		*to = 0;
		char *next = join(base, part, strlen(part));
		struct stat status;
		if (!lstat(next, &status))
			walk(next, rest + length, result);
		free(next);
	} else {
		DIR *directory = opendir(*base ? base : ".");
		for (struct dirent *entry; directory && (entry = readdir(directory));)
			if (!fnmatch(part, entry->d_name, FNM_PERIOD)) {
				char *next = join(base, entry->d_name, strlen(entry->d_name));
				struct stat status;
				if (!rest[length])
					add(result, strdup(next));
				else if (!stat(next, &status) && S_ISDIR(status.st_mode))
					walk(next, rest + length, result);
				free(next);
			}
		if (directory)
			closedir(directory);
	}
	free(part);
	free(base);
}

int glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result)
{
	(void)flags, (void)on_error;
	*result = (glob_t){ 0 };
	walk("", pattern, result);
	if (!result->gl_pathc)
		return GLOB_NOMATCH;
	qsort(result->gl_pathv, result->gl_pathc, sizeof(char *), by_name);
	return 0;
}

void globfree(glob_t *result)
{
	for (size_t i = 0; i < result->gl_pathc; i++)
		free(result->gl_pathv[i]);
	free(result->gl_pathv);
	*result = (glob_t){ 0 };
}
