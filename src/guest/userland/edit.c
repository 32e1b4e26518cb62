/*
 * The line editor.  While a line is edited the terminal is raw; before and after it is as the shell found it.  The screen is
 * redrawn from what is known (prompt, line, cursor, width) after each key, in one write.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "shell.h"

#define CONTROL(key) ((key) & 31)
#define HISTORY 200

static char *history[HISTORY];
static int history_count;

void history_add(const char *line)
{
	if (!*line || (history_count && !strcmp(history[history_count - 1], line)))
		return;
	if (history_count == HISTORY) {
		free(history[0]);
		memmove(history, history + 1, (HISTORY - 1) * sizeof *history);
		history_count--;
	}
	history[history_count++] = strdup(line);
}

void history_print(void)
{
	for (int i = 0; i < history_count; i++)
		printf("%5d  %s\n", i + 1, history[i]);
}

#define LINE 4096
struct editor {
	char line[LINE];
	size_t length, cursor;
	const char *prompt;
	int columns, cursor_row; /* the screen row of the cursor, counted from the prompt's first */
	int place;               /* in the history; history_count is the new line */
	char draft[LINE];        /* the new line, while older ones are shown */
	char cut[LINE];          /* what ^K, ^U or ^W took, for ^Y */
	int tabs;                /* in a row */
	int drawn;               /* the screen shows the line already */
};

/* ---- Drawing ---- */

struct output {
	char bytes[3 * LINE];
	size_t length;
};

static void out(struct output *output, const char *s, size_t length)
{
	if (output->length + length <= sizeof output->bytes) {
		memcpy(output->bytes + output->length, s, length);
		output->length += length;
	}
}

static void out_text(struct output *output, const char *s)
{
	out(output, s, strlen(s));
}

/* Columns that a text takes: a UTF-8 sign is one, an escape sequence none. */
static int width(const char *s, size_t length)
{
	int columns = 0;

	for (size_t i = 0; i < length; i++) {
		if (s[i] == '\033' && s[i + 1] == '[') {
			for (i += 2; i < length && (s[i] < '@' || s[i] > '~'); i++)
				;
			continue;
		}
		columns += ((unsigned char)s[i] & 0xc0) != 0x80;
	}
	return columns;
}

static void move(struct output *output, int count, char direction)
{
	char sequence[16];

	if (count > 0) {
		snprintf(sequence, sizeof sequence, "\033[%d%c", count, direction);
		out_text(output, sequence);
	}
}

static void redraw(struct editor *e)
{
	static struct output output;
	const char *last_line = strrchr(e->prompt, '\n');
	const char *prompt = last_line ? last_line + 1 : e->prompt;
	int start = width(prompt, strlen(prompt));
	int end = start + width(e->line, e->length), at = start + width(e->line, e->cursor);

	output.length = 0;
	move(&output, e->cursor_row, 'A');
	out_text(&output, "\r\033[J");
	out_text(&output, prompt);
	out(&output, e->line, e->length);
	if (end && end % e->columns == 0)
		out_text(&output, "\n\r"); /* the terminal waits at the edge: step over it */
	move(&output, end / e->columns - at / e->columns, 'A');
	out_text(&output, "\r");
	move(&output, at % e->columns, 'C');
	e->cursor_row = at / e->columns;
	write(1, output.bytes, output.length);
}

/* Leaves the cursor below the line. */
static void finish(struct editor *e)
{
	e->cursor = e->length;
	redraw(e);
	write(1, "\r\n", 2);
	e->cursor_row = 0;
}

/* ---- Changing ---- */

static void insert(struct editor *e, const char *s, size_t length)
{
	if (e->length + length >= LINE)
		return;
	memmove(e->line + e->cursor + length, e->line + e->cursor, e->length - e->cursor);
	memcpy(e->line + e->cursor, s, length);
	e->length += length;
	e->cursor += length;
}

static void erase(struct editor *e, size_t from, size_t to)
{
	memmove(e->line + from, e->line + to, e->length - to);
	e->length -= to - from;
	e->cursor = from;
}

static void cut(struct editor *e, size_t from, size_t to)
{
	memcpy(e->cut, e->line + from, to - from);
	e->cut[to - from] = 0;
	erase(e, from, to);
}

static size_t before(const struct editor *e, size_t at)
{
	if (at)
		do
			at--;
		while (at && ((unsigned char)e->line[at] & 0xc0) == 0x80);
	return at;
}

static size_t after(const struct editor *e, size_t at)
{
	if (at < e->length)
		do
			at++;
		while (at < e->length && ((unsigned char)e->line[at] & 0xc0) == 0x80);
	return at;
}

