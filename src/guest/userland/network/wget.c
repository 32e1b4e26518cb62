/* wget: gets files over HTTP, in BusyBox's manner: the head, then the body as it comes, by length, in chunks or to the connection's end. */
#include "network.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_SIZE = 16384, MOST_REDIRECTIONS = 10, BUFFER_SIZE = 8192 };

static int quiet, show_head, only_look, timeout_ms = 900000;
static const char *output, *agent = "Wget";
static char headers[2048];

/* What came from the server, read ahead. */
static struct {
	int fd;
	size_t next, filled;
	char bytes[BUFFER_SIZE];
} from;

/* Bytes there are to take, 0 at the end; -1 after a message. */
static long fill(void)
{
	if (from.next < from.filled)
		return from.filled - from.next;
	struct pollfd wait = { from.fd, POLLIN, 0 };
	int ready = poll(&wait, 1, timeout_ms);
	ssize_t got = ready > 0 ? recv(from.fd, from.bytes, sizeof from.bytes, 0) : -1;
	if (got < 0) {
		warn_text("%s", ready ? strerror(errno) : "download timed out");
		return -1;
	}
	from.next = 0;
	from.filled = got;
	return got;
}

static int next_byte(void)
{
	return fill() > 0 ? (unsigned char)from.bytes[from.next++] : -1;
}

/* The head, to the empty line; -1 if it ends before that or is too long. */
static int read_head(char head[HEAD_SIZE])
{
	size_t length = 0;

	for (int c, column = 0; length < HEAD_SIZE - 1 && (c = next_byte()) >= 0;) {
		head[length++] = c;
		head[length] = 0;
		if (c == '\n' && !column)
			return length > 2 ? 0 : -1;
		column = c == '\n' ? 0 : c == '\r' ? column : column + 1;
	}
	warn_text("no answer from the server");
	return -1;
}

/* So many bytes of the body (below 0: to the end) into the file; the number of them, or -1. */
static long copy(int to, long wanted)
{
	long done = 0, ready = 0;

	while (wanted < 0 || done < wanted) {
		if ((ready = fill()) <= 0)
			break;
		if (wanted >= 0 && ready > wanted - done)
			ready = wanted - done;
		if (to >= 0 && write_all(to, from.bytes + from.next, ready) < 0) {
			warn_file(output ? output : "output");
			return -1;
		}
		from.next += ready;
		done += ready;
	}
	return ready < 0 || (wanted >= 0 && done < wanted) ? -1 : done;
}

static long copy_chunks(int to)
{
	for (long total = 0;;) {
		unsigned long size = 0;
		int c, digits = 0;
		while (isxdigit(c = next_byte()) && digits++ < 12)
			size = size << 4 | (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
		while (c >= 0 && c != '\n')
			c = next_byte();
		if (!digits || c < 0)
			return -1;
		if (!size)
			return total;
		if (copy(to, size) < 0)
			return -1;
		total += size;
		do
			c = next_byte();
		while (c == '\r');
		if (c != '\n')
			return -1;
	}
}

static int print_head(const char *head)
{
	for (const char *at = head, *end; (end = strchr(at, '\n')) && end - at > 1; at = end + 1)
		fprintf(stderr, "  %.*s\n", (int)(end - at) - (end[-1] == '\r'), at);
	return 0;
}

/* The last part of a path, without its query: the name of the file that is made. */
static void name_of(const char *path, char name[256])
{
	size_t length = strcspn(path, "?#"), start = length;

	while (start && path[start - 1] != '/')
		start--;
	length -= start;
	snprintf(name, 256, "%.*s", (int)(length < 255 ? length : 255), path + start);
	if (!*name || is_name_of_this(name))
		strcpy(name, "index.html");
}

/* Asks for a URL, and reads the head of the answer: its status, or -1. */
static int ask(const struct url *url, char head[HEAD_SIZE])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(url->port) };
	char address[20], port[8] = "", request[sizeof url->path + sizeof headers + 512];

	if (find_host(url->host, &to.sin_addr) < 0)
		return -1;
	snprintf(address, sizeof address, "%u.%u.%u.%u", ((unsigned char *)&to.sin_addr)[0], ((unsigned char *)&to.sin_addr)[1],
		 ((unsigned char *)&to.sin_addr)[2], ((unsigned char *)&to.sin_addr)[3]);
	if (!quiet)
		fprintf(stderr, "Connecting to %s:%d (%s:%d)\n", url->host, url->port, address, url->port);
	from.fd = connect_within(&to, 0, 0, timeout_ms);
	if (from.fd < 0) {
		warn_text("can't connect to remote host (%s): %s", address, strerror(errno));
		return -1;
	}
	from.next = from.filled = 0;
	if (url->port != 80)
		snprintf(port, sizeof port, ":%d", url->port);
	int length = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s%s\r\nUser-Agent: %s\r\n%sConnection: close\r\n\r\n",
			      only_look ? "HEAD" : "GET", url->path, url->host, port, agent, headers);
	if (length >= (int)sizeof request || write_all(from.fd, request, length) < 0) {
		warn_text("the request can't be sent");
		return -1;
	}
	if (read_head(head) < 0)
		return -1;
	if (show_head)
		print_head(head);
	if (strncmp(head, "HTTP/", 5) || strlen(head) < 12) {
		warn_text("bad answer from the server");
		return -1;
	}
	return atoi(head + 9);
}

