/*
 * Text to nodes, by recursive descent over POSIX's grammar.  Words stay raw, with their quotes and dollars: expand.c reads
 * them when the command runs.  A text that only ends too early fails with an empty error, and the caller may offer more.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

enum token { END, NEWLINE, WORD, IO_NUMBER, AND_IF, OR_IF, DOUBLE_SEMICOLON, SEMICOLON, AMPERSAND, PIPE, OPEN, CLOSE,
	     LESS, GREAT, DOUBLE_GREAT, DOUBLE_LESS, DOUBLE_LESS_DASH, LESS_AND, GREAT_AND, LESS_GREAT, CLOBBER };

static const struct {
	const char *text;
	enum token token;
} operators[] = { /* the longer ones first */
	{ "<<-", DOUBLE_LESS_DASH }, { "&&", AND_IF }, { "||", OR_IF }, { ";;", DOUBLE_SEMICOLON }, { ">>", DOUBLE_GREAT },
	{ "<<", DOUBLE_LESS }, { "<&", LESS_AND }, { ">&", GREAT_AND }, { "<>", LESS_GREAT }, { ">|", CLOBBER },
	{ ";", SEMICOLON }, { "&", AMPERSAND }, { "|", PIPE }, { "(", OPEN }, { ")", CLOSE }, { "<", LESS }, { ">", GREAT },
};

/* A here-document whose body begins after the next newline. */
struct here_document {
	struct redirect *redirect;
	char *delimiter;
	int strip_tabs;
	struct here_document *next;
};

static _Noreturn void fail(struct parser *p, const char *error)
{
	p->error = error;
	longjmp(p->failure, 1);
}

static _Noreturn void incomplete(struct parser *p)
{
	fail(p, "");
}

static _Noreturn void unexpected(struct parser *p)
{
	if (p->token == END)
		incomplete(p);
	if (p->token == NEWLINE)
		fail(p, "syntax error: unexpected newline");
	snprintf(p->message, sizeof p->message, "syntax error: unexpected \"%.*s\"", (int)(p->at - p->token_start > 40 ? 40 : p->at - p->token_start), p->text + p->token_start);
	fail(p, p->message);
}

static char *keep(struct parser *p, const char *s, size_t length)
{
	char *copy = region_alloc(p->region, length + 1);
	memcpy(copy, s, length);
	return copy;
}

/* ---- Words: where quotes and substitutions end ---- */

static size_t skip_quotes(struct parser *p, size_t at);
static struct node *list(struct parser *p);
static void advance(struct parser *p);

/* at: after "$(".  The commands inside are parsed, because only that tells where they end. */
static size_t skip_command_substitution(struct parser *p, size_t at)
{
	struct parser inner;

	parser_open(&inner, p->text);
	inner.at = at;
	if (setjmp(inner.failure)) {
		const char *error = inner.error;
		if (error == inner.message) {
			strcpy(p->message, inner.message);
			error = p->message;
		}
		region_free(inner.region);
		fail(p, error);
	}
	advance(&inner);
	list(&inner);
	if (inner.token != CLOSE)
		unexpected(&inner);
	size_t end = inner.at;
	region_free(inner.region);
	return end;
}

static size_t skip_arithmetic(struct parser *p, size_t at)
{
	for (int depth = 2; depth;) {
		char c = p->text[at++];
		if (!c)
			incomplete(p);
		depth += (c == '(') - (c == ')');
	}
	return at;
}

static size_t skip_braces(struct parser *p, size_t at)
{
	while (p->text[at] != '}') {
		if (!p->text[at])
			incomplete(p);
		at = skip_quotes(p, at);
	}
	return at + 1;
}

static size_t skip_backquotes(struct parser *p, size_t at)
{
	for (; p->text[at] != '`'; at++) {
		if (p->text[at] == '\\' && p->text[at + 1])
			at++;
		if (!p->text[at])
			incomplete(p);
	}
	return at + 1;
}

static size_t skip_dollar(struct parser *p, size_t at)
{
	const char *s = p->text + at;

	if (s[1] == '(' && s[2] == '(')
		return skip_arithmetic(p, at + 3);
	if (s[1] == '(')
		return skip_command_substitution(p, at + 2);
	if (s[1] == '{')
		return skip_braces(p, at + 2);
	return at + 1;
}

