/* Commands that change the file tree: cp mv rm mkdir rmdir ln touch chmod mkfifo sync. */
#include "userland.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_directory(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static const char *last_part(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	const char *at = path + length;
	while (at > path && at[-1] != '/')
		at--;
	char *part = strndup(at, path + length - at);
	return part;
}

/* ---- Removing ---- */

static int remove_tree(const char *path, int recursive, int force, int verbose)
{
	struct stat status;
	int failed = 0;

	if (lstat(path, &status) < 0)
		return force && errno == ENOENT ? 0 : warn_file(path);
	if (!S_ISDIR(status.st_mode)) {
		if (unlink(path) < 0)
			return warn_file(path);
	} else {
		if (!recursive)
			return warn_text("%s: Is a directory", path);
		char **names = 0; /* read whole before anything is removed, so that the listing does not shift */
		int count = 0;
		DIR *directory = opendir(path);
		if (!directory)
			return warn_file(path);
		for (struct dirent *entry; (entry = readdir(directory));)
			if (!is_name_of_this(entry->d_name)) {
				if (count % 32 == 0)
					names = realloc(names, (count + 32) * sizeof *names);
				names[count++] = strdup(entry->d_name);
			}
		closedir(directory);
		for (int i = 0; i < count; i++) {
			char *inner = join_path(path, names[i]);
			failed |= remove_tree(inner, 1, force, verbose);
			free(inner);
			free(names[i]);
		}
		free(names);
		if (rmdir(path) < 0)
			return warn_file(path);
	}
	if (verbose)
		printf("removed '%s'\n", path);
	return failed;
}

int rm_main(int argc, char **argv)
{
	int option, recursive = 0, force = 0, verbose = 0, failed = 0;

	while ((option = getopt(argc, argv, "rRfiv")) != -1)
		switch (option) {
		case 'r':
		case 'R': recursive = 1; break;
		case 'f': force = 1; break;
		case 'v': verbose = 1; break;
		case 'i': break;
		default: return usage("[-rfv] FILE...");
		}
	if (optind == argc && !force)
		return usage("[-rfv] FILE...");
	for (; optind < argc; optind++) {
		const char *name = last_part(argv[optind]);
		failed |= is_name_of_this(name) || !strcmp(argv[optind], "/") ? warn_text("%s: refused", argv[optind]) : remove_tree(argv[optind], recursive, force, verbose);
	}
	return failed;
}

int rmdir_main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		if (rmdir(argv[i]) < 0)
			failed = warn_file(argv[i]);
	return argc < 2 ? usage("DIRECTORY...") : failed;
}

/* ---- Copying and moving ---- */

struct copying {
	int recursive, keep, force, verbose;
};

static int copy_bytes(const char *from, const char *to, const struct stat *status, const struct copying *how)
{
	static char buffer[65536];
	ssize_t size;
	int failed = 0, in = open(from, O_RDONLY);

	if (in < 0)
		return warn_file(from);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, status->st_mode & 0777);
	if (out < 0 && how->force && unlink(to) == 0)
		out = open(to, O_WRONLY | O_CREAT | O_TRUNC, status->st_mode & 0777);
	if (out < 0) {
		failed = warn_file(to);
		close(in);
		return failed;
	}
	while (!failed && (size = read(in, buffer, sizeof buffer)) != 0) {
		if (size < 0)
			failed = warn_file(from);
		for (ssize_t done = 0, written; !failed && done < size; done += written)
			if ((written = write(out, buffer + done, size - done)) < 0) {
				failed = warn_file(to);
				break;
			}
	}
	close(in);
	close(out);
	return failed;
}

