/*
 * Requests of HTTP/1.0 and 1.1, and what answers them.
 *
 * Nothing outside the root can be reached: a path is cleaned of ".." first, and then each of its parts is opened from the one before
 * without following symbolic links.
 */
#include "httpd.h"
#include "network.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 301, "Moved Permanently" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 414, "URI Too Long" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 505, "HTTP Version Not Supported" },
};

static const struct {
	const char *suffix, *type;
} types[] = {
	{ "html", "text/html" },        { "htm", "text/html" },          { "txt", "text/plain" },    { "css", "text/css" },
	{ "js", "text/javascript" },    { "json", "application/json" },  { "xml", "text/xml" },      { "csv", "text/csv" },
	{ "png", "image/png" },         { "jpg", "image/jpeg" },         { "jpeg", "image/jpeg" },   { "gif", "image/gif" },
	{ "svg", "image/svg+xml" },     { "ico", "image/x-icon" },       { "pdf", "application/pdf" }, { "wasm", "application/wasm" },
	{ "gz", "application/gzip" },   { "c", "text/plain" },           { "h", "text/plain" },      { "sh", "text/plain" },
	{ "md", "text/plain" },
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (!strcasecmp(types[i].suffix, dot + 1))
			return types[i].type;
	return "application/octet-stream";
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Undoes %41 in place, up to the query; -1 for a wrong escape and for an escaped 0. */
static int decode(char *path)
{
	char *to = path;

	path[strcspn(path, "?#")] = 0;
	for (const char *from = path; *from; from++)
		if (*from == '%') {
			int high = hex_digit((unsigned char)from[1]), low = high < 0 ? -1 : hex_digit((unsigned char)from[2]);
			if (low < 0 || !(*to++ = high << 4 | low))
				return -1;
			from += 2;
		} else
			*to++ = *from;
	*to = 0;
	return 0;
}

/* The parts of an absolute path, joined anew without empty ones, "." and "..": -1 if it climbs above the root or is too long. */
static int clean(const char *path, char *to, size_t size)
{
	size_t length = 0;

	for (;;) {
		path += strspn(path, "/");
		size_t part = strcspn(path, "/");
		if (!part)
			break;
		if (part == 2 && path[0] == '.' && path[1] == '.') {
			if (!length)
				return -1;
			while (length && to[--length] != '/')
				;
		} else if (part != 1 || path[0] != '.') {
			if (length + part + 2 > size)
				return -1;
			if (length)
				to[length++] = '/';
			memcpy(to + length, path, part);
			length += part;
		}
		path += part;
	}
	to[length] = 0;
	return 0;
}

/* Whether a list such as "close, upgrade" has this word. */
static int has_word(const char *list, size_t length, const char *word)
{
	size_t size = strlen(word);

	for (size_t at = 0; list && at + size <= length; at++)
		if (!strncasecmp(list + at, word, size) && (!at || strchr(", \t", list[at - 1])) &&
		    (at + size == length || strchr(", \t", list[at + size])))
			return 1;
	return 0;
}

/* METHOD, target and version from the first line, cut in place; -1 if they are not three words. */
static int cut_line(char *head, char **method, char **target, char **version)
{
	size_t length = strcspn(head, "\n");
	char saved = head[length];

	head[length] = 0;
	if (length && head[length - 1] == '\r')
		head[length - 1] = 0;
	*method = strsep(&head, " ");
	*target = head ? strsep(&head, " ") : 0;
	*version = head;
	return saved == '\n' && *version && **method && **target && !strchr(*version, ' ') ? 0 : -1;
}

int read_request(char *head, struct request *request)
{
	char *method, *target, *version;
	size_t length;

	memset(request, 0, sizeof *request);
	strlcpy(request->line, head, sizeof request->line);
	request->line[strcspn(request->line, "\r\n")] = 0;
	for (char *at = request->line; *at; at++)
		if (!isprint((unsigned char)*at) || *at == '"' || *at == '\\')
			*at = '?';

	/* The headers first: cutting the first line hides them. */
	const char *value = header_value(head, "Connection", &length);
	int says_close = has_word(value, length, "close"), says_keep = has_word(value, length, "keep-alive");
	int host_is_there = header_value(head, "Host", &length) != 0;
	int has_body = header_value(head, "Transfer-Encoding", &length) != 0;
	if ((value = header_value(head, "Content-Length", &length)))
		has_body |= length != 1 || *value != '0';
	if ((value = header_value(head, "If-Modified-Since", &length)) && length < sizeof request->if_modified_since)
		strlcpy(request->if_modified_since, value, length + 1);

	if (cut_line(head, &method, &target, &version) < 0)
		return 400;
	if (strncmp(version, "HTTP/1.", 7) || !isdigit((unsigned char)version[7]) || version[8])
		return strncmp(version, "HTTP/", 5) ? 400 : 505;
	int is_11 = version[7] >= '1';
	request->head = !strcmp(method, "HEAD");
	/* What may follow a body that nobody reads can't be taken for a request. */
	request->keep_alive = !has_body && !says_close && (is_11 || says_keep);
	if (is_11 && !host_is_there)
		return 400;
	if (!request->head && strcmp(method, "GET")) {
		for (const char *at = method; *at; at++)
			if (!isupper((unsigned char)*at))
				return 400;
		return 405;
	}
	if (!strncasecmp(target, "http://", 7))
		target += 7 + strcspn(target + 7, "/");
	if (*target && *target != '/')
		return 400;
	if (decode(target) < 0)
		return 400;
	size_t size = strlen(target);
	request->names_folder = !size || target[size - 1] == '/';
	if (size >= sizeof request->path)
		return 414;
	return clean(target, request->path, sizeof request->path) < 0 ? 400 : 200;
}

/* Opens the parts of a path one from the other, without following links: a descriptor, or -1 with errno. */
static int open_beneath(int root, const char *path)
{
	int at = dup(root);

	while (at >= 0 && *path) {
		char part[256];
		size_t length = strcspn(path, "/");
		int error = ENAMETOOLONG, next = -1;
		if (length < sizeof part) {
			strlcpy(part, path, length + 1);
			/* Without O_NONBLOCK a named pipe would hold the server. */
			next = openat(at, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (path[length] ? O_DIRECTORY : 0));
			error = errno;
		}
		close(at);
		errno = error;
		at = next;
		path += length + (path[length] == '/');
	}
	return at;
}

static void http_date(time_t at, char text[32])
{
	strftime(text, 32, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&at));
}