/* Past one sign of a word, or past everything that a quote or a dollar opens there. */
static size_t skip_quotes(struct parser *p, size_t at)
{
	switch (p->text[at]) {
	case '\\':
		return at + (p->text[at + 1] ? 2 : 1);
	case '\'':
		do
			if (!p->text[++at])
				incomplete(p);
		while (p->text[at] != '\'');
		return at + 1;
	case '"':
		for (at++; p->text[at] != '"';)
			switch (p->text[at]) {
			case 0:
				incomplete(p);
			case '\\':
				at += p->text[at + 1] ? 2 : 1;
				break;
			case '$':
				at = skip_dollar(p, at);
				break;
			case '`':
				at = skip_backquotes(p, at + 1);
				break;
			default:
				at++;
			}
		return at + 1;
	case '$':
		return skip_dollar(p, at);
	case '`':
		return skip_backquotes(p, at + 1);
	}
	return at + 1;
}

size_t substitution_end(const char *text, size_t dollar)
{
	struct parser p;

	parser_open(&p, text);
	size_t end;
	if (setjmp(p.failure))
		end = strlen(text);
	else
		end = skip_quotes(&p, dollar);
	region_free(p.region);
	return end;
}

/* ---- Tokens ---- */

/* The word without its quotes, as a here-document's delimiter is compared. */
static char *unquoted(struct parser *p, const char *raw)
{
	char *plain = keep(p, raw, strlen(raw)), *to = plain;

	for (; *raw; raw++)
		if (*raw == '\\' && raw[1])
			*to++ = *++raw;
		else if (*raw != '\'' && *raw != '"')
			*to++ = *raw;
	*to = 0;
	return plain;
}

static void read_here_documents(struct parser *p)
{
	for (struct here_document *here = p->pending; here; here = here->next) {
		const char *line = p->text + p->at;
		char *body = region_alloc(p->region, strlen(line) + 1), *to = body;
		size_t delimiter_length = strlen(here->delimiter);
		for (;;) {
			if (!*line)
				incomplete(p);
			const char *end = strchrnul(line, '\n');
			if (here->strip_tabs)
				line += strspn(line, "\t");
			int last = (size_t)(end - line) == delimiter_length && !strncmp(line, here->delimiter, delimiter_length);
			if (last) {
				p->at = end + (*end != 0) - p->text;
				break;
			}
			memcpy(to, line, end - line);
			to += end - line;
			if (*end)
				*to++ = '\n';
			line = end + (*end != 0);
		}
		*to = 0;
		here->redirect->word = body;
	}
	p->pending = 0;
}

static int ends_word(char c)
{
	return !c || strchr(" \t\n;&|()<>", c);
}

static void advance(struct parser *p)
{
	const char *text = p->text;

	p->previous_end = p->at;
	for (;;) {
		if (text[p->at] == ' ' || text[p->at] == '\t')
			p->at++;
		else if (text[p->at] == '\\' && text[p->at + 1] == '\n')
			p->at += 2;
		else
			break;
	}
	if (text[p->at] == '#')
		while (text[p->at] && text[p->at] != '\n')
			p->at++;
	p->token_start = p->at;
	if (!text[p->at]) {
		if (p->pending)
			incomplete(p);
		p->token = END;
		return;
	}
	if (text[p->at] == '\n') {
		p->at++;
		p->token = NEWLINE;
		read_here_documents(p);
		return;
	}
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
		if (!strncmp(text + p->at, operators[i].text, strlen(operators[i].text))) {
			p->at += strlen(operators[i].text);
			p->token = operators[i].token;
			return;
		}
	size_t end = p->at;
	while (!ends_word(text[end]))
		end = skip_quotes(p, end);
	p->word = keep(p, text + p->at, end - p->at);
	p->token = (text[end] == '<' || text[end] == '>') && p->word[strspn(p->word, "0123456789")] == 0 ? IO_NUMBER : WORD;
	p->at = end;
}

/* ---- The grammar ---- */

static int at_reserved(struct parser *p, const char *reserved)
{
	return p->token == WORD && !strcmp(p->word, reserved);
}

static void expect(struct parser *p, const char *reserved)
{
	if (!at_reserved(p, reserved))
		unexpected(p);
	advance(p);
}

static void skip_newlines(struct parser *p)
{
	while (p->token == NEWLINE)
		advance(p);
}

static struct node *new_node(struct parser *p, enum node_type type)
{
	struct node *node = region_alloc(p->region, sizeof *node);
	node->type = type;
	return node;
}

static void add_word(struct parser *p, struct words *words, char *word)
{
	if ((words->count & (words->count + 1)) == 0) { /* full at 0, 1, 3, 7, … with room for the ending null */
		char **grown = region_alloc(p->region, (2 * words->count + 2) * sizeof *grown);
		if (words->count)
			memcpy(grown, words->items, words->count * sizeof *grown);
		words->items = grown;
	}
	words->items[words->count++] = word;
}

