/* grep: lines that match a basic (or with -E extended, with -F plain) expression. */
#include "userland.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATTERNS 32
static regex_t patterns[PATTERNS];
static int pattern_count;
static struct {
	int invert, numbers, count, recursive, names, no_names, list, quiet, only, word, line, silent, max, before, after;
} flags;
static int colour, matched_any, failed;

/* The first match in s from `at`, of any pattern, that -w and -x accept. */
static int find_match(const char *s, size_t at, regmatch_t *best)
{
	int found = 0;

	for (int i = 0; i < pattern_count; i++)
		for (size_t from = at;;) {
			regmatch_t match;
			if (regexec(&patterns[i], s + from, 1, &match, from ? REG_NOTBOL : 0))
				break;
			match.rm_so += from;
			match.rm_eo += from;
			int before = match.rm_so ? (unsigned char)s[match.rm_so - 1] : 0, after = (unsigned char)s[match.rm_eo];
			int ok = (!flags.word || (!isalnum(before) && before != '_' && !isalnum(after) && after != '_')) && (!flags.line || (!match.rm_so && !after));
			if (ok) {
				if (!found || match.rm_so < best->rm_so || (match.rm_so == best->rm_so && match.rm_eo > best->rm_eo))
					*best = match;
				found = 1;
				break;
			}
			if (!s[match.rm_so])
				break;
			from = match.rm_so + 1;
		}
	return found;
}

static void prefix(const char *path, long number, char separator)
{
	if (path)
		printf(colour ? "\033[35m%s\033[m%c" : "%s%c", path, separator);
	if (flags.numbers)
		printf(colour ? "\033[32m%ld\033[m%c" : "%ld%c", number, separator);
}

static void print_match(const char *line, const char *path, long number)
{
	regmatch_t match;
	size_t at = 0;

	if (flags.only) {
		while (find_match(line, at, &match)) {
			if (match.rm_eo > match.rm_so) {
				prefix(path, number, ':');
				printf("%.*s\n", (int)(match.rm_eo - match.rm_so), line + match.rm_so);
			}
			at = match.rm_eo > match.rm_so ? (size_t)match.rm_eo : (size_t)match.rm_eo + 1;
			if (at > strlen(line))
				break;
		}
		return;
	}
	prefix(path, number, ':');
	while (colour && !flags.invert && find_match(line, at, &match) && match.rm_eo > match.rm_so) {
		printf("%.*s\033[1;31m%.*s\033[m", (int)(match.rm_so - at), line + at, (int)(match.rm_eo - match.rm_so), line + match.rm_so);
		at = match.rm_eo;
	}
	puts(line + at);
}

static void search(FILE *file, const char *path)
{
	char *line = 0, *held[64] = { 0 };
	size_t capacity = 0;
	long length, number = 0, count = 0, printed = 0, after = 0;
	const char *shown = flags.names ? path : 0;

	while ((length = getline(&line, &capacity, file)) > 0) {
		regmatch_t match;
		number++;
		if (line[length - 1] == '\n')
			line[length - 1] = 0;
		if (find_match(line, 0, &match) == flags.invert) {
			if (after > 0) {
				prefix(shown, number, '-');
				puts(line);
				printed = number;
				after--;
			}
			if (flags.before) {
				free(held[number % flags.before]);
				held[number % flags.before] = strdup(line);
			}
			continue;
		}
		count++;
		matched_any = 1;
		if (flags.quiet)
			exit(0);
		if (flags.list)
			break;
		if (!flags.count) {
			long from = number - flags.before > printed ? number - flags.before : printed + 1;
			if ((flags.before || flags.after) && printed && from > printed + 1)
				puts("--");
			for (long i = from < 1 ? 1 : from; i < number; i++) {
				prefix(shown, i, '-');
				puts(held[i % flags.before] ? held[i % flags.before] : "");
			}
			print_match(line, shown, number);
			printed = number;
			after = flags.after;
		}
		if (flags.max && count >= flags.max)
			break;
	}
	free(line);
	for (int i = 0; i < 64; i++)
		free(held[i]);
	if (flags.list && count)
		puts(path);
	else if (flags.count) {
		if (shown)
			printf("%s:", shown);
		printf("%ld\n", count);
	}
}