static int copy_tree(const char *from, const char *to, const struct copying *how)
{
	struct stat status, target;
	int failed = 0;

	if ((how->recursive ? lstat : stat)(from, &status) < 0)
		return warn_file(from);
	if (stat(to, &target) == 0 && target.st_dev == status.st_dev && target.st_ino == status.st_ino)
		return warn_text("'%s' and '%s' are the same file", from, to);
	if (S_ISDIR(status.st_mode)) {
		if (!how->recursive)
			return warn_text("%s: is a directory (-r copies it)", from);
		size_t length = strlen(from);
		if (!strncmp(from, to, length) && to[length] == '/')
			return warn_text("%s: cannot be copied into itself", from);
		if (mkdir(to, 0700 | (status.st_mode & 0777)) < 0 && errno != EEXIST)
			return warn_file(to);
		DIR *directory = opendir(from);
		if (!directory)
			return warn_file(from);
		for (struct dirent *entry; (entry = readdir(directory));)
			if (!is_name_of_this(entry->d_name)) {
				char *inner_from = join_path(from, entry->d_name), *inner_to = join_path(to, entry->d_name);
				failed |= copy_tree(inner_from, inner_to, how);
				free(inner_from);
				free(inner_to);
			}
		closedir(directory);
	} else if (S_ISLNK(status.st_mode)) {
		char link[4096];
		ssize_t length = readlink(from, link, sizeof link - 1);
		if (length < 0)
			return warn_file(from);
		link[length] = 0;
		if (symlink(link, to) < 0)
			return warn_file(to);
		return 0;
	} else if (S_ISREG(status.st_mode) || !how->recursive)
		failed = copy_bytes(from, to, &status, how);
	else if (mknod(to, status.st_mode, status.st_rdev) < 0)
		return warn_file(to);
	if (how->keep) {
		chmod(to, status.st_mode & 07777);
		utimensat(AT_FDCWD, to, (struct timespec[]){ status.st_atim, status.st_mtim }, 0);
	}
	if (how->verbose)
		printf("'%s' -> '%s'\n", from, to);
	return failed;
}

/* For cp, mv and ln: the last argument is the target, and a directory takes any number of sources. */
static int each_pair(int argc, char **argv, int (*act)(const char *, const char *, const void *), const void *how)
{
	int failed = 0;
	char *target = argv[argc - 1];

	if (argc - optind < 2)
		return usage("SOURCE... TARGET");
	int into = is_directory(target);
	if (argc - optind > 2 && !into)
		return warn_text("%s: is not a directory", target);
	for (; optind < argc - 1; optind++) {
		char *full = into ? join_path(target, last_part(argv[optind])) : strdup(target);
		failed |= act(argv[optind], full, how);
		free(full);
	}
	return failed;
}

static int copy_one(const char *from, const char *to, const void *how)
{
	return copy_tree(from, to, how);
}

int cp_main(int argc, char **argv)
{
	struct copying how = { 0 };
	int option;

	while ((option = getopt(argc, argv, "rRapfvd")) != -1)
		switch (option) {
		case 'a': how.keep = 1; /* fall through */
		case 'r':
		case 'R': how.recursive = 1; break;
		case 'p': how.keep = 1; break;
		case 'f': how.force = 1; break;
		case 'v': how.verbose = 1; break;
		case 'd': break;
		default: return usage("[-rapfv] SOURCE... TARGET");
		}
	return each_pair(argc, argv, copy_one, &how);
}

static int move_one(const char *from, const char *to, const void *how)
{
	const struct copying *copying = how;

	if (rename(from, to) < 0) {
		if (errno != EXDEV)
			return warn_file(from);
		if (copy_tree(from, to, &(struct copying){ .recursive = 1, .keep = 1 }))
			return 1;
		return remove_tree(from, 1, 1, 0);
	}
	if (copying->verbose)
		printf("'%s' -> '%s'\n", from, to);
	return 0;
}

int mv_main(int argc, char **argv)
{
	struct copying how = { 0 };
	int option;

	while ((option = getopt(argc, argv, "fivn")) != -1)
		if (option == 'v')
			how.verbose = 1;
		else if (option == '?')
			return usage("[-fv] SOURCE... TARGET");
	return each_pair(argc, argv, move_one, &how);
}

struct linking {
	int symbolic, force;
};

static int link_one(const char *from, const char *to, const void *how)
{
	const struct linking *linking = how;

	if (linking->force)
		unlink(to);
	return (linking->symbolic ? symlink : link)(from, to) < 0 ? warn_file(to) : 0;
}

int ln_main(int argc, char **argv)
{
	struct linking how = { 0 };
	int option;

	while ((option = getopt(argc, argv, "sfn")) != -1)
		if (option == 's')
			how.symbolic = 1;
		else if (option == 'f')
			how.force = 1;
		else if (option == '?')
			return usage("[-sf] TARGET... LINK");
	return each_pair(argc, argv, link_one, &how);
}

/* ---- Making ---- */

