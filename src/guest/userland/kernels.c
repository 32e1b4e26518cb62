/*
 * Popcorn's own commands.  They speak with the kernel through files:
 *   /proc/popcorn/kernels   who is up, with what: a header line and a line for each kernel
 *   /proc/popcorn/control   orders (boot, halt, mv-cpu ...), written; read, why the last one was refused
 *   /proc/popcorn/messages  messages as they pass, a line each
 *   /proc/popcorn/plan      the partitions
 *   /proc/PID/kernel        where a process runs; a number written there moves it
 *   /proc/PID/task/TID/kernel   where one of its threads computes; a number written there moves that one alone
 */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = 0;
	size_t capacity = 0;

	if (!file)
		return warn_file(path);
	for (long length; (length = getline(&line, &capacity, file)) > 0;)
		fwrite(line, 1, length, stdout);
	fclose(file);
	return 0;
}

/* Columns are as wide as their widest word; the last one is free text. */
int kernels_main(int argc, char **argv)
{
	enum { MOST_COLUMNS = 16 };
	int widths[MOST_COLUMNS] = { 0 }, columns = 0;
	char *line = 0;
	size_t capacity = 0;

	(void)argc, (void)argv;
	for (int pass = 0; pass < 2; pass++) {
		FILE *file = fopen("/proc/popcorn/kernels", "r");
		if (!file)
			return warn_file("/proc/popcorn/kernels");
		for (int row = 0; getline(&line, &capacity, file) > 0; row++) {
			char *at = line;
			for (int column = 0; *(at += strspn(at, " \t\n")); column++) {
				int last = columns && column >= columns - 1 && row;
				int length = last ? strcspn(at, "\n") : strcspn(at, " \t\n");
				if (column < MOST_COLUMNS && !pass && length > widths[column] && !last)
					widths[column] = length;
				if (pass)
					printf("%s%-*.*s", column ? "  " : "", last || column >= MOST_COLUMNS ? 0 : widths[column], length, at);
				at += length;
				if (!row && !pass && column < MOST_COLUMNS)
					columns = column + 1;
			}
			if (pass)
				putchar('\n');
		}
		fclose(file);
	}
	return 0;
}

static int write_line(const char *path, const char *text, const char *what)
{
	int fd = open(path, O_WRONLY), failed = 0;

	if (fd < 0)
		return warn_file(path);
	if (write(fd, text, strlen(text)) < 0)
		failed = warn_text("%s: %s", what, strerror(errno));
	close(fd);
	return failed;
}

static int is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static int migrate_thread(const char *tid, const char *kernel)
{
	char pattern[64], text[32], what[64];
	glob_t found;
	int failed;

	snprintf(pattern, sizeof pattern, "/proc/[0-9]*/task/%d/kernel", atoi(tid));
	if (glob(pattern, 0, 0, &found))
		return warn_text("thread %s: %s", tid, strerror(ESRCH));
	snprintf(text, sizeof text, "%d\n", atoi(kernel));
	snprintf(what, sizeof what, "thread %s to kernel %s", tid, kernel);
	failed = write_line(found.gl_pathv[0], text, what);
	globfree(&found);
	return failed;
}

int migrate_main(int argc, char **argv)
{
	char path[40], text[32], what[64];

	if (argc == 4 && !strcmp(argv[1], "--thread") && is_number(argv[2]) && is_number(argv[3]))
		return migrate_thread(argv[2], argv[3]);
	if (argc != 3 || !is_number(argv[1]) || !is_number(argv[2]))
		return usage("PID KERNEL | --thread TID KERNEL");
	snprintf(path, sizeof path, "/proc/%d/kernel", atoi(argv[1]));
	if (access(path, F_OK) < 0) {
		snprintf(path, sizeof path, "/proc/%d", atoi(argv[1]));
		return warn_text("process %s: %s", argv[1], access(path, F_OK) ? strerror(ESRCH) : "this system cannot move processes");
	}
	snprintf(text, sizeof text, "%d\n", atoi(argv[2]));
	snprintf(what, sizeof what, "process %s to kernel %s", argv[1], argv[2]);
	return write_line(path, text, what);
}

/* An order to the kernels: the words as they are.  Why it is refused stands in the same file. */
static int order(const char *verb, int argc, char **argv)
{
	char text[256];
	int fd, failed = 0;

	strlcpy(text, verb, sizeof text);
	for (int i = 1; i < argc; i++) {
		strlcat(text, " ", sizeof text);
		strlcat(text, argv[i], sizeof text);
	}
	strlcat(text, "\n", sizeof text);
	if ((fd = open("/proc/popcorn/control", O_WRONLY)) < 0)
		return warn_file("/proc/popcorn/control");
	if (write(fd, text, strlen(text)) < 0) {
		int number = errno;
		FILE *why = fopen("/proc/popcorn/control", "r");
		char reason[256] = "";
		if (why && fgets(reason, sizeof reason, why))
			reason[strcspn(reason, "\n")] = 0;
		if (why)
			fclose(why);
		failed = warn_text("%s", *reason ? reason : strerror(number));
	}
	close(fd);
	return failed;
}

/* Orders by the name that the command was called by, with the words that each needs at least and at most. */
int order_main(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int least, most;
		const char *usage;
	} orders[] = {
		{ "boot", 1, 99, "[KERNEL] [--cpus CORES] [--mem SIZE@NODE] [--dev DEVICES]" },
		{ "fault", 2, 99, "KERNEL lose TO [N] | corrupt TO [N] | deaf MS | memory MS | core CORE" },
		{ "halt", 0, 1, "[KERNEL]" },
		{ "merge", 2, 2, "KERNEL INTO" },
		{ "mv-cpu", 2, 2, "CORES KERNEL" },
		{ "mv-dev", 2, 2, "DEVICES KERNEL" },
		{ "mv-mem", 3, 3, "SIZE[@NODE] FROM|free TO" },
		{ "offline", 1, 1, "CORE" },
		{ "online", 1, 1, "CORE" },
		{ "panic", 0, 1, "[KERNEL]" },
		{ "split", 1, 99, "KERNEL [--cpus CORES] [--mem SIZE]" },
	};
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		if (!strcmp(orders[i].verb, name))
			return argc - 1 < orders[i].least || argc - 1 > orders[i].most ? usage(orders[i].usage) : order(name, argc, argv);
	return warn_text("%s: no order", name);
}

/* Without words they show the state. */
int balance_main(int argc, char **argv)
{
	return argc < 2 ? copy_file("/proc/popcorn/balance") : order("balance", argc, argv);
}

int switch_main(int argc, char **argv)
{
	return argc < 2 ? copy_file("/proc/popcorn/switch") : order("switch", argc, argv);
}

int link_main(int argc, char **argv)
{
	return argc < 2 ? copy_file("/proc/popcorn/link") : order("link", argc, argv);
}

int msgmon_main(int argc, char **argv)
{
	long count = -1;
	char *line = 0;
	size_t capacity = 0;

	if (argc > 2 && !strcmp(argv[1], "-n"))
		count = atol(argv[2]);
	else if (argc > 1)
		return usage("[-n COUNT]");
	FILE *messages = fopen("/proc/popcorn/messages", "r");
	if (!messages)
		return warn_file("/proc/popcorn/messages");
	for (long length; count && (length = getline(&line, &capacity, messages)) > 0; count -= count > 0) {
		fwrite(line, 1, length, stdout);
		fflush(stdout);
	}
	fclose(messages);
	return 0;
}

int mpart_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return copy_file("/proc/popcorn/plan");
}