/* What a path is: its status, and for 200 its file or its page. */
static int find_body(const struct request *request, int root, struct answer *answer, const char **type, time_t *modified)
{
	struct stat about;
	int file = open_beneath(root, request->path);

	if (file < 0)
		return errno == ENOENT || errno == ENOTDIR ? 404 : errno == ENAMETOOLONG ? 414 : errno == EACCES || errno == ELOOP ? 403 : 500;
	if (fstat(file, &about) < 0) {
		close(file);
		return 500;
	}
	*type = type_of(request->path);
	if (S_ISDIR(about.st_mode)) {
		if (!request->names_folder) {
			close(file);
			return 301;
		}
		int index = openat(file, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		*type = "text/html";
		if (index < 0) {
			size_t length = 0;
			answer->text = list_folder(file, request->path, &length);
			answer->length = length;
			return answer->text ? 200 : 500;
		}
		close(file);
		file = index;
		if (fstat(file, &about) < 0)
			about.st_mode = 0;
	} else if (request->names_folder) {
		close(file);
		return 404;
	}
	if (!S_ISREG(about.st_mode)) {
		close(file);
		return 403;
	}
	*modified = about.st_mtime;
	char date[32];
	http_date(about.st_mtime, date);
	if (!strcmp(date, request->if_modified_since)) {
		close(file);
		return 304;
	}
	answer->file = file;
	answer->length = about.st_size;
	return 200;
}

/* A path as it stands in a Location: what is not plain is escaped. */
static void encode(const char *path, char *to, size_t size)
{
	size_t length = 0;

	for (; *path && length + 4 < size; path++)
		if (isalnum((unsigned char)*path) || strchr("/-._~", *path))
			to[length++] = *path;
		else
			length += snprintf(to + length, 4, "%%%02X", (unsigned char)*path);
	to[length] = 0;
}

void answer_request(const struct request *request, int status, int root, struct answer *answer)
{
	const char *type = "text/html";
	time_t modified = -1;
	char date[32], last[64] = "", extra[HEAD_SIZE / 2] = "";

	*answer = (struct answer){ .file = -1 };
	if (status == 200)
		status = find_body(request, root, answer, &type, &modified);
	if (status == 301) {
		char path[HEAD_SIZE / 2 - 32];
		encode(request->path, path, sizeof path);
		snprintf(extra, sizeof extra, "Location: /%s/\r\n", path);
	}
	if (status == 405)
		strcpy(extra, "Allow: GET, HEAD\r\n");
	if (status != 200 && status != 304) {
		type = "text/html";
		int length = asprintf(&answer->text, "<html><head><title>%d %s</title></head>\n<body><h1>%d %s</h1></body></html>\n",
				      status, reason_of(status), status, reason_of(status));
		answer->length = length < 0 ? 0 : length;
	}
	if (modified != -1) {
		http_date(modified, date);
		snprintf(last, sizeof last, "Last-Modified: %s\r\n", date);
	}
	http_date(time(0), date);
	answer->status = status;
	answer->head_length = snprintf(answer->head, sizeof answer->head,
				       "HTTP/1.1 %d %s\r\nServer: popcorn-httpd\r\nDate: %s\r\n%s%sContent-Type: %s\r\nContent-Length: %ld\r\nConnection: %s\r\n\r\n",
				       status, reason_of(status), date, last, extra, type, answer->length, request->keep_alive ? "keep-alive" : "close");
	if (status == 304) /* has neither body nor its length */
		answer->head_length = snprintf(answer->head, sizeof answer->head,
					       "HTTP/1.1 304 Not Modified\r\nServer: popcorn-httpd\r\nDate: %s\r\n%sConnection: %s\r\n\r\n", date, last,
					       request->keep_alive ? "keep-alive" : "close");
}