/* Reads a redirection if one stands here, and adds it at the end of the list. */
static int redirection(struct parser *p, struct redirect **redirects)
{
	int fd = -1;

	if (p->token == IO_NUMBER) {
		fd = atoi(p->word);
		advance(p);
	}
	if (p->token < LESS)
		return 0;
	enum token operator = p->token;
	advance(p);
	if (p->token != WORD && p->token != IO_NUMBER)
		unexpected(p);
	struct redirect *redirect = region_alloc(p->region, sizeof *redirect);
	redirect->fd = fd >= 0 ? fd : operator == GREAT || operator == DOUBLE_GREAT || operator == GREAT_AND || operator == CLOBBER;
	redirect->word = p->word;
	switch (operator) {
	case LESS: redirect->type = READ_FILE; break;
	case GREAT:
	case CLOBBER: redirect->type = WRITE_FILE; break;
	case DOUBLE_GREAT: redirect->type = APPEND_FILE; break;
	case LESS_GREAT: redirect->type = READ_WRITE; break;
	case LESS_AND:
	case GREAT_AND: redirect->type = DUPLICATE; break;
	default: {
		struct here_document *here = region_alloc(p->region, sizeof *here), **end = &p->pending;
		redirect->type = strpbrk(p->word, "\\'\"") ? HERE_LITERAL : HERE_DOCUMENT;
		*here = (struct here_document){ redirect, unquoted(p, p->word), operator == DOUBLE_LESS_DASH, 0 };
		while (*end)
			end = &(*end)->next;
		*end = here;
	}
	}
	advance(p);
	while (*redirects)
		redirects = &(*redirects)->next;
	*redirects = redirect;
	return 1;
}

static struct node *compound_list(struct parser *p)
{
	struct node *body = list(p);
	if (!body)
		unexpected(p);
	return body;
}

static struct node *if_clause(struct parser *p)
{
	struct node *node = new_node(p, IF);

	advance(p);
	node->left = compound_list(p);
	expect(p, "then");
	node->right = compound_list(p);
	if (at_reserved(p, "elif")) {
		node->other = if_clause(p);
		return node;
	}
	if (at_reserved(p, "else")) {
		advance(p);
		node->other = compound_list(p);
	}
	expect(p, "fi");
	return node;
}

static struct node *do_group(struct parser *p)
{
	expect(p, "do");
	struct node *body = compound_list(p);
	expect(p, "done");
	return body;
}

static struct node *for_clause(struct parser *p)
{
	struct node *node = new_node(p, FOR);

	advance(p);
	if (p->token != WORD || name_length(p->word) != strlen(p->word))
		unexpected(p);
	node->name = p->word;
	advance(p);
	skip_newlines(p);
	if (at_reserved(p, "in")) {
		node->has_in = 1;
		advance(p);
		for (; p->token == WORD; advance(p))
			add_word(p, &node->words, p->word);
		if (p->token != SEMICOLON && p->token != NEWLINE)
			unexpected(p);
	}
	if (p->token == SEMICOLON)
		advance(p);
	skip_newlines(p);
	node->right = do_group(p);
	return node;
}

static struct node *case_clause(struct parser *p)
{
	struct node *node = new_node(p, CASE);
	struct case_item **end = &node->items;

	advance(p);
	if (p->token != WORD)
		unexpected(p);
	node->name = p->word;
	advance(p);
	skip_newlines(p);
	expect(p, "in");
	for (skip_newlines(p); !at_reserved(p, "esac"); skip_newlines(p)) {
		struct case_item *item = region_alloc(p->region, sizeof *item);
		if (p->token == OPEN)
			advance(p);
		for (;; advance(p)) {
			if (p->token != WORD)
				unexpected(p);
			add_word(p, &item->patterns, p->word);
			advance(p);
			if (p->token != PIPE)
				break;
		}
		if (p->token != CLOSE)
			unexpected(p);
		advance(p);
		item->body = list(p);
		*end = item;
		end = &item->next;
		if (p->token == DOUBLE_SEMICOLON)
			advance(p);
		else if (!at_reserved(p, "esac"))
			unexpected(p);
	}
	advance(p);
	return node;
}

static struct node *command(struct parser *p);

static struct node *function_definition(struct parser *p, char *name)
{
	struct node *node = new_node(p, FUNCTION);

	skip_newlines(p);
	node->name = name;
	node->right = command(p);
	p->defined_function = 1;
	return node;
}

static struct node *simple_command(struct parser *p)
{
	struct node *node = new_node(p, SIMPLE);

	for (;;) {
		if (redirection(p, &node->redirects))
			continue;
		if (p->token != WORD)
			break;
		char *word = p->word;
		advance(p);
		if (!node->words.count && is_assignment(word))
			add_word(p, &node->assignments, word);
		else
			add_word(p, &node->words, word);
		if (p->token == OPEN && node->words.count == 1 && !node->assignments.count && name_length(word) == strlen(word)) {
			advance(p);
			if (p->token != CLOSE)
				unexpected(p);
			advance(p);
			return function_definition(p, word);
		}
	}
	if (!node->words.count && !node->assignments.count && !node->redirects)
		unexpected(p);
	return node;
}

