/*
 * The shell's parts and what they share.  A command line goes through them in this order:
 *   edit.c (keys to a line) → parse.c (text to nodes) → execute.c (nodes to processes), with expand.c for each word.
 */
#pragma once
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* ---- Memory (region.c): everything made for one command is given back together. ---- */
struct region;
struct region *region_new(void);
void *region_alloc(struct region *region, size_t size);
void region_free(struct region *region);

/* The scratch region works as a stack: what was taken after a mark is given back by releasing to it. */
void *scratch_alloc(size_t size);
char *scratch_copy(const char *s, size_t length);
size_t scratch_mark(void);
void scratch_release(size_t mark);

/* A growing text in scratch memory. */
struct text {
	char *data;
	size_t length, capacity;
};
void text_add(struct text *text, const char *s, size_t length);
void text_char(struct text *text, char c);
char *text_end(struct text *text); /* terminates it and returns it */

/* ---- Nodes (parse.c). ---- */
enum node_type { SIMPLE, PIPELINE, AND, OR, SEQUENCE, BACKGROUND, SUBSHELL, GROUP, IF, WHILE, UNTIL, FOR, CASE, FUNCTION };
enum redirect_type { READ_FILE, WRITE_FILE, APPEND_FILE, READ_WRITE, DUPLICATE, HERE_DOCUMENT, HERE_LITERAL };

struct redirect {
	enum redirect_type type;
	int fd;
	char *word; /* raw: a file name, a number or "-", or a here-document's body */
	struct redirect *next;
};
struct words {
	char **items;
	int count;
};
struct case_item {
	struct words patterns;
	struct node *body;
	struct case_item *next;
};
struct node {
	enum node_type type;
	struct redirect *redirects;
	struct words words;       /* SIMPLE: raw words; FOR: what it runs over */
	struct words assignments; /* SIMPLE: NAME=raw */
	struct node *left, *right, *other; /* condition, body and else; or a list's first and rest */
	struct case_item *items;
	char *name;               /* FOR's variable, FUNCTION's name, CASE's raw word */
	char *source;             /* its text, for job notices */
	int negated, has_in;
	struct node *next;        /* in a PIPELINE */
};

struct parser {
	struct region *region;
	const char *text;
	size_t at, token_start, previous_end;
	int token;
	char *word;
	struct here_document *pending;
	const char *error; /* set when a parse fails; "" when the text only ends too early */
	char message[80];
	int defined_function;
	jmp_buf failure;
};
void parser_open(struct parser *parser, const char *text);
struct node *parse_command_line(struct parser *parser); /* 0 at the end, or with `error` set */
void parser_close(struct parser *parser);
size_t substitution_end(const char *text, size_t dollar); /* where the $... or `...` that begins at `dollar` ends */

/* ---- Words (expand.c, arithmetic.c). ---- */
struct words expand_words(const struct words *raw);
char *expand_single(const char *raw);   /* one field, no splitting, no globbing */
char *expand_pattern(const char *raw);  /* the same, with quoted signs escaped for fnmatch */
char *expand_here_document(const char *raw);
long evaluate_arithmetic(const char *expression);

/* ---- Variables (variables.c). ---- */
const char *get_variable(const char *name);
void set_variable(const char *name, const char *value);
void export_variable(const char *name);
void unset_variable(const char *name);
void make_readonly(const char *name);
void print_variables(int exported_only);
size_t name_length(const char *s); /* of the identifier that s begins with */
int is_assignment(const char *word);
void variables_from_environment(char **environment);
char **environment_for_exec(void);
void enter_scope(void);
void leave_scope(void);
void make_local(const char *name);

/* ---- Running (execute.c, builtins.c). ---- */
struct shell {
	int interactive, job_control;
	int exit_on_error, trace, no_unset, no_glob, no_clobber, no_exec;
	int status;              /* $? */
	pid_t pid, last_background; /* $$, $! */
	char *name;              /* $0 */
	char **arguments;        /* $1 … */
	int argument_count;
	int condition_depth;     /* above 0, -e does not apply */
	int loop_depth, function_depth;
	int breaking, continuing, returning;
	volatile int interrupted;
	jmp_buf top;
	int in_subshell;
	int substitution_status; /* of the last $(…), which is the status of a lone assignment */
	int terminal;            /* descriptor of the controlling terminal, when job_control */
};
extern struct shell shell;

int run(struct node *node);
int run_last(struct node *node); /* the same, when nothing follows in this process: a command may take its place */
int run_text(const char *text);
int run_file(const char *path);
void define_function(const char *name, struct node *body);
struct node *find_function(const char *name);
void undefine_function(const char *name);
char *command_output(const char *text);
char *find_in_path(const char *name);
_Noreturn void shell_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void shell_exit(int status);
void become_subshell(void);
void run_pending_traps(void);
void reset_traps(void);
void run_exit_trap(void);
/* Descriptors that redirections replaced are kept on a stack; a mark is its depth. */
int redirect_mark(void);
int apply_redirects(struct redirect *redirect); /* 0, or -1 with a message printed */
void restore_redirects(int mark);
void keep_redirects(int mark); /* for exec: they are the shell's own from now on */

typedef int builtin_function(int argc, char **argv);
struct builtin {
	const char *name;
	builtin_function *function;
	int special; /* assignments before it stay, errors in it end a script */
};
const struct builtin *find_builtin(const char *name);
const char *builtin_name(int index); /* 0 after the last */
int run_function(struct node *body, int argc, char **argv);

/* ---- Jobs (jobs.c). ---- */
struct job;
struct job *job_new(const char *text, int background);
void job_add(struct job *job, pid_t pid);
pid_t fork_into(struct job *job); /* as fork; the child is in its job's group with its signals as a command has them */
int job_wait(struct job *job);    /* runs it in the foreground; its status */
int job_number(const struct job *job);
void announce_background(struct job *job);
void notify_jobs(void);
void forget_jobs(void);
void default_signals(void); /* as a command expects to find them */
void job_control_on(void);
builtin_function jobs_builtin, fg_builtin, bg_builtin, wait_builtin, kill_builtin, disown_builtin;

/* ---- The terminal (edit.c, complete.c). ---- */
char *edit_line(const char *prompt); /* malloc'ed, without newline; 0 at the end of input; "" with shell.interrupted at ^C */
void history_add(const char *line);
void history_print(void);
struct completions {
	char **items;
	int count;
	size_t start; /* where the completed word begins in the line */
};
struct completions complete(const char *line, size_t cursor);
void completions_free(struct completions *completions);