static int save(const struct url *url, const char *head)
{
	char own_name[256];
	size_t size;
	int to = -1;

	name_of(url->path, own_name);
	const char *name = output ? output : own_name;
	if (!strcmp(name, "-"))
		to = STDOUT_FILENO;
	else if (!only_look && (to = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (output ? O_TRUNC : O_EXCL), 0666)) < 0)
		return warn_text("can't open '%s': %s", name, strerror(errno));
	if (only_look) {
		if (!quiet)
			fprintf(stderr, "remote file exists\n");
		return 0;
	}
	if (!quiet && to != STDOUT_FILENO)
		fprintf(stderr, "saving to '%s'\n", name);
	const char *encoding = header_value(head, "Transfer-Encoding", &size);
	int chunked = encoding && size == 7 && !strncasecmp(encoding, "chunked", 7);
	const char *length = chunked ? 0 : header_value(head, "Content-Length", &size);
	long wanted = length && isdigit((unsigned char)*length) ? atol(length) : -1;
	long done = chunked ? copy_chunks(to) : copy(to, wanted);
	if (to != STDOUT_FILENO && close(to) < 0)
		return warn_file(name);
	if (done < 0)
		return warn_text("connection closed prematurely");
	if (!quiet && to != STDOUT_FILENO)
		fprintf(stderr, "'%s' saved, %ld bytes\n", name, done);
	return 0;
}

static int get(const char *text)
{
	struct url url;
	char *head = malloc(HEAD_SIZE);
	int status = 1;

	if (!head || parse_url(text, &url) < 0) {
		free(head);
		return warn_text("bad address '%s'", text);
	}
	for (int left = MOST_REDIRECTIONS;; left--) {
		int code = ask(&url, head);
		size_t length;
		const char *location = code >= 301 && code <= 308 && code != 304 ? header_value(head, "Location", &length) : 0;
		if (location) {
			char next[sizeof url.path];
			int bad = !left || length >= sizeof next;
			strlcpy(next, location, bad ? 1 : length + 1);
			if (!bad && *next == '/')
				strcpy(url.path, next);
			else if (bad || parse_url(next, &url) < 0) {
				warn_text(left ? "bad redirection" : "too many redirections");
				break;
			}
			close(from.fd);
			from.fd = -1;
			continue;
		}
		if (code >= 200 && code < 300)
			status = save(&url, head);
		else if (code >= 0)
			warn_text("server returned error: %.*s", (int)strcspn(head, "\r\n"), head);
		break;
	}
	if (from.fd >= 0)
		close(from.fd);
	free(head);
	return status;
}

int wget_main(int argc, char **argv)
{
	int option, failed = 0;
	const char *syntax = "[-qSs] [-O FILE] [-T SECONDS] [-U AGENT] [-H HEADER] URL...";

	while ((option = getopt(argc, argv, "qSsO:T:U:H:")) != -1)
		switch (option) {
		case 'q': quiet = 1; break;
		case 'S': show_head = 1; break;
		case 's': only_look = 1; break;
		case 'O': output = optarg; break;
		case 'U': agent = optarg; break;
		case 'T': {
			double seconds = parse_seconds(optarg);
			if (seconds <= 0 || seconds > 1e6)
				return warn_text("%s: not a time", optarg);
			timeout_ms = seconds * 1000;
			break;
		}
		case 'H':
			if (strpbrk(optarg, "\r\n") || strlen(headers) + strlen(optarg) + 3 > sizeof headers)
				return warn_text("this header can't be added");
			strlcat(headers, optarg, sizeof headers);
			strlcat(headers, "\r\n", sizeof headers);
			break;
		default: return usage(syntax);
		}
	if (optind >= argc || strpbrk(agent, "\r\n"))
		return usage(syntax);
	from.fd = -1;
	for (; optind < argc; optind++)
		failed |= get(argv[optind]);
	return failed;
}