static void search_path(const char *path)
{
	struct stat status;

	if (flags.recursive && !stat(path, &status) && S_ISDIR(status.st_mode)) {
		DIR *directory = opendir(path);
		for (struct dirent *entry; directory && (entry = readdir(directory));)
			if (!is_name_of_this(entry->d_name) && entry->d_type != DT_LNK) {
				char *inner = join_path(path, entry->d_name);
				search_path(inner);
				free(inner);
			}
		if (directory)
			closedir(directory);
		return;
	}
	if (strcmp(path, "-") && !stat(path, &status) && S_ISDIR(status.st_mode)) {
		failed = warn_text("%s: Is a directory", path);
		return;
	}
	FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
	if (!file) {
		failed = 1;
		if (!flags.silent)
			warn_file(path);
		return;
	}
	search(file, file == stdin ? "(standard input)" : path);
	close_input(file);
}

/* For -F: every special sign escaped, as an extended expression. */
static char *escaped(const char *text)
{
	char *copy = malloc(2 * strlen(text) + 1), *to = copy;

	for (; *text; text++) {
		if (strchr("\\[](){}.*+?^$|", *text))
			*to++ = '\\';
		*to++ = *text;
	}
	*to = 0;
	return copy;
}

int grep_main(int argc, char **argv)
{
	char *expressions[PATTERNS];
	int option, count = 0, syntax = 0, plain = 0;

	while ((option = getopt(argc, argv, "ivncrRHhlqowxsEFGe:m:A:B:C:a")) != -1)
		switch (option) {
		case 'i': syntax |= REG_ICASE; break;
		case 'v': flags.invert = 1; break;
		case 'n': flags.numbers = 1; break;
		case 'c': flags.count = 1; break;
		case 'r':
		case 'R': flags.recursive = 1; break;
		case 'H': flags.names = 1; break;
		case 'h': flags.no_names = 1; break;
		case 'l': flags.list = 1; break;
		case 'q': flags.quiet = 1; break;
		case 'o': flags.only = 1; break;
		case 'w': flags.word = 1; break;
		case 'x': flags.line = 1; break;
		case 's': flags.silent = 1; break;
		case 'E': syntax |= REG_EXTENDED; break;
		case 'F': plain = 1; break;
		case 'G':
		case 'a': break;
		case 'm': flags.max = atoi(optarg); break;
		case 'A': flags.after = atoi(optarg); break;
		case 'B': flags.before = atoi(optarg); break;
		case 'C': flags.before = flags.after = atoi(optarg); break;
		case 'e':
			if (count < PATTERNS)
				expressions[count++] = optarg;
			break;
		default: return usage("[-ivncrHhlqowxsEF] [-m N] [-A N] [-B N] [-C N] [-e] PATTERN [FILE...]");
		}
	if (flags.before > 63)
		flags.before = 63;
	if (!count && optind < argc)
		expressions[count++] = argv[optind++];
	if (!count)
		return usage("[-ivncrHhlqowxsEF] [-e] PATTERN [FILE...]");
	for (int i = 0; i < count; i++)
		for (char *rest = strdup(expressions[i]), *one; (one = strsep(&rest, "\n")) && pattern_count < PATTERNS;)
			if (regcomp(&patterns[pattern_count++], plain ? escaped(one) : one, plain ? syntax | REG_EXTENDED : syntax))
				return warn_text("%s: not a regular expression", one) + 1;
	colour = isatty(1);
	if (argc - optind > 1 || flags.recursive)
		flags.names = 1;
	if (flags.no_names)
		flags.names = 0;
	if (optind == argc)
		search_path(flags.recursive ? "." : "-");
	for (; optind < argc; optind++)
		search_path(argv[optind]);
	return failed ? 2 : !matched_any;
}
