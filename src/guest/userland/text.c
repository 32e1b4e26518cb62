/* Commands on lines of text: cat tac head tail wc sort uniq cut tr tee seq yes. */
#include "userland.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Calls for each file named, or for standard input if none is. */
static int each_input(int argc, char **argv, int (*act)(FILE *file, const char *path))
{
	int failed = 0;

	if (optind >= argc)
		return act(stdin, "-");
	for (; optind < argc; optind++) {
		FILE *file = open_input(argv[optind]);
		failed |= file ? act(file, argv[optind]) : 1;
		if (file)
			close_input(file);
	}
	return failed;
}

/* ---- cat, tac, tee ---- */

static int cat_numbers;

static int copy_out(int fd, const char *path)
{
	char buffer[16384];
	ssize_t size;

	while ((size = read(fd, buffer, sizeof buffer)) > 0)
		for (ssize_t done = 0, written; done < size; done += written)
			if ((written = write(1, buffer + done, size - done)) < 0)
				return warn_file("standard output");
	return size < 0 ? warn_file(path) : 0;
}

int cat_main(int argc, char **argv)
{
	int option, failed = 0;

	while ((option = getopt(argc, argv, "nu")) != -1)
		if (option == 'n')
			cat_numbers = 1;
		else if (option == '?')
			return usage("[-n] [FILE...]");
	if (optind == argc)
		argv[--optind] = "-";
	char *line = 0;
	size_t capacity = 0;
	for (long number = 0, length; optind < argc; optind++) {
		if (cat_numbers) {
			FILE *file = open_input(argv[optind]);
			while (file && (length = getline(&line, &capacity, file)) > 0) {
				printf("%6ld\t", ++number);
				fwrite(line, 1, length, stdout);
			}
			failed |= !file;
			continue;
		}
		int fd = strcmp(argv[optind], "-") ? open(argv[optind], O_RDONLY) : 0;
		failed |= fd < 0 ? warn_file(argv[optind]) : copy_out(fd, argv[optind]);
		if (fd > 0)
			close(fd);
	}
	return failed;
}

/* All lines of a file, without their newlines. */
struct lines {
	char **items;
	size_t count;
};

static void read_lines(struct lines *lines, FILE *file)
{
	char *line = 0;
	size_t capacity = 0;
	long length;

	while ((length = getline(&line, &capacity, file)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = 0;
		if ((lines->count & (lines->count - 1)) == 0) /* full at 0, 1, 2, 4, 8, … */
			lines->items = realloc(lines->items, (2 * lines->count + 1) * sizeof *lines->items);
		lines->items[lines->count++] = strdup(line);
	}
	free(line);
}

static int tac_one(FILE *file, const char *path)
{
	struct lines lines = { 0 };

	(void)path;
	read_lines(&lines, file);
	while (lines.count)
		puts(lines.items[--lines.count]);
	return 0;
}

int tac_main(int argc, char **argv)
{
	optind = 1;
	return each_input(argc, argv, tac_one);
}

int tee_main(int argc, char **argv)
{
	int option, flags = O_TRUNC, failed = 0, count = 0, fds[32];
	const char *names[32];
	char buffer[4096];
	ssize_t size;

	while ((option = getopt(argc, argv, "ai")) != -1)
		if (option == 'a')
			flags = O_APPEND;
		else if (option == 'i')
			signal(SIGINT, SIG_IGN);
		else
			return usage("[-a] [FILE...]");
	fds[count] = 1;
	names[count++] = "standard output";
	for (; optind < argc && count < 32; optind++)
		if ((fds[count] = open(argv[optind], O_WRONLY | O_CREAT | flags, 0666)) < 0)
			failed = warn_file(argv[optind]);
		else
			names[count++] = argv[optind];
	while ((size = read(0, buffer, sizeof buffer)) > 0)
		for (int i = 0; i < count; i++)
			if (write(fds[i], buffer, size) < 0)
				failed = warn_file(names[i]);
	return failed;
}

/* ---- head, tail ---- */

static long limit = 10;
static int by_bytes, quiet, many, from_start;

static void title(const char *path)
{
	static int printed;

	if (many && !quiet)
		printf("%s==> %s <==\n", printed ? "\n" : "", strcmp(path, "-") ? path : "standard input");
	printed = 1;
}

static int head_one(FILE *file, const char *path)
{
	int c;

	title(path);
	for (long left = limit; left > 0 && (c = getc(file)) != EOF;) {
		putchar(c);
		left -= by_bytes || c == '\n';
	}
	return 0;
}

/* -5 is an old way to write -n 5. */
static void old_style_count(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] == '-' && isdigit((unsigned char)argv[1][1])) {
		limit = atol(argv[1] + 1);
		optind = 2;
	}
}

