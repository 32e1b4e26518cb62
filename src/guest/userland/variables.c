/*
 * The shell's variables.  Exported ones are what a command finds in its environment.  A function's local variables are
 * kept as the values they hide, in a stack of scopes.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

struct variable {
	char *name, *value; /* value is 0 for one that is exported or local but unset */
	int exported, readonly;
	struct variable *next;
};

#define BUCKETS 64
static struct variable *buckets[BUCKETS];

struct hidden {
	char *name, *value;
	int exported, depth;
	struct hidden *next;
};
static struct hidden *hidden;
static int scope_depth;

static struct variable *find(const char *name, int create)
{
	unsigned hash = 0;

	for (const char *c = name; *c; c++)
		hash = hash * 31 + (unsigned char)*c;
	struct variable **link = &buckets[hash % BUCKETS];
	for (; *link; link = &(*link)->next)
		if (!strcmp((*link)->name, name))
			return *link;
	if (create) {
		*link = calloc(1, sizeof **link);
		(*link)->name = strdup(name);
	}
	return *link;
}

const char *get_variable(const char *name)
{
	struct variable *variable = find(name, 0);
	return variable ? variable->value : 0;
}

void set_variable(const char *name, const char *value)
{
	struct variable *variable = find(name, 1);

	if (variable->readonly)
		shell_error("%s: readonly variable", name);
	char *copy = value ? strdup(value) : 0; /* value may be part of the old one */
	free(variable->value);
	variable->value = copy;
}

void export_variable(const char *name) { find(name, 1)->exported = 1; }
void make_readonly(const char *name) { find(name, 1)->readonly = 1; }

void unset_variable(const char *name)
{
	struct variable *variable = find(name, 0);

	if (!variable)
		return;
	set_variable(name, 0);
	variable->exported = 0;
}

size_t name_length(const char *s)
{
	size_t length = 0;

	if (!isdigit((unsigned char)*s))
		while (isalnum((unsigned char)s[length]) || s[length] == '_')
			length++;
	return length;
}

int is_assignment(const char *word)
{
	size_t length = name_length(word);
	return length && word[length] == '=';
}

void variables_from_environment(char **environment)
{
	for (; *environment; environment++)
		if (is_assignment(*environment)) {
			size_t length = name_length(*environment);
			char *name = strndup(*environment, length);
			set_variable(name, *environment + length + 1);
			export_variable(name);
			free(name);
		}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct variable *const *)a)->name, (*(struct variable *const *)b)->name);
}

static struct variable **sorted(int exported_only, int *count)
{
	int total = 0;

	for (int i = 0; i < BUCKETS; i++)
		for (struct variable *v = buckets[i]; v; v = v->next)
			total++;
	struct variable **all = scratch_alloc((total + 1) * sizeof *all);
	*count = 0;
	for (int i = 0; i < BUCKETS; i++)
		for (struct variable *v = buckets[i]; v; v = v->next)
			if (v->value && (v->exported || !exported_only))
				all[(*count)++] = v;
	qsort(all, *count, sizeof *all, by_name);
	return all;
}

char **environment_for_exec(void)
{
	int count;
	struct variable **all = sorted(1, &count);
	char **environment = scratch_alloc((count + 1) * sizeof *environment);

	for (int i = 0; i < count; i++) {
		struct text entry = { 0 };
		text_add(&entry, all[i]->name, strlen(all[i]->name));
		text_char(&entry, '=');
		text_add(&entry, all[i]->value, strlen(all[i]->value));
		environment[i] = text_end(&entry);
	}
	return environment;
}

/* In a form that the shell can read again. */
void print_variables(int exported_only)
{
	int count;
	struct variable **all = sorted(exported_only, &count);

	for (int i = 0; i < count; i++) {
		printf("%s%s='", exported_only ? "export " : "", all[i]->name);
		for (const char *c = all[i]->value; *c; c++)
			if (*c == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*c);
		puts("'");
	}
}

void enter_scope(void)
{
	scope_depth++;
}

void make_local(const char *name)
{
	struct variable *variable = find(name, 1);
	struct hidden *entry = malloc(sizeof *entry);

	*entry = (struct hidden){ variable->name, variable->value, variable->exported, scope_depth, hidden };
	hidden = entry;
	variable->value = 0;
}

void leave_scope(void)
{
	while (hidden && hidden->depth == scope_depth) {
		struct hidden *entry = hidden;
		struct variable *variable = find(entry->name, 1);
		free(variable->value);
		variable->value = entry->value;
		variable->exported = entry->exported;
		hidden = entry->next;
		free(entry);
	}
	scope_depth--;
}
