#pragma once
#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)
#define BUFSIZ 4096
#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

typedef struct FILE FILE;
extern FILE *const stdin, *const stdout, *const stderr;

FILE *fopen(const char *path, const char *mode);
FILE *fdopen(int fd, const char *mode);
int fclose(FILE *file);
int fflush(FILE *file);
int setvbuf(FILE *file, char *buffer, int mode, size_t size);
int fileno(FILE *file);
int feof(FILE *file);
int ferror(FILE *file);
void clearerr(FILE *file);

int fgetc(FILE *file);
int getc(FILE *file);
int getchar(void);
int ungetc(int c, FILE *file);
char *fgets(char *s, int size, FILE *file);
long getline(char **line, size_t *capacity, FILE *file);
long getdelim(char **line, size_t *capacity, int delimiter, FILE *file);
size_t fread(void *items, size_t size, size_t count, FILE *file);

int fputc(int c, FILE *file);
int putc(int c, FILE *file);
int putchar(int c);
int fputs(const char *s, FILE *file);
int puts(const char *s);
size_t fwrite(const void *items, size_t size, size_t count, FILE *file);

#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
int printf(const char *format, ...) PRINTF_LIKE(1, 2);
int fprintf(FILE *file, const char *format, ...) PRINTF_LIKE(2, 3);
int dprintf(int fd, const char *format, ...) PRINTF_LIKE(2, 3);
int snprintf(char *to, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int asprintf(char **to, const char *format, ...) PRINTF_LIKE(2, 3);
int vfprintf(FILE *file, const char *format, va_list arguments);
int vsnprintf(char *to, size_t size, const char *format, va_list arguments);

void perror(const char *what);
int rename(const char *from, const char *to);
int remove(const char *path);
