/* ls [-alhR1dtSrFi] [FILE…], stat, readlink, realpath, du, df: what is in the file tree. */
#include "userland.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

struct entry {
	char *name, *target; /* target: where a link points, for -l */
	struct stat status;
};

static struct {
	int all, long_form, human, recursive, one_column, directory, by_time, by_size, reverse, classify, inode, colour;
} flags;

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	long order = 0;

	if (flags.by_time)
		order = y->status.st_mtime - x->status.st_mtime;
	if (flags.by_size)
		order = y->status.st_size - x->status.st_size;
	int result = order ? order < 0 ? -1 : 1 : strcmp(x->name, y->name);
	return flags.reverse ? -result : result;
}

static int examine(struct entry *entry, const char *name, const char *path)
{
	if ((flags.long_form || flags.directory || name != path ? lstat : stat)(path, &entry->status) < 0 && lstat(path, &entry->status) < 0)
		return warn_file(path);
	entry->name = strdup(name);
	entry->target = 0;
	if (flags.long_form && S_ISLNK(entry->status.st_mode)) {
		char link[4096];
		ssize_t length = readlink(path, link, sizeof link - 1);
		if (length >= 0)
			entry->target = strndup(link, length);
	}
	return 0;
}

static void print_name(const struct entry *entry, int padding)
{
	mode_t mode = entry->status.st_mode;
	const char *mark = !flags.classify ? "" : S_ISDIR(mode) ? "/" : S_ISLNK(mode) ? "@" : S_ISFIFO(mode) ? "|" : S_ISREG(mode) && mode & 0111 ? "*" : "";
	const char *colour = S_ISDIR(mode) ? "\033[1;34m" : S_ISLNK(mode) ? "\033[1;36m" : S_ISCHR(mode) || S_ISBLK(mode) ? "\033[1;33m" : S_ISREG(mode) && mode & 0111 ? "\033[1;32m" : "";

	if (flags.inode)
		printf("%6lu ", entry->status.st_ino);
	printf("%s%s%s%s", flags.colour ? colour : "", entry->name, flags.colour && *colour ? "\033[m" : "", mark);
	padding -= strlen(entry->name) + strlen(mark);
	if (padding > 0)
		printf("%*s", padding, "");
}

static void print_long(const struct entry *entries, int count)
{
	int links = 1, size = 1;
	char text[16], mode[11], when[32];

	for (int i = 0; i < count; i++) {
		int width = snprintf(0, 0, "%u", entries[i].status.st_nlink);
		if (width > links)
			links = width;
		width = flags.human ? (int)strlen(human_size(entries[i].status.st_size, text)) : snprintf(0, 0, "%ld", entries[i].status.st_size);
		if (S_ISCHR(entries[i].status.st_mode))
			width = 8;
		if (width > size)
			size = width;
	}
	for (int i = 0; i < count; i++) {
		const struct stat *s = &entries[i].status;
		mode_text(s->st_mode, mode);
		if (s->st_uid)
			snprintf(when, sizeof when, "%-8u %-8u", s->st_uid, s->st_gid);
		else
			strcpy(when, "root     root    ");
		printf("%s %*u %s ", mode, links, s->st_nlink, when);
		if (S_ISCHR(s->st_mode) || S_ISBLK(s->st_mode))
			printf("%*u, %3u ", size - 5, major(s->st_rdev), minor(s->st_rdev));
		else if (flags.human)
			printf("%*s ", size, human_size(s->st_size, text));
		else
			printf("%*ld ", size, s->st_size);
		long age = time(0) - s->st_mtime;
		strftime(when, sizeof when, age > 180 * 86400l || age < -86400 ? "%b %e  %Y" : "%b %e %H:%M", gmtime(&s->st_mtime));
		printf("%s ", when);
		print_name(&entries[i], 0);
		if (entries[i].target)
			printf(" -> %s", entries[i].target);
		putchar('\n');
	}
}