int head_main(int argc, char **argv)
{
	int option;

	old_style_count(argc, argv);
	while ((option = getopt(argc, argv, "n:c:q")) != -1)
		if (option == 'q')
			quiet = 1;
		else if (option == '?')
			return usage("[-n LINES | -c BYTES] [FILE...]");
		else {
			limit = atol(optarg);
			by_bytes = option == 'c';
		}
	many = argc - optind > 1;
	return each_input(argc, argv, head_one);
}

static int tail_one(FILE *file, const char *path)
{
	title(path);
	if (from_start) {
		int c;
		for (long skip = limit - 1; skip > 0 && (c = getc(file)) != EOF;)
			skip -= by_bytes || c == '\n';
		while ((c = getc(file)) != EOF)
			putchar(c);
		return 0;
	}
	if (by_bytes) {
		char *ring = malloc(limit + 1);
		long count = 0;
		for (int c; (c = getc(file)) != EOF;)
			if (limit)
				ring[count++ % limit] = c;
		for (long i = count > limit ? count - limit : 0; i < count; i++)
			putchar(ring[i % limit]);
		free(ring);
		return 0;
	}
	char **ring = calloc(limit + 1, sizeof *ring), *line = 0;
	size_t capacity = 0;
	long count = 0;
	while (getline(&line, &capacity, file) > 0 && limit) {
		free(ring[count % limit]);
		ring[count++ % limit] = strdup(line);
	}
	for (long i = count > limit ? count - limit : 0; i < count; i++)
		fputs(ring[i % limit], stdout);
	for (long i = 0; i < limit; i++)
		free(ring[i]);
	free(ring);
	free(line);
	return 0;
}

static int follow(const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 1;
	off_t at = lseek(fd, 0, SEEK_END);
	fflush(stdout);
	for (;;) {
		ssize_t size = read(fd, buffer, sizeof buffer);
		if (size > 0) {
			write(1, buffer, size);
			at += size;
		} else {
			off_t end = lseek(fd, 0, SEEK_END);
			lseek(fd, at = end < at ? 0 : at, SEEK_SET);
			sleep_seconds(0.25);
		}
	}
}

int tail_main(int argc, char **argv)
{
	int option, following = 0;

	old_style_count(argc, argv);
	while ((option = getopt(argc, argv, "n:c:fq")) != -1)
		if (option == 'q')
			quiet = 1;
		else if (option == 'f')
			following = 1;
		else if (option == '?')
			return usage("[-f] [-n LINES | -c BYTES] [FILE...]");
		else {
			from_start = *optarg == '+';
			limit = atol(optarg);
			if (limit < 0)
				limit = -limit;
			by_bytes = option == 'c';
		}
	many = argc - optind > 1;
	const char *last = optind < argc ? argv[argc - 1] : 0;
	int failed = each_input(argc, argv, tail_one);
	return following && last ? follow(last) : failed;
}

/* ---- wc ---- */

static int wc_lines, wc_words, wc_bytes, wc_width = 7;
static long wc_total[3];

static void wc_print(const long counts[3], const char *name)
{
	int selected[] = { wc_lines, wc_words, wc_bytes }, first = 1, alone = wc_lines + wc_words + wc_bytes == 1;

	for (int i = 0; i < 3; i++)
		if (selected[i]) {
			printf("%s%*ld", first ? "" : " ", alone && !many ? 1 : wc_width, counts[i]);
			first = 0;
		}
	printf("%s%s\n", *name ? " " : "", name);
}

