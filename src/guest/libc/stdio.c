/*
 * Buffered files.  A FILE's buffer holds either bytes read ahead (next..filled) or bytes not yet written (0..filled), never both:
 * `writing` says which.  stdout to a terminal is written out at each newline, stderr at once; reading a terminal writes stdout out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct FILE {
	int fd, mode;
	int writing, at_end, failed;
	size_t next, filled;
	FILE *following; /* in the list of open files, for fflush(0) */
	unsigned char buffer[BUFSIZ];
};

#define UNDECIDED (-1) /* line buffered if it turns out to be a terminal */

static FILE standard_error = { .fd = 2, .mode = _IONBF };
static FILE standard_output = { .fd = 1, .mode = UNDECIDED, .following = &standard_error };
static FILE standard_input = { .fd = 0, .mode = _IOFBF, .following = &standard_output };
FILE *const stdin = &standard_input, *const stdout = &standard_output, *const stderr = &standard_error;
static FILE *open_files = &standard_input;

static int flush_one(FILE *file)
{
	if (!file->writing) {
		if (file->next < file->filled && lseek(file->fd, (off_t)file->next - (off_t)file->filled, SEEK_CUR) < 0)
			return 0; /* a pipe or a terminal: what was read ahead stays */
		file->next = file->filled = 0;
		return 0;
	}
	size_t done = 0;
	while (done < file->filled) {
		ssize_t written = write(file->fd, file->buffer + done, file->filled - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			file->failed = 1;
			break;
		}
		done += written;
	}
	file->writing = 0;
	file->next = file->filled = 0;
	return file->failed ? EOF : 0;
}

int fflush(FILE *file)
{
	int result = 0;

	if (file)
		return flush_one(file);
	for (file = open_files; file; file = file->following)
		if (file->writing)
			result |= flush_one(file);
	return result;
}

FILE *fdopen(int fd, const char *mode)
{
	(void)mode;
	FILE *file = malloc(sizeof *file);
	if (!file)
		return 0;
	memset(file, 0, offsetof(FILE, buffer));
	file->fd = fd;
	file->mode = _IOFBF;
	file->following = open_files;
	open_files = file;
	return file;
}

FILE *fopen(const char *path, const char *mode)
{
	int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : O_CREAT | O_APPEND;
	flags |= strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	int fd = open(path, flags | O_CLOEXEC, 0666);
	return fd < 0 ? 0 : fdopen(fd, mode);
}

int fclose(FILE *file)
{
	int result = flush_one(file);

	result |= close(file->fd);
	for (FILE **link = &open_files; *link; link = &(*link)->following)
		if (*link == file) {
			*link = file->following;
			break;
		}
	if (file != stdin && file != stdout && file != stderr)
		free(file);
	return result;
}

int setvbuf(FILE *file, char *buffer, int mode, size_t size)
{
	(void)buffer, (void)size;
	file->mode = mode;
	return 0;
}

int fileno(FILE *file) { return file->fd; }
int feof(FILE *file) { return file->at_end; }
int ferror(FILE *file) { return file->failed; }
void clearerr(FILE *file) { file->at_end = file->failed = 0; }

/* Fills an empty read buffer; 0 at the end of the file. */
static size_t refill(FILE *file)
{
	if (file->writing)
		flush_one(file);
	if (file->at_end)
		return 0;
	if (file == stdin)
		fflush(stdout);
	ssize_t size;
	do
		size = read(file->fd, file->buffer, sizeof file->buffer);
	while (size < 0 && errno == EINTR);
	file->next = 0;
	file->filled = size > 0 ? size : 0;
	if (size == 0)
		file->at_end = 1;
	if (size < 0)
		file->failed = 1;
	return file->filled;
}

int fgetc(FILE *file)
{
	if (!file->writing && file->next < file->filled)
		return file->buffer[file->next++];
	return refill(file) ? file->buffer[file->next++] : EOF;
}