static void print_columns(const struct entry *entries, int count)
{
	int widest = 1, terminal = terminal_columns(1);

	for (int i = 0; i < count; i++) {
		int width = strlen(entries[i].name) + flags.classify + (flags.inode ? 7 : 0);
		if (width > widest)
			widest = width;
	}
	int columns = terminal / (widest + 2), rows;
	if (columns < 1)
		columns = 1;
	rows = (count + columns - 1) / columns;
	for (int row = 0; row < rows; row++) {
		for (int i = row; i < count; i += rows)
			print_name(&entries[i], i + rows < count ? widest + 2 - (flags.inode ? 7 : 0) : 0);
		putchar('\n');
	}
}

static void print_entries(struct entry *entries, int count)
{
	if (count)
		qsort(entries, count, sizeof *entries, compare);
	if (flags.long_form)
		print_long(entries, count);
	else if (flags.one_column)
		for (int i = 0; i < count; i++) {
			print_name(&entries[i], 0);
			putchar('\n');
		}
	else
		print_columns(entries, count);
}

static int list_directory(const char *path, int titled)
{
	static int listed;
	struct entry *entries = 0;
	int count = 0, failed = 0;
	long blocks = 0;
	DIR *directory = opendir(path);

	if (!directory)
		return warn_file(path);
	for (struct dirent *found; (found = readdir(directory));) {
		if (found->d_name[0] == '.' && !(flags.all && (flags.all == 1 || !is_name_of_this(found->d_name))))
			continue;
		if (count % 32 == 0)
			entries = realloc(entries, (count + 32) * sizeof *entries);
		char *full = join_path(path, found->d_name);
		if (examine(&entries[count], found->d_name, full) == 0)
			blocks += entries[count++].status.st_blocks;
		else
			failed = 1;
		free(full);
	}
	closedir(directory);
	if (titled)
		printf("%s%s:\n", listed ? "\n" : "", path);
	listed = 1;
	if (flags.long_form)
		printf("total %ld\n", blocks / 2);
	print_entries(entries, count);
	for (int i = 0; i < count; i++) {
		if (flags.recursive && S_ISDIR(entries[i].status.st_mode) && !is_name_of_this(entries[i].name)) {
			char *full = join_path(path, entries[i].name);
			failed |= list_directory(full, 1);
			free(full);
		}
		free(entries[i].name);
		free(entries[i].target);
	}
	free(entries);
	return failed;
}

int ls_main(int argc, char **argv)
{
	int option, failed = 0, many;

	flags.one_column = !isatty(1);
	flags.colour = isatty(1);
	while ((option = getopt(argc, argv, "aAlhR1dtSrFipCnk")) != -1)
		switch (option) {
		case 'a': flags.all = 1; break;
		case 'A': flags.all = 2; break;
		case 'l':
		case 'n': flags.long_form = 1; break;
		case 'h': flags.human = 1; break;
		case 'R': flags.recursive = 1; break;
		case '1': flags.one_column = 1; break;
		case 'C': flags.one_column = 0; break;
		case 'd': flags.directory = 1; break;
		case 't': flags.by_time = 1; break;
		case 'S': flags.by_size = 1; break;
		case 'r': flags.reverse = 1; break;
		case 'p':
		case 'F': flags.classify = 1; break;
		case 'i': flags.inode = 1; break;
		case 'k': break;
		default: return usage("[-alhR1dtSrFi] [FILE...]");
		}
	if (optind == argc)
		argv[--optind] = ".";
	many = argc - optind > 1 || flags.recursive;
	struct entry *plain = calloc(argc, sizeof *plain), *folders = calloc(argc, sizeof *folders);
	int plain_count = 0, folder_count = 0;
	for (; optind < argc; optind++) {
		struct entry entry;
		if (examine(&entry, argv[optind], argv[optind]))
			failed = 2;
		else if (S_ISDIR(entry.status.st_mode) && !flags.directory)
			folders[folder_count++] = entry;
		else
			plain[plain_count++] = entry;
	}
	if (plain_count)
		print_entries(plain, plain_count);
	if (plain_count && folder_count)
		putchar('\n');
	qsort(folders, folder_count, sizeof *folders, compare);
	for (int i = 0; i < folder_count; i++)
		failed |= list_directory(folders[i].name, many || plain_count);
	return failed;
}

