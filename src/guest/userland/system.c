/* Commands about the machine and the terminal: date uname hostname uptime free dmesg mount id whoami tty stty clear reset. */
#include "userland.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

int date_main(int argc, char **argv)
{
	struct timespec now;
	const char *format = "%a %b %e %H:%M:%S UTC %Y";
	char text[256];

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '+')
			format = argv[i] + 1;
		else if (!strncmp(argv[i], "-d@", 3) || (!strcmp(argv[i], "-d") && i + 1 < argc && argv[i + 1][0] == '@'))
			now.tv_sec = atol(strchr(argv[i][2] ? argv[i] : argv[++i], '@') + 1);
		else if (strcmp(argv[i], "-u"))
			return usage("[-u] [-d @SECONDS] [+FORMAT]");
	/* %N, the nanoseconds, is not strftime's */
	char with_nanoseconds[256] = "";
	for (size_t length = 0; *format && length < sizeof with_nanoseconds - 12; format++)
		if (format[0] == '%' && format[1] == 'N') {
			length += snprintf(with_nanoseconds + length, 10, "%09ld", now.tv_nsec);
			format++;
		} else {
			with_nanoseconds[length++] = *format;
			if (format[0] == '%' && format[1])
				with_nanoseconds[length++] = *++format;
		}
	strftime(text, sizeof text, with_nanoseconds, gmtime(&now.tv_sec));
	puts(text);
	return 0;
}

int uname_main(int argc, char **argv)
{
	struct utsname names;
	int option, wanted = 0;

	while ((option = getopt(argc, argv, "asnrvmpio")) != -1) {
		const char *letters = "snrvmo", *at = strchr(letters, option);
		if (option == 'a')
			wanted = 63;
		else if (at)
			wanted |= 1 << (at - letters);
		else if (option == 'p' || option == 'i')
			wanted |= 16;
		else
			return usage("[-asnrvmo]");
	}
	if (uname(&names) < 0)
		return warn_file("uname");
	const char *fields[] = { names.sysname, names.nodename, names.release, names.version, names.machine, "GNU/Linux" };
	int any = 0;
	for (int i = 0; i < 6; i++)
		if ((wanted ? wanted : 1) >> i & 1) {
			printf("%s%s", any ? " " : "", fields[i]);
			any = 1;
		}
	putchar('\n');
	return 0;
}

int hostname_main(int argc, char **argv)
{
	char name[65];

	if (argc > 1)
		return sethostname(argv[1], strlen(argv[1])) < 0 ? warn_file(argv[1]) : 0;
	gethostname(name, sizeof name);
	puts(name);
	return 0;
}

int uptime_main(int argc, char **argv)
{
	struct sysinfo system;

	(void)argc, (void)argv;
	if (sysinfo(&system) < 0)
		return warn_file("sysinfo");
	time_t now = time(0);
	char clock[16];
	strftime(clock, sizeof clock, "%H:%M:%S", gmtime(&now));
	long minutes = system.uptime / 60, days = minutes / 1440;
	printf(" %s up ", clock);
	if (days)
		printf("%ld day%s, ", days, days > 1 ? "s" : "");
	if (minutes >= 60)
		printf("%ld:%02ld", minutes / 60 % 24, minutes % 60);
	else if (minutes)
		printf("%ld min", minutes);
	else
		printf("%ld sec", system.uptime);
	printf(",  load average: %.2f, %.2f, %.2f\n", system.loads[0] / 65536., system.loads[1] / 65536., system.loads[2] / 65536.);
	return 0;
}

