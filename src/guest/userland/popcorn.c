/*
 * popcorn: one program that is every command.  The name it is called by says which; `popcorn COMMAND …` does as well.
 * Also here: what all commands share.
 */
#include "userland.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APPLET(name, function, folder, summary) int function(int argc, char **argv);
#include "applets.def"
#undef APPLET

static const struct applet {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *summary;
} applets[] = {
#define APPLET(name, function, folder, summary) { name, function, summary },
#include "applets.def"
#undef APPLET
};

const char *applet_name;

static int by_name(const void *name, const void *applet)
{
	return strcmp(name, ((const struct applet *)applet)->name);
}

static int list(int names_only)
{
	for (size_t i = 0; i < sizeof applets / sizeof *applets; i++)
		if (names_only)
			puts(applets[i].name);
		else
			printf("%-10s %s\n", applets[i].name, applets[i].summary);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc ? argv[0] : "popcorn", *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	if (*name == '-') /* a login shell */
		name++;
	if (!strcmp(name, "popcorn")) {
		if (argc < 2 || !strcmp(argv[1], "--list") || !strcmp(argv[1], "--help"))
			return list(argc >= 2 && argv[1][2] == 'l');
		argc--;
		argv++;
		name = argv[0];
	}
	const struct applet *applet = bsearch(name, applets, sizeof applets / sizeof *applets, sizeof *applets, by_name);
	if (!applet) {
		fprintf(stderr, "popcorn: %s: no such command (popcorn --list prints them)\n", name);
		return 127;
	}
	applet_name = applet->name;
	int status = applet->function(argc, argv);
	if (fflush(stdout) && !status)
		return warn_file("standard output");
	return status;
}

/* ---- Messages ---- */

int warn_file(const char *path)
{
	int error = errno;
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s\n", applet_name, path, strerror(error));
	return 1;
}

int warn_text(const char *format, ...)
{
	char message[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", applet_name, message);
	return 1;
}

int usage(const char *syntax)
{
	fprintf(stderr, "usage: %s %s\n", applet_name, syntax);
	return 2;
}

/* ---- Files ---- */

FILE *open_input(const char *path)
{
	if (!strcmp(path, "-"))
		return stdin;
	FILE *file = fopen(path, "r");
	if (!file)
		warn_file(path);
	return file;
}

void close_input(FILE *file)
{
	if (file != stdin)
		fclose(file);
}

char *join_path(const char *folder, const char *name)
{
	char *path;
	size_t length = strlen(folder);

	asprintf(&path, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
	return path;
}

int is_name_of_this(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

const char *human_size(unsigned long bytes, char text[16])
{
	static const char units[] = "BKMGT";
	int unit = 0;
	double size = bytes;

	for (; size >= 1024 && units[unit + 1]; unit++)
		size /= 1024;
	if (!unit)
		snprintf(text, 16, "%lu", bytes);
	else
		snprintf(text, 16, size < 9.95 ? "%.1f%c" : "%.0f%c", size, units[unit]);
	return text;
}

void mode_text(mode_t mode, char text[11])
{
	static const char letters[] = "rwxrwxrwx";

	text[0] = S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : S_ISCHR(mode) ? 'c' : S_ISBLK(mode) ? 'b' : S_ISFIFO(mode) ? 'p' : S_ISSOCK(mode) ? 's' : '-';
	for (int i = 0; i < 9; i++)
		text[i + 1] = mode & (0400 >> i) ? letters[i] : '-';
	if (mode & S_ISUID)
		text[3] = text[3] == 'x' ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = text[6] == 'x' ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = text[9] == 'x' ? 't' : 'T';
	text[10] = 0;
}

/* ---- Terminal and time ---- */

int terminal_columns(int fd)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return columns && atoi(columns) > 0 ? atoi(columns) : 80;
}

int terminal_rows(int fd)
{
	struct winsize size;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

double monotonic_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* "2", "0.5", "3m"; below 0 for what is no time. */
double parse_seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "ms", 1e-3 }, { "us", 1e-6 } };

	for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++)
		if (!strcmp(end, units[i].unit))
			return value * units[i].seconds;
	return -1;
}

void sleep_seconds(double seconds)
{
	struct timespec wanted = { (long)seconds, (long)((seconds - (long)seconds) * 1e9) };
	while (nanosleep(&wanted, &wanted) < 0 && errno == EINTR)
		;
}

/* ---- Processes ---- */

static int read_small_file(const char *path, char *to, size_t size)
{
	FILE *file = fopen(path, "r");
	if (!file)
		return -1;
	size_t length = fread(to, 1, size - 1, file);
	to[length] = 0;
	fclose(file);
	return length;
}

int read_process(int pid, struct process_info *info)
{
	char path[40], text[1024];

	memset(info, 0, sizeof *info);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (read_small_file(path, text, sizeof text) <= 0)
		return -1;
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close)
		return -1;
	info->pid = pid;
	strlcpy(info->name, open + 1, close - open < (long)sizeof info->name ? (size_t)(close - open) : sizeof info->name);
	long fields[40] = { 0 }; /* fields[n] is field n of proc(5) */
	char *at = close + 2;
	info->state = *at++;
	for (int field = 4; field < 40 && *at; field++)
		fields[field] = strtol(at, &at, 10);
	info->ppid = fields[4];
	info->group = fields[5];
	info->session = fields[6];
	info->tty = fields[7];
	info->utime = fields[14];
	info->stime = fields[15];
	info->priority = fields[18];
	info->nice = fields[19];
	info->threads = fields[20];
	info->starttime = fields[22];
	info->vsize = fields[23];
	info->rss = fields[24];
	info->cpu = fields[39];
	snprintf(path, sizeof path, "/proc/%d/kernel", pid);
	info->kernel = read_small_file(path, text, sizeof text) > 0 ? atoi(text) : -1;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int *list_processes(int *count)
{
	DIR *directory = opendir("/proc");
	int *pids = 0;

	*count = 0;
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (isdigit((unsigned char)entry->d_name[0])) {
			if (*count % 32 == 0)
				pids = realloc(pids, (*count + 32) * sizeof *pids);
			pids[(*count)++] = atoi(entry->d_name);
		}
	if (directory)
		closedir(directory);
	if (pids)
		qsort(pids, *count, sizeof *pids, by_number);
	return pids;
}