int stat_main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct stat s;
		char mode[11], when[64];
		if (lstat(argv[i], &s) < 0) {
			failed = warn_file(argv[i]);
			continue;
		}
		mode_text(s.st_mode, mode);
		printf("  File: %s\n  Size: %-15ld Blocks: %-10ld IO Block: %d\n", argv[i], s.st_size, s.st_blocks, s.st_blksize);
		printf("Device: %lxh/%lud\tInode: %-11lu Links: %u\n", s.st_dev, s.st_dev, s.st_ino, s.st_nlink);
		printf("Access: (%04o/%s)  Uid: %u  Gid: %u\n", s.st_mode & 07777, mode, s.st_uid, s.st_gid);
		static const char *const labels[] = { "Access", "Modify", "Change" };
		const struct timespec *times[] = { &s.st_atim, &s.st_mtim, &s.st_ctim };
		for (int t = 0; t < 3; t++) {
			strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", gmtime(&times[t]->tv_sec));
			printf("%s: %s.%09ld +0000\n", labels[t], when, times[t]->tv_nsec);
		}
	}
	return argc < 2 ? usage("FILE...") : failed;
}

int readlink_main(int argc, char **argv)
{
	char target[4096];
	int resolve = argc > 2 && !strcmp(argv[1], "-f");

	if (argc < 2)
		return usage("[-f] LINK");
	if (resolve ? !realpath(argv[2], target) : 0)
		return 1;
	if (!resolve) {
		ssize_t length = readlink(argv[1], target, sizeof target - 1);
		if (length < 0)
			return 1;
		target[length] = 0;
	}
	puts(target);
	return 0;
}

int realpath_main(int argc, char **argv)
{
	char path[4096];
	int failed = 0;

	for (int i = 1; i < argc; i++)
		if (realpath(argv[i], path))
			puts(path);
		else
			failed = warn_file(argv[i]);
	return failed;
}

static long disk_usage(const char *path, int summary, int human, int top)
{
	struct stat status;
	char text[16];

	if (lstat(path, &status) < 0) {
		warn_file(path);
		return 0;
	}
	long kilobytes = status.st_blocks / 2;
	DIR *directory = S_ISDIR(status.st_mode) ? opendir(path) : 0;
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (!is_name_of_this(entry->d_name)) {
			char *inner = join_path(path, entry->d_name);
			kilobytes += disk_usage(inner, summary, human, 0);
			free(inner);
		}
	if (directory)
		closedir(directory);
	if (top || (directory && !summary)) {
		if (human)
			printf("%s\t%s\n", human_size(kilobytes * 1024, text), path);
		else
			printf("%ld\t%s\n", kilobytes, path);
	}
	return kilobytes;
}

int du_main(int argc, char **argv)
{
	int option, summary = 0, human = 0;

	while ((option = getopt(argc, argv, "shk")) != -1)
		if (option == 's')
			summary = 1;
		else if (option == 'h')
			human = 1;
	if (optind == argc)
		argv[--optind] = ".";
	for (; optind < argc; optind++)
		disk_usage(argv[optind], summary, human, 1);
	return 0;
}

int df_main(int argc, char **argv)
{
	int human = argc > 1 && !strcmp(argv[1], "-h");
	FILE *mounts = fopen("/proc/mounts", "r");
	char *line = 0, sizes[3][16];
	size_t capacity = 0;

	if (!mounts)
		return warn_file("/proc/mounts");
	printf("%-15s %10s %10s %10s %4s %s\n", "Filesystem", human ? "Size" : "1K-blocks", "Used", "Available", "Use%", "Mounted on");
	while (getline(&line, &capacity, mounts) > 0) {
		char *device = strtok(line, " "), *target = strtok(0, " ");
		struct statfs s;
		if (!target || statfs(target, &s) < 0 || !s.f_blocks)
			continue;
		unsigned long used = s.f_blocks - s.f_bfree, values[] = { s.f_blocks, used, s.f_bavail };
		for (int i = 0; i < 3; i++)
			if (human)
				human_size(values[i] * s.f_bsize, sizes[i]);
			else
				snprintf(sizes[i], 16, "%lu", values[i] * s.f_bsize / 1024);
		printf("%-15s %10s %10s %10s %3lu%% %s\n", device, sizes[0], sizes[1], sizes[2], (used * 100 + s.f_blocks - 1) / s.f_blocks, target);
	}
	fclose(mounts);
	return 0;
}