static struct node *command(struct parser *p)
{
	static const char *const closing[] = { "then", "else", "elif", "fi", "do", "done", "esac", "}", "in" };
	struct node *node;

	if (p->token == OPEN) {
		advance(p);
		node = new_node(p, SUBSHELL);
		node->left = compound_list(p);
		if (p->token != CLOSE)
			unexpected(p);
		advance(p);
	} else if (at_reserved(p, "{")) {
		advance(p);
		node = new_node(p, GROUP);
		node->left = compound_list(p);
		expect(p, "}");
	} else if (at_reserved(p, "if"))
		node = if_clause(p);
	else if (at_reserved(p, "while") || at_reserved(p, "until")) {
		node = new_node(p, at_reserved(p, "while") ? WHILE : UNTIL);
		advance(p);
		node->left = compound_list(p);
		node->right = do_group(p);
	} else if (at_reserved(p, "for"))
		node = for_clause(p);
	else if (at_reserved(p, "case"))
		node = case_clause(p);
	else {
		for (size_t i = 0; i < sizeof closing / sizeof *closing - 1; i++)
			if (at_reserved(p, closing[i]))
				unexpected(p);
		return simple_command(p);
	}
	while (redirection(p, &node->redirects))
		;
	return node;
}

static struct node *pipeline(struct parser *p)
{
	int negated = 0;
	size_t start = p->token_start;

	for (; at_reserved(p, "!"); advance(p))
		negated = !negated;
	struct node *first = command(p), *last = first;
	while (p->token == PIPE) {
		advance(p);
		skip_newlines(p);
		last->next = command(p);
		last = last->next;
	}
	struct node *node = new_node(p, PIPELINE);
	node->left = first;
	node->negated = negated;
	node->source = keep(p, p->text + start, p->previous_end - start);
	return node;
}

static struct node *and_or(struct parser *p)
{
	struct node *left = pipeline(p);

	while (p->token == AND_IF || p->token == OR_IF) {
		struct node *node = new_node(p, p->token == AND_IF ? AND : OR);
		advance(p);
		skip_newlines(p);
		node->left = left;
		node->right = pipeline(p);
		left = node;
	}
	return left;
}

static int ends_list(struct parser *p)
{
	static const char *const closing[] = { "then", "else", "elif", "fi", "do", "done", "esac", "}" };

	if (p->token == END || p->token == CLOSE || p->token == DOUBLE_SEMICOLON)
		return 1;
	for (size_t i = 0; i < sizeof closing / sizeof *closing; i++)
		if (at_reserved(p, closing[i]))
			return 1;
	return 0;
}

/* One and-or list with its separator, appended to a chain of SEQUENCE nodes. */
static struct node **append(struct parser *p, struct node **end)
{
	size_t start = p->token_start;
	struct node *item = and_or(p);

	if (p->token == AMPERSAND) {
		struct node *background = new_node(p, BACKGROUND);
		background->left = item;
		background->source = keep(p, p->text + start, p->previous_end - start);
		item = background;
	}
	*end = new_node(p, SEQUENCE);
	(*end)->left = item;
	return &(*end)->right;
}

/* Commands up to what closes them; 0 if there are none. */
static struct node *list(struct parser *p)
{
	struct node *first = 0, **end = &first;

	for (skip_newlines(p); !ends_list(p); skip_newlines(p)) {
		end = append(p, end);
		if (p->token != SEMICOLON && p->token != AMPERSAND && p->token != NEWLINE)
			break;
		advance(p);
	}
	return first;
}

/* ---- The parser's face ---- */

void parser_open(struct parser *p, const char *text)
{
	memset(p, 0, sizeof *p);
	p->text = text;
	p->region = region_new();
}

void parser_close(struct parser *p)
{
	if (!p->defined_function) /* a function's nodes stay for as long as it may be called */
		region_free(p->region);
	p->region = 0;
}

static struct node *command_line(struct parser *p)
{
	struct node *first = 0, **end = &first;

	do
		advance(p);
	while (p->token == NEWLINE);
	while (p->token != END && p->token != NEWLINE) {
		end = append(p, end);
		if (p->token == SEMICOLON || p->token == AMPERSAND)
			advance(p);
		else if (p->token != END && p->token != NEWLINE)
			unexpected(p);
	}
	return first;
}

struct node *parse_command_line(struct parser *p)
{
	parser_close(p);
	p->region = region_new();
	p->defined_function = 0;
	p->pending = 0;
	p->error = 0;
	return setjmp(p->failure) ? 0 : command_line(p);
}