static int wc_one(FILE *file, const char *path)
{
	long counts[3] = { 0 };
	int c, in_word = 0;

	while ((c = getc(file)) != EOF) {
		counts[2]++;
		counts[0] += c == '\n';
		counts[1] += !isspace(c) && !in_word;
		in_word = !isspace(c);
	}
	for (int i = 0; i < 3; i++)
		wc_total[i] += counts[i];
	wc_print(counts, strcmp(path, "-") ? path : "");
	return 0;
}

int wc_main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "lwcm")) != -1)
		switch (option) {
		case 'l': wc_lines = 1; break;
		case 'w': wc_words = 1; break;
		case 'c':
		case 'm': wc_bytes = 1; break;
		default: return usage("[-lwc] [FILE...]");
		}
	if (!wc_lines && !wc_words && !wc_bytes)
		wc_lines = wc_words = wc_bytes = 1;
	many = argc - optind > 1;
	long bytes = 0; /* columns are as wide as they must be, where the sizes of the files tell */
	for (int i = optind; i < argc && bytes >= 0; i++) {
		struct stat status;
		bytes = !stat(argv[i], &status) && S_ISREG(status.st_mode) ? bytes + status.st_size : -1;
	}
	if (bytes >= 0 && optind < argc)
		wc_width = snprintf(0, 0, "%ld", bytes);
	int failed = each_input(argc, argv, wc_one);
	if (many)
		wc_print(wc_total, "total");
	return failed;
}

/* ---- sort, uniq ---- */

struct sort_key {
	int from, to; /* fields, counted from 1; to is 0 for the end of the line, from is 0 for the whole line */
	int numeric, human, fold, reverse;
};
#define SORT_KEYS 8
static struct sort_key sort_keys[SORT_KEYS], sort_all; /* sort_all: what -n -h -f -r say for all of them */
static int sort_key_count;
static char key_separator;

static const char *skip_field(const char *at)
{
	if (key_separator)
		return strchrnul(at, key_separator);
	at += strspn(at, " \t");
	return at + strcspn(at, " \t");
}

/* The part of a line that a key selects, copied out. */
static const char *key_of(const char *line, const struct sort_key *key, char *buffer, size_t size)
{
	const char *start = line;

	if (!key->from)
		return line;
	for (int field = 1; field < key->from && *start; field++) {
		start = skip_field(start);
		start += key_separator && *start;
	}
	const char *end = start;
	for (int field = key->from; field <= key->to && *end; field++)
		end = skip_field(end + (field > key->from && key_separator));
	if (!key->to)
		end = start + strlen(start);
	size_t length = end - start < (long)size ? (size_t)(end - start) : size - 1;
	memcpy(buffer, start, length);
	buffer[length] = 0;
	return buffer;
}

static double human_value(const char *s)
{
	char *end;
	double value = strtod(s, &end);
	const char *unit = *end ? strchr("KMGT", toupper((unsigned char)*end)) : 0;

	for (const char *u = "KMGT"; unit && u <= unit; u++)
		value *= 1024;
	return value;
}

static int compare_keys(const char *x, const char *y)
{
	static char buffers[2][4096];

	for (int i = 0; i < sort_key_count; i++) {
		const struct sort_key *key = &sort_keys[i];
		const char *kx = key_of(x, key, buffers[0], sizeof buffers[0]), *ky = key_of(y, key, buffers[1], sizeof buffers[1]);
		int order;
		if (key->numeric || key->human) {
			double vx = key->human ? human_value(kx) : strtod(kx, 0), vy = key->human ? human_value(ky) : strtod(ky, 0);
			order = (vx > vy) - (vx < vy);
		} else
			order = (key->fold ? strcasecmp : strcmp)(kx, ky);
		if (order)
			return key->reverse ? -order : order;
	}
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int order = compare_keys(x, y);

	if (!order)
		order = sort_all.reverse ? strcmp(y, x) : strcmp(x, y);
	return order;
}