static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (file && value < 0 && fgets(line, sizeof line, file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	if (file)
		fclose(file);
	return value;
}

int free_main(int argc, char **argv)
{
	long total = meminfo("MemTotal"), unused = meminfo("MemFree"), available = meminfo("MemAvailable"), cached = meminfo("Cached");
	long divisor = argc > 1 && !strcmp(argv[1], "-m") ? 1024 : 1;
	int human = argc > 1 && !strcmp(argv[1], "-h");

	if (total < 0) {
		struct sysinfo system;
		if (sysinfo(&system) < 0)
			return warn_file("sysinfo");
		total = system.totalram * system.mem_unit / 1024;
		unused = system.freeram * system.mem_unit / 1024;
	}
	if (cached < 0)
		cached = 0;
	if (available < 0)
		available = unused + cached;
	long values[] = { total, total - unused - cached, unused, cached, available };
	printf("%-6s %11s %11s %11s %11s %11s\n%-6s", "", "total", "used", "free", "buff/cache", "available", "Mem:");
	for (int i = 0; i < 5; i++) {
		char text[16];
		if (human)
			printf(" %11s", human_size(values[i] * 1024, text));
		else
			printf(" %11ld", values[i] / divisor);
	}
	putchar('\n');
	return 0;
}

/* The log comes with <level> before each line, which only -r shows. */
static void print_log(const char *text, size_t length, int raw)
{
	for (const char *at = text, *end = text + length; at < end;) {
		const char *newline = memchr(at, '\n', end - at), *next = newline ? newline + 1 : end;
		const char *close = !raw && *at == '<' ? memchr(at, '>', next - at < 6 ? next - at : 6) : 0;
		if (close)
			at = close + 1;
		fwrite(at, 1, next - at, stdout);
		at = next;
	}
	if (length && text[length - 1] != '\n')
		putchar('\n');
	fflush(stdout);
}

static int follow_log(int raw)
{
	FILE *log = fopen("/dev/kmsg", "r");
	char *line = 0;
	size_t capacity = 0;

	if (log) { /* one record a line: level,sequence,microseconds,flags;text */
		while (getline(&line, &capacity, log) > 0) {
			char *text = strchr(line, ';'), *at = line;
			strtol(at, &at, 10);
			if (*at == ',')
				strtol(at + 1, &at, 10);
			unsigned long micro = *at == ',' ? strtoul(at + 1, 0, 10) : 0;
			if (text)
				printf("[%5lu.%06lu] %s", micro / 1000000, micro % 1000000, text + 1);
			fflush(stdout);
		}
		return 0;
	}
	char buffer[4096];
	for (int size; (size = klogctl(SYSLOG_ACTION_READ, buffer, sizeof buffer)) >= 0 || errno == EINTR;)
		if (size > 0)
			print_log(buffer, size, raw);
	return warn_file("klogctl");
}

int dmesg_main(int argc, char **argv)
{
	int option, raw = 0, follow = 0, clear = 0, clear_only = 0;

	while ((option = getopt(argc, argv, "wrcC")) != -1)
		switch (option) {
		case 'w': follow = 1; break;
		case 'r': raw = 1; break;
		case 'c': clear = 1; break;
		case 'C': clear_only = 1; break;
		default: return usage("[-w] [-r] [-c] [-C]");
		}
	if (clear_only)
		return klogctl(SYSLOG_ACTION_CLEAR, 0, 0) < 0 ? warn_file("klogctl") : 0;
	if (follow)
		return follow_log(raw);
	int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, 0, 0);
	if (size < 16384)
		size = 16384;
	char *text = malloc(size);
	int length = klogctl(clear ? SYSLOG_ACTION_READ_CLEAR : SYSLOG_ACTION_READ_ALL, text, size);
	if (length < 0)
		return warn_file("klogctl");
	print_log(text, length, raw);
	return 0;
}

int mount_main(int argc, char **argv)
{
	int option;
	const char *type = "tmpfs", *options = "";

	while ((option = getopt(argc, argv, "t:o:")) != -1)
		if (option == 't')
			type = optarg;
		else if (option == 'o')
			options = optarg;
		else
			return usage("[-t TYPE] [-o OPTIONS] [SOURCE TARGET]");
	if (argc - optind == 2)
		return mount(argv[optind], argv[optind + 1], type, 0, options) < 0 ? warn_file(argv[optind + 1]) : 0;
	FILE *mounts = fopen("/proc/mounts", "r");
	char line[512];
	if (!mounts)
		return warn_file("/proc/mounts");
	while (fgets(line, sizeof line, mounts)) {
		char *source = strtok(line, " "), *target = strtok(0, " "), *kind = strtok(0, " "), *how = strtok(0, " ");
		if (how)
			printf("%s on %s type %s (%s)\n", source, target, kind, how);
	}
	fclose(mounts);
	return 0;
}

/* ---- Users ---- */

/* The name that /etc/passwd or /etc/group has for a number, or the number. */
static const char *name_of(const char *file_name, unsigned number, char text[64])
{
	FILE *file = fopen(file_name, "r");
	char line[256];

	snprintf(text, 64, "%u", number);
	while (file && fgets(line, sizeof line, file)) {
		char *rest = line, *name = strsep(&rest, ":");
		strsep(&rest, ":");
		char *id = strsep(&rest, ":\n");
		if (id && (unsigned)atoi(id) == number) {
			strlcpy(text, name, 64);
			break;
		}
	}
	if (file)
		fclose(file);
	return text;
}

int whoami_main(int argc, char **argv)
{
	char name[64];

	(void)argc, (void)argv;
	puts(name_of("/etc/passwd", geteuid(), name));
	return 0;
}

