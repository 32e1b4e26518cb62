/* Completion: names of commands for the first word, of files elsewhere. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "shell.h"

static void add(struct completions *found, const char *name, const char *suffix)
{
	for (int i = 0; i < found->count; i++)
		if (!strcmp(found->items[i], name))
			return;
	found->items = realloc(found->items, (found->count + 1) * sizeof *found->items);
	char *item = malloc(strlen(name) + 2);
	strcpy(stpcpy(item, name), suffix);
	found->items[found->count++] = item;
}

static void add_files(struct completions *found, const char *folder, const char *prefix, int commands)
{
	DIR *directory = opendir(*folder ? folder : ".");

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		const char *name = entry->d_name;
		if (strncmp(name, prefix, strlen(prefix)) || (*name == '.' && *prefix != '.') || !strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		char path[4096];
		struct stat status;
		snprintf(path, sizeof path, "%s%s%s", folder, *folder && !commands ? "" : *folder ? "/" : "", name);
		int is_folder = !stat(path, &status) && S_ISDIR(status.st_mode);
		if (commands && (is_folder || access(path, X_OK) < 0))
			continue;
		add(found, name, is_folder ? "/" : "");
	}
	if (directory)
		closedir(directory);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct completions complete(const char *line, size_t cursor)
{
	struct completions found = { .start = cursor };

	while (found.start && !strchr(" \t|&;()<>=`\"'", line[found.start - 1]))
		found.start--;
	size_t lead = found.start;
	while (lead && (line[lead - 1] == ' ' || line[lead - 1] == '\t'))
		lead--;
	int is_command = !lead || strchr("|&;(`", line[lead - 1]);

	char *word = strndup(line + found.start, cursor - found.start), *slash = strrchr(word, '/');
	if (!slash && is_command) {
		const char *name, *path = get_variable("PATH");
		for (int i = 0; (name = builtin_name(i)); i++)
			if (!strncmp(name, word, strlen(word)))
				add(&found, name, "");
		for (const char *at = path ? path : "", *end; *at; at = end + (*end != 0)) {
			end = strchrnul(at, ':');
			char *folder = strndup(at, end - at);
			add_files(&found, folder, word, 1);
			free(folder);
		}
	} else {
		char folder[4096] = "";
		const char *home = get_variable("HOME");
		size_t length = slash ? slash + 1 - word : 0;
		if (word[0] == '~' && word[1] == '/' && home)
			snprintf(folder, sizeof folder, "%s%.*s", home, (int)length - 1, word + 1);
		else
			snprintf(folder, sizeof folder, "%.*s", (int)length, word);
		add_files(&found, folder, slash ? slash + 1 : word, 0);
	}
	free(word);
	if (found.count)
		qsort(found.items, found.count, sizeof *found.items, by_name);
	return found;
}

void completions_free(struct completions *found)
{
	for (int i = 0; i < found->count; i++)
		free(found->items[i]);
	free(found->items);
}