/* -k 2,3nr */
static void add_key(const char *text)
{
	struct sort_key key = { 0 };
	char *end;

	key.from = strtol(text, &end, 10);
	if (*end == '.')
		strtol(end + 1, &end, 10);
	if (*end == ',')
		key.to = strtol(end + 1, &end, 10);
	for (; *end; end++) {
		key.numeric |= *end == 'n';
		key.human |= *end == 'h';
		key.fold |= *end == 'f';
		key.reverse |= *end == 'r';
		if (*end == ',')
			key.to = strtol(end + 1, &end, 10), end--;
	}
	if (sort_key_count < SORT_KEYS)
		sort_keys[sort_key_count++] = key;
}

static struct lines sort_lines;

static int sort_one(FILE *file, const char *path)
{
	(void)path;
	read_lines(&sort_lines, file);
	return 0;
}

int sort_main(int argc, char **argv)
{
	int option, unique = 0, check = 0;
	const char *output = 0;

	while ((option = getopt(argc, argv, "nrufhk:t:o:cbs")) != -1)
		switch (option) {
		case 'n': sort_all.numeric = 1; break;
		case 'h': sort_all.human = 1; break;
		case 'r': sort_all.reverse = 1; break;
		case 'u': unique = 1; break;
		case 'f': sort_all.fold = 1; break;
		case 'c': check = 1; break;
		case 't': key_separator = *optarg; break;
		case 'o': output = optarg; break;
		case 'b':
		case 's': break;
		case 'k': add_key(optarg); break;
		default: return usage("[-nrufhc] [-k FIELD[,FIELD]] [-t CHARACTER] [-o FILE] [FILE...]");
		}
	if (!sort_key_count)
		sort_key_count = 1; /* the whole line */
	for (int i = 0; i < sort_key_count; i++)
		if (!sort_keys[i].numeric && !sort_keys[i].human && !sort_keys[i].fold && !sort_keys[i].reverse) {
			int from = sort_keys[i].from, to = sort_keys[i].to;
			sort_keys[i] = sort_all;
			sort_keys[i].from = from;
			sort_keys[i].to = to;
		}
	int failed = each_input(argc, argv, sort_one);
	if (check) {
		for (size_t i = 1; i < sort_lines.count; i++)
			if (compare_lines(&sort_lines.items[i - 1], &sort_lines.items[i]) > 0)
				return warn_text("disorder: %s", sort_lines.items[i]);
		return failed;
	}
	if (sort_lines.count)
		qsort(sort_lines.items, sort_lines.count, sizeof *sort_lines.items, compare_lines);
	FILE *out = output ? fopen(output, "w") : stdout;
	if (!out)
		return warn_file(output);
	for (size_t i = 0; i < sort_lines.count; i++) {
		if (unique && i && !compare_keys(sort_lines.items[i - 1], sort_lines.items[i]))
			continue;
		fputs(sort_lines.items[i], out);
		putc('\n', out);
	}
	if (output)
		fclose(out);
	return failed;
}

int uniq_main(int argc, char **argv)
{
	int option, count = 0, repeated = 0, single = 0, fold = 0;

	while ((option = getopt(argc, argv, "cdui")) != -1)
		switch (option) {
		case 'c': count = 1; break;
		case 'd': repeated = 1; break;
		case 'u': single = 1; break;
		case 'i': fold = 1; break;
		default: return usage("[-cdui] [FILE]");
		}
	FILE *file = optind < argc ? open_input(argv[optind]) : stdin;
	if (!file)
		return 1;
	char *line = 0, *held = 0;
	size_t capacity = 0;
	long times = 0, length;
	do {
		length = getline(&line, &capacity, file);
		if (length > 0 && line[length - 1] == '\n')
			line[length - 1] = 0;
		if (length > 0 && held && !(fold ? strcasecmp : strcmp)(line, held)) {
			times++;
			continue;
		}
		if (held && (!repeated || times > 1) && (!single || times == 1)) {
			if (count)
				printf("%7ld ", times);
			puts(held);
		}
		free(held);
		held = length > 0 ? strdup(line) : 0;
		times = 1;
	} while (length > 0);
	return 0;
}