static int make_directory(char *path, int parents, mode_t mode)
{
	for (char *slash = path + 1; parents && (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return warn_file(path);
		*slash = '/';
	}
	if (mkdir(path, mode) < 0 && !(parents && errno == EEXIST && is_directory(path)))
		return warn_file(path);
	return 0;
}

int mkdir_main(int argc, char **argv)
{
	int option, parents = 0, failed = 0;
	mode_t mode = 0777;

	while ((option = getopt(argc, argv, "pm:")) != -1)
		if (option == 'p')
			parents = 1;
		else if (option == 'm')
			mode = strtol(optarg, 0, 8);
		else
			return usage("[-p] [-m MODE] DIRECTORY...");
	if (optind == argc)
		return usage("[-p] [-m MODE] DIRECTORY...");
	for (; optind < argc; optind++)
		failed |= make_directory(argv[optind], parents, mode);
	return failed;
}

int mkfifo_main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		if (mkfifo(argv[i], 0666) < 0)
			failed = warn_file(argv[i]);
	return argc < 2 ? usage("NAME...") : failed;
}

int touch_main(int argc, char **argv)
{
	int option, create = 1, failed = 0;

	while ((option = getopt(argc, argv, "cam")) != -1)
		if (option == 'c')
			create = 0;
		else if (option == '?')
			return usage("[-c] FILE...");
	for (; optind < argc; optind++) {
		if (utimensat(AT_FDCWD, argv[optind], 0, 0) == 0)
			continue;
		if (errno != ENOENT)
			failed = warn_file(argv[optind]);
		else if (create) {
			int fd = open(argv[optind], O_WRONLY | O_CREAT, 0666);
			if (fd < 0)
				failed = warn_file(argv[optind]);
			else
				close(fd);
		}
	}
	return failed;
}

/* "755" or "u+x,go-w" applied to a mode; -1 if it is neither. */
static int changed_mode(const char *text, int mode, int directory)
{
	char *end;
	long octal = strtol(text, &end, 8);

	if (isdigit((unsigned char)*text))
		return *end || octal > 07777 ? -1 : octal;
	for (;;) {
		int who = 0, bits = 0;
		for (; strchr("ugoa", *text) && *text; text++)
			who |= *text == 'u' ? 04700 : *text == 'g' ? 02070 : *text == 'o' ? 01007 : 07777;
		if (!who)
			who = 07777;
		char operator = *text++;
		if (!operator || !strchr("+-=", operator))
			return -1;
		for (; *text && *text != ','; text++)
			switch (*text) {
			case 'r': bits |= 0444; break;
			case 'w': bits |= 0222; break;
			case 'x': bits |= 0111; break;
			case 'X': bits |= directory || mode & 0111 ? 0111 : 0; break;
			case 's': bits |= 06000; break;
			case 't': bits |= 01000; break;
			default: return -1;
			}
		bits &= who;
		mode = operator == '+' ? mode | bits : operator == '-' ? mode & ~bits : (mode & ~(who & 0777)) | bits;
		if (*text++ != ',')
			return mode;
	}
}

static int change_tree(const char *text, const char *path, int recursive)
{
	struct stat status;
	int failed = 0;

	if (stat(path, &status) < 0)
		return warn_file(path);
	int mode = changed_mode(text, status.st_mode & 07777, S_ISDIR(status.st_mode));
	if (mode < 0)
		return warn_text("%s: not a mode", text);
	if (chmod(path, mode) < 0)
		failed = warn_file(path);
	DIR *directory = recursive && S_ISDIR(status.st_mode) ? opendir(path) : 0;
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (!is_name_of_this(entry->d_name)) {
			char *inner = join_path(path, entry->d_name);
			failed |= change_tree(text, inner, 1);
			free(inner);
		}
	if (directory)
		closedir(directory);
	return failed;
}

int chmod_main(int argc, char **argv)
{
	int first = 1, recursive = 0, failed = 0;

	if (argc > 1 && !strcmp(argv[1], "-R")) {
		recursive = 1;
		first++;
	}
	if (argc < first + 2)
		return usage("[-R] MODE FILE...");
	for (int i = first + 1; i < argc; i++)
		failed |= change_tree(argv[first], argv[i], recursive);
	return failed;
}

int sync_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	sync();
	return 0;
}
