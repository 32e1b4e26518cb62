/*
 * Regular expressions, basic and extended, with back references and GNU's \+ \? \| \w \W \s \b \< \>.
 * A pattern is compiled to a small program; the matcher runs it with an explicit stack of choices, so its depth is bounded
 * by the heap and not by the stack.  Matches are leftmost, and greedy rather than longest where alternatives differ.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum opcode {
	CHAR,  /* this byte */
	ANY,   /* any byte */
	SET,   /* a byte of set x */
	SPLIT, /* go on at x; if that fails, at y */
	JUMP,  /* go on at x */
	SAVE,  /* note the position in slot x */
	MOVED, /* fail unless the position differs from slot x: ends a loop over nothing */
	BOL, EOL, WORD_START, WORD_END, WORD_EDGE,
	BACK,  /* the text of group x again */
	MATCH,
};

struct instruction {
	enum opcode op;
	int x, y;
};
struct set {
	unsigned char bits[32];
};
#define GROUPS 10
#define LOOPS 40
#define SLOTS (2 * GROUPS + LOOPS)

struct program {
	struct instruction *code;
	struct set *sets;
	int length, set_count, group_count, loop_count, ignore_case;
};

struct compiler {
	struct program *program;
	const char *at;
	int extended, failed, depth;
};

static int emit(struct compiler *c, enum opcode op, int x, int y)
{
	struct program *program = c->program;

	if (program->length % 64 == 0)
		program->code = realloc(program->code, (program->length + 64) * sizeof *program->code);
	program->code[program->length] = (struct instruction){ op, x, y };
	return program->length++;
}

/* Opens a hole of `count` instructions at `where`, shifting the targets inside what moves. */
static void insert(struct compiler *c, int where, int count)
{
	struct program *program = c->program;
	int end = program->length;

	for (int i = 0; i < count; i++)
		emit(c, JUMP, 0, 0);
	memmove(program->code + where + count, program->code + where, (end - where) * sizeof *program->code);
	for (int i = where + count; i < end + count; i++) {
		struct instruction *in = program->code + i;
		if (in->op == SPLIT || in->op == JUMP) {
			in->x += count;
			in->y += count;
		}
	}
}

static void append_copy(struct compiler *c, int from, int length)
{
	int shift = c->program->length - from;

	for (int i = 0; i < length; i++) {
		struct instruction in = c->program->code[from + i];
		int jumps = in.op == SPLIT || in.op == JUMP;
		emit(c, in.op, in.x + (jumps ? shift : 0), in.y + (jumps ? shift : 0));
	}
}

static int new_set(struct compiler *c)
{
	struct program *program = c->program;

	program->sets = realloc(program->sets, (program->set_count + 1) * sizeof *program->sets);
	program->sets[program->set_count] = (struct set){ 0 };
	return program->set_count++;
}

static int is_word(int ch) { return isalnum(ch) || ch == '_'; }

static void set_class(struct compiler *c, int (*test)(int), int inverted)
{
	int set = new_set(c);

	for (int ch = 0; ch < 256; ch++)
		if (!!test(ch) != inverted)
			c->program->sets[set].bits[ch / 8] |= 1 << (ch % 8);
	emit(c, SET, set, 0);
}

/* A bracket expression is what fnmatch calls a set, but for the sign of negation and the backslash, which is literal here. */
static void bracket(struct compiler *c)
{
	const char *start = c->at, *at = start;
	int inverted = *at == '^';
	at += inverted;
	const char *first = at;
	while (*at && (*at != ']' || at == first)) {
		if (at[0] == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '=')) {
			char close[3] = { at[1], ']', 0 };
			const char *end = strstr(at + 2, close);
			if (end)
				at = end + 1;
		}
		at++;
	}
	if (!*at) {
		c->failed = 1;
		return;
	}
	char *pattern = malloc(2 * (at - start) + 8), *to = pattern;
	*to++ = '[';
	if (inverted)
		*to++ = '!';
	for (const char *p = first; p < at; p++) {
		if (*p == '\\' || (p == first && (*p == '!' || *p == '^')))
			*to++ = '\\';
		*to++ = *p;
	}
	strcpy(to, "]");
	int set = new_set(c);
	for (int ch = 1; ch < 256; ch++) {
		char text[2] = { ch, 0 }, other[2] = { isupper(ch) ? tolower(ch) : toupper(ch), 0 };
		int in = !fnmatch(pattern, text, 0);
		if (c->program->ignore_case && isalpha(ch) && !inverted)
			in |= !fnmatch(pattern, other, 0);
		if (c->program->ignore_case && isalpha(ch) && inverted)
			in &= !fnmatch(pattern, other, 0);
		if (in)
			c->program->sets[set].bits[ch / 8] |= 1 << (ch % 8);
	}
	free(pattern);
	c->at = at + 1;
	emit(c, SET, set, 0);
}

