/* Commands on processes: ps top kill killall nice renice taskset nproc sleep time timeout watch. */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- ps ---- */

static void process_time(const struct process_info *info, char text[16])
{
	unsigned long seconds = (info->utime + info->stime) / 100;
	snprintf(text, 16, "%lu:%02lu", seconds / 60, seconds % 60);
}

static void terminal_name(int device, char text[16])
{
	if (!device)
		strcpy(text, "?");
	else if (major(device) >= 136 && major(device) < 144)
		snprintf(text, 16, "pts/%d", minor(device));
	else if (major(device) == 5 && minor(device) == 1)
		strcpy(text, "console");
	else if (major(device) == 4 && minor(device) >= 64)
		snprintf(text, 16, "ttyS%d", minor(device) - 64);
	else
		snprintf(text, 16, "tty%d", minor(device));
}

/* The command line, or [name] for what has none. */
static void command_line(const struct process_info *info, char *to, size_t size)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/cmdline", info->pid);
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? 0 : read(fd, to, size - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0) {
		snprintf(to, size, "[%s]", info->name);
		return;
	}
	while (length && !to[length - 1])
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (!isprint((unsigned char)to[i]) && (unsigned char)to[i] < 128)
			to[i] = ' ';
	to[length] = 0;
}

enum column_id { PID, PPID, PGID, SID, TTY, STATE, TIME, CPU, KERNEL, PRIORITY, NICE, THREADS, VSZ, RSS, COMM, ARGS };
static const struct column {
	const char *name, *title;
	enum column_id id;
	int width; /* below 0: left-aligned */
} columns[] = {
	{ "pid", "PID", PID, 5 }, { "ppid", "PPID", PPID, 5 }, { "pgid", "PGID", PGID, 5 }, { "sid", "SID", SID, 5 },
	{ "tty", "TTY", TTY, -7 }, { "s", "S", STATE, 1 }, { "stat", "STAT", STATE, -4 }, { "state", "S", STATE, 1 }, { "time", "TIME", TIME, 6 },
	{ "cpu", "CPU", CPU, 3 }, { "psr", "PSR", CPU, 3 }, { "kernel", "KERNEL", KERNEL, 6 }, { "pri", "PRI", PRIORITY, 3 }, { "ni", "NI", NICE, 3 },
	{ "nice", "NI", NICE, 3 }, { "nlwp", "NLWP", THREADS, 4 }, { "vsz", "VSZ", VSZ, 7 }, { "rss", "RSS", RSS, 6 },
	{ "comm", "COMMAND", COMM, -15 }, { "args", "COMMAND", ARGS, -1 }, { "cmd", "CMD", ARGS, -1 }, { "command", "COMMAND", ARGS, -1 },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static void column_text(const struct process_info *info, enum column_id id, char *text, size_t size)
{
	switch (id) {
	case PID: snprintf(text, size, "%d", info->pid); break;
	case PPID: snprintf(text, size, "%d", info->ppid); break;
	case PGID: snprintf(text, size, "%d", info->group); break;
	case SID: snprintf(text, size, "%d", info->session); break;
	case TTY: terminal_name(info->tty, text); break;
	case STATE: snprintf(text, size, "%c", info->state); break;
	case TIME: process_time(info, text); break;
	case CPU: snprintf(text, size, "%d", info->cpu); break;
	case KERNEL: snprintf(text, size, info->kernel < 0 ? "-" : "%d", info->kernel); break;
	case PRIORITY: snprintf(text, size, "%d", info->priority); break;
	case NICE: snprintf(text, size, "%d", info->nice); break;
	case THREADS: snprintf(text, size, "%d", info->threads); break;
	case VSZ: snprintf(text, size, "%lu", info->vsize / 1024); break;
	case RSS: snprintf(text, size, "%ld", info->rss * 4); break;
	case COMM: snprintf(text, size, "%s", info->name); break;
	case ARGS: command_line(info, text, size); break;
	}
}

static void print_row(const struct column **chosen, int count, const struct process_info *info, int terminal)
{
	char line[1200], text[1024];
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		if (info)
			column_text(info, chosen[i]->id, text, sizeof text);
		else
			strcpy(text, chosen[i]->title);
		int width = i == count - 1 && chosen[i]->width < 0 ? -1 : chosen[i]->width;
		length += snprintf(line + length, sizeof line - length, "%s%*s", i ? " " : "", width, text);
		if (length >= sizeof line)
			length = sizeof line - 1;
	}
	if (terminal && length > (size_t)terminal)
		line[terminal] = 0;
	puts(line);
}