/* ---- cut, tr ---- */

#define CUT_RANGES 64
static struct {
	long from, to;
} cut_ranges[CUT_RANGES];
static int cut_count, cut_fields, cut_only_delimited;
static char cut_delimiter = '\t';

static int is_cut(long position)
{
	for (int i = 0; i < cut_count; i++)
		if (cut_ranges[i].from <= position && position <= cut_ranges[i].to)
			return 1;
	return 0;
}

static int cut_one(FILE *file, const char *path)
{
	char *line = 0;
	size_t capacity = 0;
	long length;

	(void)path;
	while ((length = getline(&line, &capacity, file)) > 0) {
		if (line[length - 1] == '\n')
			line[--length] = 0;
		if (!cut_fields) {
			for (long i = 0; i < length; i++)
				if (is_cut(i + 1))
					putchar(line[i]);
			putchar('\n');
			continue;
		}
		if (!strchr(line, cut_delimiter)) {
			if (!cut_only_delimited)
				puts(line);
			continue;
		}
		int first = 1;
		char *at = line;
		for (long field = 1; at; field++) {
			char *end = strchr(at, cut_delimiter);
			if (is_cut(field)) {
				if (!first)
					putchar(cut_delimiter);
				fwrite(at, 1, end ? (size_t)(end - at) : strlen(at), stdout);
				first = 0;
			}
			at = end ? end + 1 : 0;
		}
		putchar('\n');
	}
	free(line);
	return 0;
}

int cut_main(int argc, char **argv)
{
	int option;
	char *list = 0;

	while ((option = getopt(argc, argv, "d:f:c:b:s")) != -1)
		switch (option) {
		case 'd': cut_delimiter = *optarg; break;
		case 's': cut_only_delimited = 1; break;
		case 'f': cut_fields = 1; /* fall through */
		case 'c':
		case 'b': list = optarg; break;
		default: list = 0; optind = argc;
		}
	if (!list)
		return usage("-f LIST [-d CHARACTER] [-s] | -c LIST  [FILE...]");
	for (char *part; (part = strsep(&list, ",")) && cut_count < CUT_RANGES; cut_count++) {
		char *end = part;
		cut_ranges[cut_count].from = *part == '-' ? 1 : strtol(part, &end, 10);
		cut_ranges[cut_count].to = *end != '-' ? cut_ranges[cut_count].from : end[1] ? strtol(end + 1, 0, 10) : 1l << 40;
	}
	return each_input(argc, argv, cut_one);
}

/* Writes out a set such as a-z, [:upper:] or \n; returns how many characters it has. */
static int tr_set(const char *text, unsigned char set[512])
{
	int count = 0;
	static const struct {
		const char *name;
		int (*test)(int);
	} classes[] = { { "[:alpha:]", isalpha }, { "[:digit:]", isdigit }, { "[:alnum:]", isalnum }, { "[:upper:]", isupper },
			{ "[:lower:]", islower }, { "[:space:]", isspace }, { "[:blank:]", isblank }, { "[:punct:]", ispunct }, { "[:cntrl:]", iscntrl } };

	while (*text && count < 256) {
		size_t i = 0;
		for (; i < sizeof classes / sizeof *classes; i++)
			if (!strncmp(text, classes[i].name, strlen(classes[i].name)))
				break;
		if (i < sizeof classes / sizeof *classes) {
			for (int c = 0; c < 256 && count < 511; c++)
				if (classes[i].test(c))
					set[count++] = c;
			text += strlen(classes[i].name);
			continue;
		}
		int c = (unsigned char)*text++;
		if (c == '\\' && *text) {
			const char *names = "ntr\\abfv", *values = "\n\t\r\\\a\b\f\v", *at = strchr(names, *text);
			if (*text >= '0' && *text <= '7') {
				c = 0;
				for (int digits = 0; digits < 3 && *text >= '0' && *text <= '7'; digits++)
					c = c * 8 + *text++ - '0';
			} else
				c = at ? values[at - names] : *text, text++;
		}
		int last = c;
		if (*text == '-' && text[1]) {
			last = (unsigned char)text[1];
			text += 2;
		}
		for (; c <= last && count < 511; c++)
			set[count++] = c;
	}
	return count;
}