int getc(FILE *file) { return fgetc(file); }
int getchar(void) { return fgetc(stdin); }

int ungetc(int c, FILE *file)
{
	if (c == EOF || file->writing)
		return EOF;
	if (!file->next) {
		if (file->filled == sizeof file->buffer)
			return EOF;
		memmove(file->buffer + 1, file->buffer, file->filled++);
		file->next = 1;
	}
	file->at_end = 0;
	return file->buffer[--file->next] = c;
}

size_t fread(void *items, size_t size, size_t count, FILE *file)
{
	unsigned char *to = items;
	size_t wanted = size * count, done = 0;

	while (done < wanted) {
		if ((file->writing || file->next == file->filled) && !refill(file))
			break;
		size_t piece = file->filled - file->next;
		if (piece > wanted - done)
			piece = wanted - done;
		memcpy(to + done, file->buffer + file->next, piece);
		file->next += piece;
		done += piece;
	}
	return size ? done / size : 0;
}

char *fgets(char *s, int size, FILE *file)
{
	int length = 0, c;

	while (length < size - 1 && (c = fgetc(file)) != EOF) {
		s[length++] = c;
		if (c == '\n')
			break;
	}
	if (!length)
		return 0;
	s[length] = 0;
	return s;
}

long getdelim(char **line, size_t *capacity, int delimiter, FILE *file)
{
	size_t length = 0;

	for (;;) {
		if ((file->writing || file->next == file->filled) && !refill(file))
			break;
		unsigned char *from = file->buffer + file->next;
		size_t piece = file->filled - file->next;
		unsigned char *end = memchr(from, delimiter, piece);
		if (end)
			piece = end + 1 - from;
		if (!*line || *capacity < length + piece + 1) {
			*capacity = 2 * (length + piece) + 120;
			*line = realloc(*line, *capacity);
		}
		memcpy(*line + length, from, piece);
		length += piece;
		file->next += piece;
		if (end)
			break;
	}
	if (!length)
		return -1;
	(*line)[length] = 0;
	return length;
}

long getline(char **line, size_t *capacity, FILE *file)
{
	return getdelim(line, capacity, '\n', file);
}

size_t fwrite(const void *items, size_t size, size_t count, FILE *file)
{
	const unsigned char *from = items;
	size_t wanted = size * count, done = 0;

	if (file->mode == UNDECIDED)
		file->mode = isatty(file->fd) ? _IOLBF : _IOFBF;
	if (!file->writing) {
		flush_one(file);
		file->writing = 1;
		file->next = file->filled = 0;
	}
	while (done < wanted) {
		size_t piece = sizeof file->buffer - file->filled;
		if (piece > wanted - done)
			piece = wanted - done;
		memcpy(file->buffer + file->filled, from + done, piece);
		file->filled += piece;
		done += piece;
		if (file->filled == sizeof file->buffer) {
			if (flush_one(file))
				return 0;
			file->writing = 1;
		}
	}
	if (file->mode == _IONBF || (file->mode == _IOLBF && memchr(from, '\n', wanted)))
		flush_one(file);
	return count;
}

int fputc(int c, FILE *file)
{
	unsigned char byte = c;
	if (file->writing && file->mode == _IOFBF && file->filled < sizeof file->buffer - 1)
		return file->buffer[file->filled++] = byte;
	return fwrite(&byte, 1, 1, file) ? byte : EOF;
}

int putc(int c, FILE *file) { return fputc(c, file); }
int putchar(int c) { return fputc(c, stdout); }
int fputs(const char *s, FILE *file) { return fwrite(s, 1, strlen(s), file) || !*s ? 0 : EOF; }
int puts(const char *s) { return fputs(s, stdout) < 0 ? EOF : putchar('\n'); }

void perror(const char *what)
{
	int error = errno;
	fprintf(stderr, "%s: %s\n", what, strerror(error));
}