int ps_main(int argc, char **argv)
{
	const struct column *chosen[24];
	int count = 0, wanted = 0, full = 0, headed = 1;
	char *list = 0;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i] + (*argv[i] == '-');
		if (!strcmp(word, "o") && i + 1 < argc)
			list = argv[++i];
		else if (!strcmp(word, "p") && i + 1 < argc)
			wanted = atoi(argv[++i]);
		else if (*word == 'o' && word[1])
			list = argv[i] + 2;
		else if (strspn(word, "aAexuflw") == strlen(word))
			full |= strpbrk(word, "fuaxe") != 0;
		else
			return usage("[-ef] [-p PID] [-o pid,ppid,kernel,cpu,s,time,ni,rss,comm,args]");
	}
	char *rest = strdup(list ? list : "");
	for (char *name; list && (name = strsep(&rest, ",")) && count < 24;) {
		size_t i = 0;
		char *title = strchr(name, '=');
		if (title) {
			*title = 0;
			headed = 0;
		}
		while (i < COLUMNS && strcmp(columns[i].name, name))
			i++;
		if (i == COLUMNS)
			return warn_text("%s: no such column", name);
		chosen[count++] = &columns[i];
	}
	int processes, kernels = 0, *pids = list_processes(&processes);
	struct process_info info;
	for (int i = 0; i < processes && !kernels; i++)
		kernels = !read_process(pids[i], &info) && info.kernel >= 0;
	if (!list) {
		static const char *const standard[] = { "pid", "ppid", "kernel", "cpu", "s", "tty", "time", "args" };
		(void)full;
		for (size_t s = 0; s < sizeof standard / sizeof *standard; s++)
			for (size_t i = 0; i < COLUMNS; i++)
				if (!strcmp(columns[i].name, standard[s]) && (kernels || columns[i].id != KERNEL))
					chosen[count++] = &columns[i];
	}
	int terminal = isatty(1) ? terminal_columns(1) : 0;
	if (headed)
		print_row(chosen, count, 0, terminal);
	for (int i = 0; i < processes; i++)
		if ((!wanted || wanted == pids[i]) && !read_process(pids[i], &info))
			print_row(chosen, count, &info, terminal);
	free(pids);
	return !processes;
}

/* ---- top ---- */

struct top_row {
	struct process_info info;
	double share; /* of one core, in per cent, since the last round */
};

static int by_share(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	if (x->share != y->share)
		return x->share < y->share ? 1 : -1;
	return x->info.pid - y->info.pid;
}

/* Waits; 1 if q or ^C was typed. */
static int wait_for_key(double seconds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char key = 0;

	return poll(&input, 1, (int)(seconds * 1000)) > 0 && (read(0, &key, 1) != 1 || key == 'q' || key == 3);
}

static void top_summary(int processes)
{
	struct sysinfo system;

	if (sysinfo(&system) < 0)
		return;
	printf("top - up %ld:%02ld, load %.2f %.2f %.2f, %d processes\n", system.uptime / 60, system.uptime % 60, system.loads[0] / 65536.,
	       system.loads[1] / 65536., system.loads[2] / 65536., processes);
	printf("Mem: %luK total, %luK used, %luK free\n\n", system.totalram * system.mem_unit / 1024, (system.totalram - system.freeram) * system.mem_unit / 1024,
	       system.freeram * system.mem_unit / 1024);
}

