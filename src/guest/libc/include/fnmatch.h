#pragma once
#define FNM_NOMATCH 1
#define FNM_PERIOD 4

/* A backslash takes the sign after it literally; FNM_PERIOD: a leading dot is matched by a dot alone. */
int fnmatch(const char *pattern, const char *s, int flags);
