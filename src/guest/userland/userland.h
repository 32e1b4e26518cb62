/* What the commands share. */
#pragma once
#include <stdio.h>
#include <sys/types.h>

extern const char *applet_name; /* the command that runs, for messages */

/* Messages in the usual form, on stderr; the ones about a file add what errno says.  All return 1. */
int warn_file(const char *path);
int warn_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
int usage(const char *syntax);

/* "-" is standard input.  0 and a message if the file cannot be opened. */
FILE *open_input(const char *path);
void close_input(FILE *file);

/* Walks /proc: calls for each process, until it returns other than 0. */
struct process_info {
	int pid, ppid, group, session, tty, priority, nice, threads, cpu, kernel; /* kernel is -1 where there is only one */
	char state, name[64];
	unsigned long utime, stime, starttime, vsize; /* times in ticks of 1/100 s */
	long rss; /* pages */
};
int read_process(int pid, struct process_info *info); /* -1 if it is gone */
int *list_processes(int *count); /* sorted by pid; free it */

int terminal_columns(int fd);
int terminal_rows(int fd);
const char *human_size(unsigned long bytes, char text[16]);
void mode_text(mode_t mode, char text[11]);
char *join_path(const char *folder, const char *name); /* malloc'ed */
int is_name_of_this(const char *name); /* "." or ".." */
double parse_seconds(const char *text);
double monotonic_seconds(void);
void sleep_seconds(double seconds);