int top_main(int argc, char **argv)
{
	int option, batch = 0, rounds = -1, before_count = 0;
	double delay = 2, last_time = 0;
	struct termios cooked, raw;
	struct top_row *before = 0;

	while ((option = getopt(argc, argv, "bn:d:")) != -1)
		switch (option) {
		case 'b': batch = 1; break;
		case 'n': rounds = atoi(optarg); break;
		case 'd': delay = parse_seconds(optarg); break;
		default: return usage("[-b] [-n ROUNDS] [-d SECONDS]");
		}
	int keys = !batch && isatty(1) && tcgetattr(0, &cooked) == 0;
	if (keys) {
		raw = cooked;
		raw.c_lflag &= ~(ICANON | ECHO | ISIG);
		raw.c_cc[VMIN] = 1;
		tcsetattr(0, TCSADRAIN, &raw);
	}
	for (int round = 0; rounds < 0 || round < rounds; round++) {
		int count, *pids = list_processes(&count), rows = 0, kernels = 0;
		struct top_row *now = calloc(count + 1, sizeof *now);
		double time = monotonic_seconds();
		for (int i = 0; i < count; i++) {
			struct top_row *row = &now[rows];
			if (read_process(pids[i], &row->info))
				continue;
			kernels |= row->info.kernel >= 0;
			unsigned long used = row->info.utime + row->info.stime;
			for (int j = 0; j < before_count; j++)
				if (before[j].info.pid == row->info.pid && time > last_time)
					row->share = (used - before[j].info.utime - before[j].info.stime) / (time - last_time);
			rows++;
		}
		qsort(now, rows, sizeof *now, by_share);
		if (keys)
			fputs("\033[H\033[J", stdout);
		top_summary(rows);
		printf("%5s %5s %s%3s S %5s %6s %6s COMMAND\n", "PID", "PPID", kernels ? "KERNEL " : "", "CPU", "%CPU", "RSS", "TIME");
		int most = keys ? terminal_rows(1) - 5 : rows;
		for (int i = 0; i < rows && i < most; i++) {
			const struct process_info *p = &now[i].info;
			char when[16];
			process_time(p, when);
			printf("%5d %5d ", p->pid, p->ppid);
			if (kernels)
				printf("%6d ", p->kernel);
			printf("%3d %c %5.1f %6ld %6s %s\n", p->cpu, p->state, now[i].share, p->rss * 4, when, p->name);
		}
		fflush(stdout);
		free(before);
		free(pids);
		before = now;
		before_count = rows;
		last_time = time;
		if (round + 1 == rounds)
			break;
		if (keys ? wait_for_key(delay) : (sleep_seconds(delay), 0))
			break;
	}
	if (keys)
		tcsetattr(0, TCSADRAIN, &cooked);
	return 0;
}

/* ---- Signals ---- */

static void list_signals(void)
{
	for (int i = 1; i < 32; i++)
		printf("%2d) SIG%-8s%s", i, signal_name(i), i % 5 ? " " : "\n");
	putchar('\n');
}

int kill_main(int argc, char **argv)
{
	int first = 1, signal = SIGTERM, failed = 0;

	if (argc > 1 && !strcmp(argv[1], "-l")) {
		if (argc > 2) {
			int number = atoi(argv[2]) & 127;
			puts(signal_name(number) ? signal_name(number) : argv[2]);
		} else
			list_signals();
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "-s")) {
		signal = signal_number(argv[2]);
		first = 3;
	} else if (argc > 1 && argv[1][0] == '-' && argv[1][1] && strcmp(argv[1], "--")) {
		signal = signal_number(argv[1] + 1);
		first = 2;
	}
	if (first < argc && !strcmp(argv[first], "--"))
		first++;
	if (signal < 0) {
		fprintf(stderr, "kill: %s: no such signal\n", argv[1]);
		return 1;
	}
	if (first >= argc) {
		fprintf(stderr, "usage: kill [-SIGNAL | -s SIGNAL | -l] PID...\n");
		return 2;
	}
	for (; first < argc; first++) {
		char *end;
		long pid = strtol(argv[first], &end, 10);
		if (*end || end == argv[first]) {
			fprintf(stderr, "kill: %s: not a process number\n", argv[first]);
			failed = 1;
		} else if (kill(pid, signal) < 0) {
			fprintf(stderr, "kill: (%ld): %s\n", pid, strerror(errno));
			failed = 1;
		}
	}
	return failed;
}

int killall_main(int argc, char **argv)
{
	int first = 1, signal = SIGTERM, failed = 0, count;

	if (argc > 1 && argv[1][0] == '-') {
		signal = signal_number(argv[1] + 1);
		first = 2;
	}
	if (signal < 0 || first >= argc)
		return usage("[-SIGNAL] NAME...");
	int *pids = list_processes(&count);
	for (; first < argc; first++) {
		int found = 0;
		for (int i = 0; i < count; i++) {
			struct process_info info;
			if (pids[i] == getpid() || read_process(pids[i], &info) || strcmp(info.name, argv[first]))
				continue;
			found = 1;
			/* One that has gone meanwhile, as when another took it along, is what was wanted. */
			if (kill(pids[i], signal) < 0 && errno != ESRCH)
				failed = warn_file(argv[first]);
		}
		if (!found)
			failed = warn_text("%s: no process found", argv[first]);
	}
	return failed;
}

