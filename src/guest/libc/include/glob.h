#pragma once
#include <stddef.h>

#define GLOB_NOMATCH 3
typedef struct {
	size_t gl_pathc;
	char **gl_pathv;
} glob_t;

/* Sorted paths that match; GLOB_NOMATCH, and none, where there is none. */
int glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result);
void globfree(glob_t *result);
