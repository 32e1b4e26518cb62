#pragma once
#include <stddef.h>

#define REG_EXTENDED 1
#define REG_ICASE 2
#define REG_NOSUB 4
#define REG_NOTBOL 1
#define REG_NOMATCH 1
#define REG_BADPAT 2

typedef long regoff_t;
typedef struct {
	size_t re_nsub;
	void *program;
} regex_t;
typedef struct {
	regoff_t rm_so, rm_eo;
} regmatch_t;

int regcomp(regex_t *regex, const char *pattern, int flags);
int regexec(const regex_t *regex, const char *s, size_t count, regmatch_t matches[], int flags);
void regfree(regex_t *regex);