/* ---- Priority and place ---- */

static int exec_words(char **argv)
{
	execvp(argv[0], argv);
	int error = errno;
	warn_file(argv[0]);
	return error == ENOENT ? 127 : 126;
}

int nice_main(int argc, char **argv)
{
	int first = 1, increment = 10;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		increment = atoi(argv[2]);
		first = 3;
	} else if (argc > 1 && argv[1][0] == '-' && (isdigit((unsigned char)argv[1][1]) || argv[1][1] == '-')) {
		increment = atoi(argv[1] + 1);
		first = 2;
	}
	if (first >= argc) {
		printf("%d\n", getpriority(PRIO_PROCESS, 0));
		return 0;
	}
	if (setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + increment) < 0)
		warn_file("setpriority");
	return exec_words(argv + first);
}

int renice_main(int argc, char **argv)
{
	int first = argc > 1 && !strcmp(argv[1], "-n") ? 2 : 1, failed = 0;

	if (argc < first + 2)
		return usage("[-n] PRIORITY PID...");
	int wanted = atoi(argv[first]);
	for (int i = first + 1; i < argc; i++) {
		if (!strcmp(argv[i], "-p"))
			continue;
		int pid = atoi(argv[i]), old = getpriority(PRIO_PROCESS, pid);
		if (setpriority(PRIO_PROCESS, pid, wanted) < 0)
			failed = warn_file(argv[i]);
		else
			printf("%d (process ID) old priority %d, new priority %d\n", pid, old, wanted);
	}
	return failed;
}

/* "0-3,8": 0 if it is no list. */
static int parse_list(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	do {
		char *end;
		long from = strtol(text, &end, 10), to = from, step = 1;
		if (end == text)
			return 0;
		if (*end == '-') {
			text = end + 1;
			to = strtol(text, &end, 10);
			if (end == text)
				return 0;
		}
		if (*end == ':')
			step = strtol(end + 1, &end, 10);
		if (from < 0 || to < from || to >= CPU_SETSIZE || step < 1)
			return 0;
		for (long cpu = from; cpu <= to; cpu += step)
			CPU_SET(cpu, set);
		text = end;
	} while (*text++ == ',');
	return !text[-1];
}

static int parse_mask(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	if (!strncmp(text, "0x", 2))
		text += 2;
	size_t length = strlen(text);
	if (!length || length > CPU_SETSIZE / 4 || text[strspn(text, "0123456789abcdefABCDEF,")])
		return 0;
	for (size_t cpu = 0; length--;) {
		if (text[length] == ',')
			continue;
		int digit = isdigit((unsigned char)text[length]) ? text[length] - '0' : tolower(text[length]) - 'a' + 10;
		for (int bit = 0; bit < 4; bit++, cpu++)
			if (digit >> bit & 1)
				CPU_SET(cpu, set);
	}
	return 1;
}

static void print_list(const cpu_set_t *set)
{
	int any = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, set))
			continue;
		int last = cpu;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		printf(any ? ",%d" : "%d", cpu);
		if (last > cpu)
			printf(last > cpu + 1 ? "-%d" : ",%d", last);
		cpu = last;
		any = 1;
	}
	putchar('\n');
}

static void print_mask(const cpu_set_t *set)
{
	int top = CPU_SETSIZE / 64 - 1;

	while (top && !set->bits[top])
		top--;
	printf("%lx", set->bits[top]);
	while (top--)
		printf("%016lx", set->bits[top]);
	putchar('\n');
}

static int print_affinity(int pid, int list, const char *which)
{
	cpu_set_t set;

	if (sched_getaffinity(pid, sizeof set, &set) < 0)
		return warn_text("failed to get pid %d's affinity: %s", pid, strerror(errno));
	printf(list ? "pid %d's %s affinity list: " : "pid %d's %s affinity mask: ", pid, which);
	(list ? print_list : print_mask)(&set);
	return 0;
}

