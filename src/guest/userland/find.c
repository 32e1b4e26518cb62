/* find: walks file trees and prints, or acts on, what an expression selects. */
#include "userland.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The expression is read again for each file, straight from the arguments: or, and, not and primaries, by recursive
 * descent.  `quiet` walks over a part whose value is already decided.
 */
static char **expression;
static int position, count, quiet, failed, max_depth = -1, min_depth, depth_first, prune, acts;

struct file {
	const char *path, *name;
	struct stat status;
};

static int either(const struct file *file);

static const char *argument(void)
{
	if (position >= count) {
		warn_text("%s: an argument is missing", expression[count - 1]);
		exit(1);
	}
	return expression[position++];
}

/* "+5", "-5" or "5" against a value. */
static int compares(long value, const char *text)
{
	long wanted = atol(text + (*text == '+' || *text == '-'));
	return *text == '+' ? value > wanted : *text == '-' ? value < wanted : value == wanted;
}

static long in_units(long bytes, const char *text)
{
	char unit = text[strlen(text) - 1];
	long size = unit == 'c' ? 1 : unit == 'k' ? 1024 : unit == 'M' ? 1 << 20 : unit == 'G' ? 1 << 30 : 512;
	return (bytes + size - 1) / size;
}

static int execute(const struct file *file)
{
	int first = position, status = 1;

	while (position < count && strcmp(expression[position], ";") && strcmp(expression[position], "+"))
		position++;
	int last = position++;
	if (last >= count) {
		warn_text("-exec: missing ;");
		exit(1);
	}
	if (quiet)
		return 0;
	char **words = calloc(last - first + 1, sizeof *words);
	for (int i = first; i < last; i++) {
		char *braces = strstr(expression[i], "{}");
		if (braces)
			asprintf(&words[i - first], "%.*s%s%s", (int)(braces - expression[i]), expression[i], file->path, braces + 2);
		else
			words[i - first] = expression[i];
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(words[0], words);
		warn_file(words[0]);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	free(words);
	return status == 0;
}

static int primary(const struct file *file)
{
	const char *word = argument();
	mode_t mode = file->status.st_mode;

	if (!strcmp(word, "(")) {
		int result = either(file);
		if (strcmp(argument(), ")")) {
			warn_text("missing )");
			exit(1);
		}
		return result;
	}
	if (!strcmp(word, "!") || !strcmp(word, "-not"))
		return !primary(file);
	if (!strcmp(word, "-name") || !strcmp(word, "-iname")) {
		const char *pattern = argument();
		if (word[1] == 'n')
			return !fnmatch(pattern, file->name, 0);
		char *low_pattern = strdup(pattern), *low_name = strdup(file->name);
		for (char *c = low_pattern; *c; c++) *c = tolower((unsigned char)*c);
		for (char *c = low_name; *c; c++) *c = tolower((unsigned char)*c);
		int result = !fnmatch(low_pattern, low_name, 0);
		free(low_pattern);
		free(low_name);
		return result;
	}
	if (!strcmp(word, "-path"))
		return !fnmatch(argument(), file->path, 0);
	if (!strcmp(word, "-type")) {
		char type = *argument();
		return type == 'f' ? S_ISREG(mode) : type == 'd' ? S_ISDIR(mode) : type == 'l' ? S_ISLNK(mode) : type == 'c' ? S_ISCHR(mode) : type == 'b' ? S_ISBLK(mode) : type == 'p' ? S_ISFIFO(mode) : S_ISSOCK(mode);
	}
	if (!strcmp(word, "-size")) {
		const char *size = argument();
		return compares(in_units(file->status.st_size, size), size);
	}
	if (!strcmp(word, "-mtime"))
		return compares((time(0) - file->status.st_mtime) / 86400, argument());
	if (!strcmp(word, "-mmin"))
		return compares((time(0) - file->status.st_mtime) / 60, argument());
	if (!strcmp(word, "-perm")) {
		const char *wanted = argument();
		mode_t bits = strtol(wanted + (*wanted == '-'), 0, 8);
		return *wanted == '-' ? (mode & bits) == bits : (mode & 07777) == bits;
	}
	if (!strcmp(word, "-newer")) {
		struct stat other;
		return !stat(argument(), &other) && file->status.st_mtime > other.st_mtime;
	}
	if (!strcmp(word, "-empty")) {
		if (!S_ISDIR(mode))
			return S_ISREG(mode) && !file->status.st_size;
		DIR *directory = opendir(file->path);
		int empty = directory != 0;
		for (struct dirent *entry; directory && (entry = readdir(directory));)
			empty &= is_name_of_this(entry->d_name);
		if (directory)
			closedir(directory);
		return empty;
	}
	if (!strcmp(word, "-true"))
		return 1;
	if (!strcmp(word, "-maxdepth") || !strcmp(word, "-mindepth")) {
		*(word[2] == 'a' ? &max_depth : &min_depth) = atoi(argument());
		return 1;
	}
	if (!strcmp(word, "-depth"))
		return depth_first = 1;
	if (!strcmp(word, "-prune")) {
		if (!quiet)
			prune = 1;
		return 1;
	}
	if (!strcmp(word, "-print") || !strcmp(word, "-print0")) {
		if (!quiet) {
			fputs(file->path, stdout);
			putchar(word[6] ? 0 : '\n');
		}
		return 1;
	}
	if (!strcmp(word, "-delete")) {
		if (!quiet && (S_ISDIR(mode) ? rmdir : unlink)(file->path) < 0)
			failed = warn_file(file->path);
		return 1;
	}
	if (!strcmp(word, "-exec") || !strcmp(word, "-ok"))
		return execute(file);
	warn_text("%s: unknown", word);
	exit(1);
}

static int both(const struct file *file)
{
	int result = primary(file);

	while (position < count && strcmp(expression[position], "-o") && strcmp(expression[position], "-or") && strcmp(expression[position], ")")) {
		if (!strcmp(expression[position], "-a") || !strcmp(expression[position], "-and"))
			position++;
		quiet += !result;
		int right = primary(file);
		quiet -= !result;
		result = result && right;
	}
	return result;
}

static int either(const struct file *file)
{
	int result = both(file);

	while (position < count && (!strcmp(expression[position], "-o") || !strcmp(expression[position], "-or"))) {
		position++;
		int decided = result;
		quiet += decided;
		int right = both(file);
		quiet -= decided;
		result = result || right;
	}
	return result;
}

static void examine(const struct file *file)
{
	position = 0;
	prune = 0;
	int selected = count ? either(file) : 1;
	if (selected && !acts)
		puts(file->path);
}

static void walk(const char *path, int depth)
{
	struct file file = { .path = path, .name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path };
	int pruned = 0;

	if (!*file.name)
		file.name = path;
	if (lstat(path, &file.status) < 0) {
		failed = warn_file(path);
		return;
	}
	if (!depth_first && depth >= min_depth) {
		examine(&file);
		pruned = prune;
	}
	if (S_ISDIR(file.status.st_mode) && !pruned && (max_depth < 0 || depth < max_depth)) {
		DIR *directory = opendir(path);
		if (!directory)
			failed = warn_file(path);
		char **names = 0;
		int names_count = 0;
		for (struct dirent *entry; directory && (entry = readdir(directory));)
			if (!is_name_of_this(entry->d_name)) {
				if (names_count % 32 == 0)
					names = realloc(names, (names_count + 32) * sizeof *names);
				names[names_count++] = join_path(path, entry->d_name);
			}
		if (directory)
			closedir(directory);
		for (int i = 0; i < names_count; i++) {
			walk(names[i], depth + 1);
			free(names[i]);
		}
		free(names);
	}
	if (depth_first && depth >= min_depth)
		examine(&file);
}

int find_main(int argc, char **argv)
{
	static char *here[] = { "." };
	int paths = 1;

	while (paths < argc && argv[paths][0] != '-' && strcmp(argv[paths], "(") && strcmp(argv[paths], "!"))
		paths++;
	expression = argv + paths;
	count = argc - paths;
	for (int i = 0; i < count; i++) {
		if (!strcmp(expression[i], "-print") || !strcmp(expression[i], "-print0") || !strcmp(expression[i], "-exec") || !strcmp(expression[i], "-delete"))
			acts = 1;
		if (!strcmp(expression[i], "-delete") || !strcmp(expression[i], "-depth"))
			depth_first = 1;
		if (!strcmp(expression[i], "-maxdepth") && i + 1 < count)
			max_depth = atoi(expression[i + 1]);
		if (!strcmp(expression[i], "-mindepth") && i + 1 < count)
			min_depth = atoi(expression[i + 1]);
	}
	char **roots = paths > 1 ? argv + 1 : here;
	for (int i = 0; i < (paths > 1 ? paths - 1 : 1); i++)
		walk(roots[i], 0);
	return failed;
}