static size_t word_before(const struct editor *e)
{
	size_t at = e->cursor;

	while (at && e->line[at - 1] == ' ')
		at--;
	while (at && e->line[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_after(const struct editor *e)
{
	size_t at = e->cursor;

	while (at < e->length && e->line[at] == ' ')
		at++;
	while (at < e->length && e->line[at] != ' ')
		at++;
	return at;
}

static void show_history(struct editor *e, int place)
{
	if (place < 0 || place > history_count)
		return;
	if (e->place == history_count) {
		e->line[e->length] = 0;
		strcpy(e->draft, e->line);
	}
	e->place = place;
	strlcpy(e->line, place == history_count ? e->draft : history[place], LINE);
	e->length = e->cursor = strlen(e->line);
}

static void list_completions(struct editor *e, const struct completions *found)
{
	size_t widest = 1;

	finish(e);
	for (int i = 0; i < found->count; i++)
		if (strlen(found->items[i]) > widest)
			widest = strlen(found->items[i]);
	int columns = e->columns / (widest + 2), rows;
	if (columns < 1)
		columns = 1;
	rows = (found->count + columns - 1) / columns;
	for (int row = 0; row < rows; row++) {
		for (int i = row; i < found->count; i += rows)
			printf("%-*s", (int)widest + 2, found->items[i]);
		fputs("\r\n", stdout);
	}
	fflush(stdout);
}

static void complete_word(struct editor *e)
{
	e->line[e->length] = 0;
	struct completions found = complete(e->line, e->cursor);

	if (found.count) {
		size_t typed = e->cursor - found.start, common = strlen(found.items[0]);
		for (int i = 1; i < found.count; i++)
			for (size_t j = 0; j < common; j++)
				if (found.items[i][j] != found.items[0][j])
					common = j;
		const char *slash = memchr(e->line + found.start, '/', typed);
		for (const char *s = slash; s; s = memchr(s + 1, '/', e->line + e->cursor - s - 1))
			slash = s;
		typed -= slash ? slash + 1 - (e->line + found.start) : 0; /* items are names without their folder */
		if (common > typed || found.count == 1) {
			erase(e, e->cursor - typed, e->cursor);
			insert(e, found.items[0], common);
			if (found.count == 1 && found.items[0][common - 1] != '/')
				insert(e, " ", 1);
		} else if (e->tabs)
			list_completions(e, &found);
	}
	completions_free(&found);
}

/* ---- Keys ---- */

static int read_byte(void)
{
	unsigned char byte;
	ssize_t size;

	do
		size = read(0, &byte, 1);
	while (size < 0 && errno == EINTR && !shell.interrupted);
	return size == 1 ? byte : -1;
}

static int byte_follows(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	return poll(&input, 1, 50) > 0;
}

/* What follows an escape: arrows and their kin. */
static void escape_sequence(struct editor *e)
{
	if (!byte_follows())
		return;
	int c = read_byte();
	if (c == 'b') {
		e->cursor = word_before(e);
		return;
	}
	if (c == 'f') {
		e->cursor = word_after(e);
		return;
	}
	if (c == 'd') {
		cut(e, e->cursor, word_after(e));
		return;
	}
	if (c != '[' && c != 'O')
		return;
	int parameter = 0, modifier = 0;
	for (c = read_byte(); (c >= '0' && c <= '9') || c == ';'; c = read_byte())
		if (c == ';') {
			modifier = parameter;
			parameter = 0;
		} else
			parameter = parameter * 10 + c - '0';
	(void)modifier;
	switch (c) {
	case 'A': show_history(e, e->place - 1); break;
	case 'B': show_history(e, e->place + 1); break;
	case 'C': e->cursor = parameter == 5 ? word_after(e) : after(e, e->cursor); break;
	case 'D': e->cursor = parameter == 5 ? word_before(e) : before(e, e->cursor); break;
	case 'H': e->cursor = 0; break;
	case 'F': e->cursor = e->length; break;
	case '~':
		if (parameter == 1 || parameter == 7)
			e->cursor = 0;
		else if (parameter == 4 || parameter == 8)
			e->cursor = e->length;
		else if (parameter == 3)
			erase(e, e->cursor, after(e, e->cursor));
	}
}

/* ^R: the latest earlier line that holds what is typed. */
static int search_history(struct editor *e)
{
	char wanted[128] = "";
	size_t length = 0;
	int found = history_count;
	const char *prompt = e->prompt;
	char shown[200];

	for (;;) {
		snprintf(shown, sizeof shown, "(reverse-i-search)`%s': ", wanted);
		e->prompt = shown;
		redraw(e);
		int c = read_byte();
		int from = found;
		if (c == CONTROL('R'))
			from--;
		else if ((c == 127 || c == CONTROL('H')) && length)
			wanted[--length] = 0;
		else if (c >= ' ' && c != 127 && length < sizeof wanted - 1) {
			wanted[length++] = c;
			wanted[length] = 0;
			from = found < history_count ? found : history_count - 1;
		} else {
			e->prompt = prompt;
			return c;
		}
		for (int i = from < history_count ? from : history_count - 1; i >= 0; i--)
			if (strstr(history[i], wanted)) {
				found = i;
				strlcpy(e->line, history[i], LINE);
				e->length = strlen(e->line);
				e->cursor = strstr(e->line, wanted) - e->line;
				break;
			}
	}
}

/* A plain sign at the end of the line, away from the edge, needs no more than itself on the screen. */
static void type(struct editor *e, char c)
{
	insert(e, &c, 1);
	int column = width(e->prompt, strlen(e->prompt)) + width(e->line, e->length);
	int in_row = column % e->columns && column / e->columns == e->cursor_row;
	if (e->cursor == e->length && (unsigned char)c < 128 && in_row && !strchr(e->prompt, '\n')) {
		write(1, &c, 1);
		e->drawn = 1;
	}
}

enum outcome { GO_ON, ACCEPTED, ABANDONED, ENDED };

static enum outcome handle(struct editor *e, int c)
{
	switch (c) {
	case -1:
		return shell.interrupted ? ABANDONED : ENDED;
	case '\r':
	case '\n':
		return ACCEPTED;
	case CONTROL('C'):
		return ABANDONED;
	case CONTROL('D'):
		if (!e->length)
			return ENDED;
		erase(e, e->cursor, after(e, e->cursor));
		break;
	case 127:
	case CONTROL('H'):
		erase(e, before(e, e->cursor), e->cursor);
		break;
	case CONTROL('A'): e->cursor = 0; break;
	case CONTROL('E'): e->cursor = e->length; break;
	case CONTROL('B'): e->cursor = before(e, e->cursor); break;
	case CONTROL('F'): e->cursor = after(e, e->cursor); break;
	case CONTROL('K'): cut(e, e->cursor, e->length); break;
	case CONTROL('U'): cut(e, 0, e->cursor); break;
	case CONTROL('W'): cut(e, word_before(e), e->cursor); break;
	case CONTROL('Y'): insert(e, e->cut, strlen(e->cut)); break;
	case CONTROL('P'): show_history(e, e->place - 1); break;
	case CONTROL('N'): show_history(e, e->place + 1); break;
	case CONTROL('R'): return handle(e, search_history(e));
	case CONTROL('L'):
		write(1, "\033[H\033[2J", 7);
		e->cursor_row = 0;
		break;
	case '\t':
		complete_word(e);
		e->tabs++;
		break;
	case '\033':
		escape_sequence(e);
		break;
	default:
		if (c >= ' ')
			type(e, c);
	}
	return GO_ON;
}

char *edit_line(const char *prompt)
{
	static struct editor e;
	struct termios cooked, raw;
	struct winsize size;

	fflush(0);
	if (tcgetattr(0, &cooked) < 0)
		return 0;
	raw = cooked;
	raw.c_iflag &= ~(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(ECHO | ICANON | IEXTEN | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(0, TCSADRAIN, &raw);

	e.length = e.cursor = 0;
	e.cursor_row = e.drawn = 0;
	e.place = history_count;
	e.prompt = prompt;
	e.columns = ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
	const char *last_line = strrchr(prompt, '\n');
	if (last_line)
		write(1, prompt, last_line + 1 - prompt);
	enum outcome outcome = GO_ON;
	while (outcome == GO_ON) {
		if (!e.drawn)
			redraw(&e);
		e.drawn = 0;
		int c = read_byte();
		if (c != '\t')
			e.tabs = 0;
		outcome = handle(&e, c);
	}
	e.line[e.length] = 0;
	if (outcome == ABANDONED) {
		e.cursor = e.length;
		redraw(&e);
		write(1, "^C\r\n", 4);
		e.line[0] = 0;
		shell.interrupted = 1;
	} else if (outcome == ENDED)
		write(1, "\r\n", 2);
	else
		finish(&e);
	tcsetattr(0, TCSADRAIN, &cooked);
	return outcome == ENDED ? 0 : strdup(e.line);
}