int taskset_main(int argc, char **argv)
{
	int option, of_process = 0, list = 0;
	cpu_set_t set;

	while ((option = getopt(argc, argv, "pca")) != -1)
		switch (option) {
		case 'p': of_process = 1; break;
		case 'c': list = 1; break;
		case 'a': break;
		default: return usage("[-c] MASK COMMAND... | -p [-c] [MASK] PID");
		}
	int count = argc - optind;
	if (count < (of_process ? 1 : 2))
		return usage("[-c] MASK COMMAND... | -p [-c] [MASK] PID");
	if (of_process && count == 1)
		return print_affinity(atoi(argv[optind]), list, "current");
	if (!(list ? parse_list : parse_mask)(argv[optind], &set))
		return warn_text("failed to parse CPU %s: %s", list ? "list" : "mask", argv[optind]);
	int pid = of_process ? atoi(argv[optind + 1]) : 0;
	if (of_process && print_affinity(pid, list, "current"))
		return 1;
	if (sched_setaffinity(pid, sizeof set, &set) < 0)
		return warn_text("failed to set pid %d's affinity: %s", pid, strerror(errno));
	return of_process ? print_affinity(pid, list, "new") : exec_words(argv + optind + 1);
}

int nproc_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	return 0;
}

/* ---- Time ---- */

int sleep_main(int argc, char **argv)
{
	double seconds = 0;

	if (argc < 2)
		return usage("SECONDS...");
	for (int i = 1; i < argc; i++) {
		double part = parse_seconds(argv[i]);
		if (part < 0)
			return warn_text("%s: not a time", argv[i]);
		seconds += part;
	}
	sleep_seconds(seconds);
	return 0;
}

static void print_time(const char *name, double seconds)
{
	fprintf(stderr, "%s\t%dm%.3fs\n", name, (int)(seconds / 60), seconds - 60 * (int)(seconds / 60));
}

int time_main(int argc, char **argv)
{
	struct rusage usage_of_child;
	int status;

	if (argc < 2)
		return usage("COMMAND...");
	double start = monotonic_seconds();
	pid_t pid = fork();
	if (pid < 0)
		return warn_file("fork");
	if (pid == 0)
		_exit(exec_words(argv + 1));
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	wait4(pid, &status, 0, &usage_of_child);
	fprintf(stderr, "\n");
	print_time("real", monotonic_seconds() - start);
	print_time("user", usage_of_child.ru_utime.tv_sec + usage_of_child.ru_utime.tv_usec * 1e-6);
	print_time("sys", usage_of_child.ru_stime.tv_sec + usage_of_child.ru_stime.tv_usec * 1e-6);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t timed_child;
static volatile int timed_out, timeout_signal = SIGTERM;

static void on_alarm(int signal)
{
	(void)signal;
	timed_out = 1;
	kill(timed_child, timeout_signal);
}

int timeout_main(int argc, char **argv)
{
	int first = 1, status;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		timeout_signal = signal_number(argv[2]);
		first = 3;
	}
	double seconds = first < argc ? parse_seconds(argv[first]) : -1;
	if (seconds < 0 || first + 1 >= argc || timeout_signal < 0)
		return usage("[-s SIGNAL] SECONDS COMMAND...");
	timed_child = fork();
	if (timed_child < 0)
		return warn_file("fork");
	if (timed_child == 0)
		_exit(exec_words(argv + first + 1));
	signal(SIGALRM, on_alarm);
	struct itimerval timer = { .it_value = { (long)seconds, (long)((seconds - (long)seconds) * 1e6) } };
	setitimer(ITIMER_REAL, &timer, 0);
	while (waitpid(timed_child, &status, 0) < 0 && errno == EINTR)
		;
	if (timed_out)
		return 124;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int watch_main(int argc, char **argv)
{
	int option;
	double delay = 2;

	while ((option = getopt(argc, argv, "n:")) != -1)
		if (option != 'n' || (delay = parse_seconds(optarg)) < 0)
			return usage("[-n SECONDS] COMMAND...");
	if (optind >= argc)
		return usage("[-n SECONDS] COMMAND...");
	char command[4096] = "";
	for (int i = optind; i < argc; i++) {
		strlcat(command, argv[i], sizeof command);
		strlcat(command, " ", sizeof command);
	}
	for (;;) {
		printf("\033[H\033[JEvery %.1fs: %s\n\n", delay, command);
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			execv("/bin/sh", (char *[]){ "sh", "-c", command, 0 });
			_exit(127);
		}
		int status;
		waitpid(pid, &status, 0);
		sleep_seconds(delay);
	}
}
