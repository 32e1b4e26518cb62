/* The page of a folder that has no index.html: its files by name, at most MOST of them. */
#include "httpd.h"
#include "network.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1000, PAGE_SIZE = 128 << 10 };

struct page {
	char *text;
	size_t length;
};

/* Adds what fits as a whole. */
static int add(struct page *page, const char *text)
{
	size_t length = strlen(text);

	if (page->length + length >= PAGE_SIZE)
		return -1;
	memcpy(page->text + page->length, text, length + 1);
	page->length += length;
	return 0;
}

static void add_html(struct page *page, const char *text)
{
	for (; *text; text++) {
		const char *escape = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" : *text == '"' ? "&quot;" : 0;
		add(page, escape ? escape : (char[]){ *text, 0 });
	}
}

static void add_link(struct page *page, const char *text)
{
	for (; *text; text++) {
		char escape[4] = { *text, 0 };
		if (!isalnum((unsigned char)*text) && !strchr("-._~/", *text))
			snprintf(escape, sizeof escape, "%%%02X", (unsigned char)*text);
		add(page, escape);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names with a slash after those of folders; hidden ones are left out. */
static int read_names(DIR *directory, char *names[MOST])
{
	int count = 0;

	for (struct dirent *entry; count < MOST && (entry = readdir(directory));)
		if (entry->d_name[0] != '.' && asprintf(&names[count], "%s%s", entry->d_name, entry->d_type == DT_DIR ? "/" : "") >= 0)
			count++;
	qsort(names, count, sizeof *names, by_name);
	return count;
}

char *list_folder(int folder, const char *path, size_t *length)
{
	struct page page = { malloc(PAGE_SIZE), 0 };
	DIR *directory = page.text ? fdopendir(folder) : 0;
	char **names = directory ? malloc(MOST * sizeof *names) : 0;

	if (!names) {
		free(page.text);
		directory ? closedir(directory) : close(folder);
		return 0;
	}
	int count = read_names(directory, names);
	closedir(directory);
	add(&page, "<html><head><title>Index of /");
	add_html(&page, path);
	add(&page, "</title></head>\n<body><h1>Index of /");
	add_html(&page, path);
	add(&page, "</h1>\n<pre>\n");
	if (*path)
		add(&page, "<a href=\"../\">../</a>\n");
	for (int i = 0; i < count; i++) {
		/* A line needs at most 3 bytes a letter in its link and 6 in its text. */
		if (page.length + 9 * strlen(names[i]) + 64 < PAGE_SIZE) {
			add(&page, "<a href=\"");
			add_link(&page, names[i]);
			add(&page, "\">");
			add_html(&page, names[i]);
			add(&page, "</a>\n");
		}
		free(names[i]);
	}
	free(names);
	add(&page, "</pre></body></html>\n");
	*length = page.length;
	return page.text;
}