int id_main(int argc, char **argv)
{
	char user[64], group[64];
	int names = argc > 1 && strchr(argv[1], 'n');

	name_of("/etc/passwd", geteuid(), user);
	name_of("/etc/group", getegid(), group);
	if (argc > 1 && strchr(argv[1], 'u'))
		names ? puts(user) : printf("%u\n", geteuid());
	else if (argc > 1 && strchr(argv[1], 'g'))
		names ? puts(group) : printf("%u\n", getegid());
	else
		printf("uid=%u(%s) gid=%u(%s) groups=%u(%s)\n", geteuid(), user, getegid(), group, getegid(), group);
	return 0;
}

/* ---- The terminal ---- */

int tty_main(int argc, char **argv)
{
	char path[256];
	ssize_t length;

	(void)argc, (void)argv;
	if (!isatty(0)) {
		puts("not a tty");
		return 1;
	}
	length = readlink("/proc/self/fd/0", path, sizeof path - 1);
	if (length < 0)
		strcpy(path, "/dev/console");
	else
		path[length] = 0;
	puts(path);
	return 0;
}

int clear_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	fputs("\033[H\033[2J\033[3J", stdout);
	return 0;
}

static const struct termios sane = {
	.c_iflag = ICRNL | IXON | IUTF8,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = CS8 | CREAD | 15, /* 38400 baud */
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26,
		  [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22 },
};

int reset_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	tcsetattr(0, TCSANOW, &sane);
	fputs("\033c\033[m\033[?25h", stdout);
	return 0;
}

static const struct {
	const char *name;
	int field; /* 0 input, 1 output, 2 local */
	unsigned bits;
} modes[] = {
	{ "icrnl", 0, ICRNL }, { "ixon", 0, IXON }, { "inlcr", 0, INLCR }, { "igncr", 0, IGNCR }, { "iutf8", 0, IUTF8 }, { "opost", 1, OPOST }, { "onlcr", 1, ONLCR },
	{ "isig", 2, ISIG }, { "icanon", 2, ICANON }, { "echo", 2, ECHO }, { "echoe", 2, ECHOE }, { "echok", 2, ECHOK }, { "echoctl", 2, ECHOCTL }, { "iexten", 2, IEXTEN }, { "tostop", 2, TOSTOP },
};

int stty_main(int argc, char **argv)
{
	struct termios now;
	struct winsize size = { 0 };

	if (tcgetattr(0, &now) < 0)
		return warn_file("standard input");
	ioctl(0, TIOCGWINSZ, &size);
	unsigned *fields[] = { &now.c_iflag, &now.c_oflag, &now.c_lflag };
	if (argc == 1 || !strcmp(argv[1], "-a")) {
		printf("rows %d; columns %d;\n", size.ws_row, size.ws_col);
		for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
			printf("%s%s%s", i ? " " : "", *fields[modes[i].field] & modes[i].bits ? "" : "-", modes[i].name);
		putchar('\n');
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		int off = argv[i][0] == '-';
		size_t m = 0;
		while (m < sizeof modes / sizeof *modes && strcmp(modes[m].name, argv[i] + off))
			m++;
		if (m < sizeof modes / sizeof *modes)
			*fields[modes[m].field] = off ? *fields[modes[m].field] & ~modes[m].bits : *fields[modes[m].field] | modes[m].bits;
		else if (!strcmp(argv[i], "size"))
			printf("%d %d\n", size.ws_row, size.ws_col);
		else if (!strcmp(argv[i], "sane"))
			now = sane;
		else if (!strcmp(argv[i], "raw")) {
			now.c_iflag = now.c_oflag = 0;
			now.c_lflag &= ~(ISIG | ICANON);
			now.c_cc[VMIN] = 1;
		} else if (!strcmp(argv[i], "-raw") || !strcmp(argv[i], "cooked")) {
			now.c_iflag |= ICRNL | IXON;
			now.c_oflag |= OPOST | ONLCR;
			now.c_lflag |= ISIG | ICANON;
		} else if ((!strcmp(argv[i], "rows") || !strcmp(argv[i], "cols") || !strcmp(argv[i], "columns")) && i + 1 < argc) {
			unsigned short *which = argv[i][0] == 'r' ? &size.ws_row : &size.ws_col;
			*which = atoi(argv[++i]);
			ioctl(0, TIOCSWINSZ, &size);
		} else
			return warn_text("%s: no such mode", argv[i]);
	}
	return tcsetattr(0, TCSADRAIN, &now) < 0 ? warn_file("standard input") : 0;
}