/* The length of the operator (a special sign, escaped in a basic pattern) if it stands here, else 0. */
static int is_operator(const struct compiler *c, char sign)
{
	if (c->extended)
		return *c->at == sign;
	return c->at[0] == '\\' && c->at[1] == sign ? 2 : 0;
}

static void alternatives(struct compiler *c);

/* One thing that a repetition may follow; 0 if there is none here. */
static int atom(struct compiler *c, int first)
{
	int length;

	if (!*c->at || is_operator(c, '|') || (c->depth && is_operator(c, ')')))
		return 0;
	if ((length = is_operator(c, '('))) {
		int group = ++c->program->group_count;
		c->at += length;
		c->depth++;
		if (group < GROUPS)
			emit(c, SAVE, 2 * group, 0);
		alternatives(c);
		if (group < GROUPS)
			emit(c, SAVE, 2 * group + 1, 0);
		c->depth--;
		if (!(length = is_operator(c, ')')))
			c->failed = 1;
		c->at += length;
		return 1;
	}
	char ch = *c->at++;
	if (ch == '.')
		emit(c, ANY, 0, 0);
	else if (ch == '[')
		bracket(c);
	else if (ch == '^' && (c->extended || first))
		emit(c, BOL, 0, 0);
	else if (ch == '$' && (c->extended || !*c->at || (c->at[0] == '\\' && (c->at[1] == ')' || c->at[1] == '|'))))
		emit(c, EOL, 0, 0);
	else if (ch == '\\') {
		ch = *c->at;
		if (!ch) {
			c->failed = 1;
			return 0;
		}
		c->at++;
		if (ch >= '1' && ch <= '9')
			emit(c, BACK, ch - '0', 0);
		else if (ch == 'w' || ch == 'W')
			set_class(c, is_word, ch == 'W');
		else if (ch == 's' || ch == 'S')
			set_class(c, isspace, ch == 'S');
		else if (ch == '<')
			emit(c, WORD_START, 0, 0);
		else if (ch == '>')
			emit(c, WORD_END, 0, 0);
		else if (ch == 'b')
			emit(c, WORD_EDGE, 0, 0);
		else
			emit(c, CHAR, ch == 'n' ? '\n' : ch == 't' ? '\t' : (unsigned char)ch, 0);
	} else
		emit(c, CHAR, (unsigned char)ch, 0);
	return 1;
}

static void star(struct compiler *c, int start)
{
	int loop = c->program->loop_count < LOOPS ? c->program->loop_count++ : LOOPS - 1, slot = 2 * GROUPS + loop;

	insert(c, start, 2);
	c->program->code[start + 1] = (struct instruction){ SAVE, slot, 0 };
	emit(c, MOVED, slot, 0);
	emit(c, JUMP, start, 0);
	c->program->code[start] = (struct instruction){ SPLIT, start + 1, c->program->length };
}

static void optional(struct compiler *c, int start)
{
	insert(c, start, 1);
	c->program->code[start] = (struct instruction){ SPLIT, start + 1, c->program->length };
}

/* x{low,high} is written out: low copies, then optional ones or a star. */
static void repeat(struct compiler *c, int start, int low, int high)
{
	int length = c->program->length - start;

	for (int i = 1; i < low; i++)
		append_copy(c, start, length);
	if (high < 0) {
		int last = low ? c->program->length : start;
		if (low)
			append_copy(c, start, length);
		star(c, last);
		return;
	}
	if (high == 0) {
		c->program->length = start;
		return;
	}
	if (low == 0) {
		optional(c, start);
		length++;
		low = 1;
		for (int i = low; i < high; i++)
			append_copy(c, start, length);
		return;
	}
	int from = start;
	for (int i = low; i < high; i++) {
		int copy = c->program->length;
		append_copy(c, from, length);
		optional(c, copy);
	}
}

static void sequence(struct compiler *c)
{
	int first = 1, length;

	for (;;) {
		int start = c->program->length;
		if (!c->extended && first && *c->at == '*') {
			c->at++;
			emit(c, CHAR, '*', 0);
		} else if (!atom(c, first))
			return;
		first = 0;
		for (;;) {
			if (*c->at == '*') {
				c->at++;
				star(c, start);
			} else if ((length = is_operator(c, '+'))) {
				c->at += length;
				repeat(c, start, 1, -1);
			} else if ((length = is_operator(c, '?'))) {
				c->at += length;
				optional(c, start);
			} else if ((length = is_operator(c, '{')) && isdigit((unsigned char)c->at[length])) {
				char *end;
				c->at += length;
				int low = strtol(c->at, &end, 10), high = low;
				if (*end == ',')
					high = isdigit((unsigned char)*++end) ? strtol(end, &end, 10) : -1;
				c->at = end;
				if (!(length = is_operator(c, '}')) || low > 255 || high > 255 || (high >= 0 && high < low)) {
					c->failed = 1;
					return;
				}
				c->at += length;
				repeat(c, start, low, high);
			} else
				break;
		}
		if (c->failed)
			return;
	}
}