int tr_main(int argc, char **argv)
{
	int option, delete = 0, squeeze = 0, complement = 0;
	unsigned char from[512], to[512];

	while ((option = getopt(argc, argv, "dscC")) != -1)
		switch (option) {
		case 'd': delete = 1; break;
		case 's': squeeze = 1; break;
		case 'c':
		case 'C': complement = 1; break;
		default: return usage("[-dsc] SET1 [SET2]");
		}
	if (optind >= argc || (!delete && !squeeze && optind + 1 >= argc))
		return usage("[-dsc] SET1 [SET2]");
	int from_count = tr_set(argv[optind], from), to_count = optind + 1 < argc ? tr_set(argv[optind + 1], to) : 0;
	char in[256] = { 0 }, squeezed[256] = { 0 };
	short map[256];
	for (int i = 0; i < from_count; i++)
		in[from[i]] = 1;
	if (complement) {
		from_count = 0;
		for (int c = 0; c < 256; c++)
			if ((in[c] = !in[c]))
				from[from_count++] = c;
	}
	for (int c = 0; c < 256; c++)
		map[c] = c;
	if (!delete && to_count)
		for (int i = 0; i < from_count; i++)
			map[from[i]] = to[complement || i >= to_count ? to_count - 1 : i];
	for (int i = 0; i < (to_count ? to_count : from_count); i++)
		squeezed[to_count ? to[i] : from[i]] = squeeze;
	for (int c, last = -1; (c = getchar()) != EOF;) {
		if (delete && in[c])
			continue;
		c = map[c];
		if (c == last && squeezed[c])
			continue;
		putchar(c);
		last = c;
	}
	return 0;
}

/* ---- seq, yes ---- */

int seq_main(int argc, char **argv)
{
	const char *separator = "\n";
	int first_argument = 1, equal_width = 0;

	for (; first_argument < argc && argv[first_argument][0] == '-' && isalpha((unsigned char)argv[first_argument][1]); first_argument++)
		if (!strcmp(argv[first_argument], "-s") && first_argument + 1 < argc)
			separator = argv[++first_argument];
		else if (!strcmp(argv[first_argument], "-w"))
			equal_width = 1;
	int count = argc - first_argument;
	if (count < 1 || count > 3)
		return usage("[-w] [-s SEPARATOR] [FIRST [STEP]] LAST");
	double first = count > 1 ? strtod(argv[first_argument], 0) : 1, step = count > 2 ? strtod(argv[first_argument + 1], 0) : 1, last = strtod(argv[argc - 1], 0);
	int decimals = 0;
	for (int i = first_argument; i < argc; i++) {
		const char *point = strchr(argv[i], '.');
		if (point && (int)strlen(point + 1) > decimals)
			decimals = strlen(point + 1);
	}
	if (step == 0)
		return warn_text("the step must not be 0");
	int width = equal_width ? snprintf(0, 0, "%.*f", decimals, last) : 0, any = 0;
	for (long i = 0;; i++) {
		double value = first + i * step;
		if (step > 0 ? value > last + step * 1e-9 : value < last + step * 1e-9)
			break;
		if (any)
			fputs(separator, stdout);
		if (!decimals && !width)
			printf("%ld", (long)value);
		else
			printf("%0*.*f", width, decimals, value);
		any = 1;
	}
	if (any)
		putchar('\n');
	return 0;
}

int yes_main(int argc, char **argv)
{
	for (;;)
		for (int i = 1; i < argc || i == 1; i++)
			if (fputs(argc > 1 ? argv[i] : "y", stdout) < 0 || putchar(i < argc - 1 ? ' ' : '\n') < 0)
				return 1;
}
