/* The path of a file with every link, "." and ".." resolved; every part of it must exist. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MAX 4096
#define LINKS_MAX 40

char *realpath(const char *restrict path, char *restrict resolved)
{
	char *rest = strdup(path), *done = malloc(2 * PATH_MAX);
	int links = 0;

	done[0] = 0;
	if (*path != '/' && !getcwd(done, PATH_MAX))
		goto fail;
	if (!strcmp(done, "/"))
		done[0] = 0;
	while (*rest) {
		size_t skipped = strspn(rest, "/"), length = strcspn(rest + skipped, "/");
		char *part = strndup(rest + skipped, length), *next = strdup(rest + skipped + length);
		free(rest);
		rest = next;
		size_t base = strlen(done);
		if (!strcmp(part, "..")) {
			char *slash = strrchr(done, '/');
			if (slash)
				*slash = 0;
		} else if (*part && strcmp(part, ".")) {
			if (base + length + 2 > PATH_MAX) {
				errno = ENAMETOOLONG;
				free(part);
				goto fail;
			}
			done[base] = '/';
			strcpy(done + base + 1, part);
			char target[PATH_MAX];
			ssize_t size = readlink(done, target, sizeof target - 1);
			if (size >= 0 && ++links < LINKS_MAX) {
				target[size] = 0;
				char *joined = malloc(size + strlen(rest) + 2);
				strcpy(stpcpy(stpcpy(joined, target), "/"), rest);
				free(rest);
				rest = joined;
				done[*target == '/' ? 0 : base] = 0;
			} else if (size >= 0 || errno != EINVAL) {
				if (size >= 0)
					errno = ELOOP;
				free(part);
				goto fail;
			}
		}
		free(part);
	}
	free(rest);
	if (!*done)
		strcpy(done, "/");
	if (!resolved)
		return done;
	strlcpy(resolved, done, PATH_MAX);
	free(done);
	return resolved;
fail:
	free(rest);
	free(done);
	return 0;
}