static void alternatives(struct compiler *c)
{
	int start = c->program->length, length;

	sequence(c);
	while (!c->failed && (length = is_operator(c, '|'))) {
		c->at += length;
		insert(c, start, 1);
		int jump = emit(c, JUMP, 0, 0);
		c->program->code[start] = (struct instruction){ SPLIT, start + 1, c->program->length };
		alternatives(c);
		c->program->code[jump].x = c->program->length;
	}
}

int regcomp(regex_t *regex, const char *pattern, int flags)
{
	struct program *program = calloc(1, sizeof *program);
	struct compiler c = { .program = program, .at = pattern, .extended = flags & REG_EXTENDED };

	program->ignore_case = flags & REG_ICASE;
	alternatives(&c);
	emit(&c, MATCH, 0, 0);
	*regex = (regex_t){ program->group_count, program };
	if (c.failed || *c.at) {
		regfree(regex);
		return REG_BADPAT;
	}
	return 0;
}

void regfree(regex_t *regex)
{
	struct program *program = regex->program;

	if (program) {
		free(program->code);
		free(program->sets);
		free(program);
	}
	regex->program = 0;
}

/* A choice to come back to, or (pc < 0) a slot's earlier value to restore on the way back. */
struct choice {
	int pc, slot;
	const char *position;
};

static struct choice *choices;
static size_t choice_count, choice_room;

static void push(int pc, int slot, const char *position)
{
	if (choice_count == choice_room) {
		choice_room = choice_room ? 2 * choice_room : 256;
		choices = realloc(choices, choice_room * sizeof *choices);
	}
	choices[choice_count++] = (struct choice){ pc, slot, position };
}

static int run(const struct program *program, const char *start, const char *s, const char *slots[SLOTS], int not_bol)
{
	int pc = 0;

	choice_count = 0;
	for (;;) {
		const struct instruction *in = program->code + pc++;
		int here = (unsigned char)*s, before = s > start ? (unsigned char)s[-1] : 0, ok = 1;

		switch (in->op) {
		case CHAR:
			ok = here && (here == in->x || (program->ignore_case && tolower(here) == tolower(in->x)));
			s += ok;
			break;
		case ANY:
			ok = here != 0;
			s += ok;
			break;
		case SET:
			ok = here && (program->sets[in->x].bits[here / 8] >> (here % 8)) & 1;
			s += ok;
			break;
		case SPLIT:
			push(in->y, 0, s);
			pc = in->x;
			break;
		case JUMP:
			pc = in->x;
			break;
		case SAVE:
			push(-1, in->x, slots[in->x]);
			slots[in->x] = s;
			break;
		case MOVED:
			ok = slots[in->x] != s;
			break;
		case BOL:
			ok = s == start && !not_bol;
			break;
		case EOL:
			ok = !here;
			break;
		case WORD_START:
			ok = is_word(here) && !is_word(before);
			break;
		case WORD_END:
			ok = !is_word(here) && is_word(before);
			break;
		case WORD_EDGE:
			ok = is_word(here) != is_word(before);
			break;
		case BACK: {
			const char *from = slots[2 * in->x], *to = slots[2 * in->x + 1];
			ok = from && to && !strncmp(from, s, to - from);
			if (ok)
				s += to - from;
			break;
		}
		case MATCH:
			slots[1] = s;
			return 1;
		}
		while (!ok) {
			if (!choice_count)
				return 0;
			struct choice choice = choices[--choice_count];
			if (choice.pc < 0)
				slots[choice.slot] = choice.position;
			else {
				pc = choice.pc;
				s = choice.position;
				ok = 1;
			}
		}
	}
}

int regexec(const regex_t *regex, const char *s, size_t count, regmatch_t matches[], int flags)
{
	const char *slots[SLOTS];

	for (const char *at = s;; at++) {
		memset(slots, 0, sizeof slots);
		slots[0] = at;
		if (run(regex->program, s, at, slots, flags & REG_NOTBOL)) {
			for (size_t i = 0; i < count; i++) {
				int set = i < GROUPS && slots[2 * i] && slots[2 * i + 1];
				matches[i] = set ? (regmatch_t){ slots[2 * i] - s, slots[2 * i + 1] - s } : (regmatch_t){ -1, -1 };
			}
			return 0;
		}
		if (!*at)
			return REG_NOMATCH;
	}
}
