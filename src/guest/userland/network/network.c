/* What the commands of the network share: numbers, names, connections, checksums, URLs. */
#include "network.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

unsigned checksum_add(unsigned sum, const unsigned char *bytes, size_t size)
{
	unsigned long total = sum;

	for (; size > 1; bytes += 2, size -= 2)
		total += get16(bytes);
	if (size)
		total += bytes[0] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

unsigned checksum_end(unsigned sum)
{
	return ~sum & 0xffff;
}

long parse_number(const char *text, long least, long most)
{
	size_t digits = strspn(text, "0123456789");
	if (!digits || text[digits] || digits > 18)
		return -1;
	long value = atol(text);
	return value < least || value > most ? -1 : value;
}

int parse_port(const char *text)
{
	if (isdigit((unsigned char)*text))
		return parse_number(text, 0, 65535);
	struct servent *found = getservbyname(text, 0);
	return found ? ntohs(found->s_port) : -1;
}

int find_host(const char *name, struct in_addr *to)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	int error = getaddrinfo(name, 0, &hints, &found);

	if (error) {
		warn_text("%s: %s", name, gai_strerror(error));
		return -1;
	}
	*to = ((struct sockaddr_in *)found->ai_addr)->sin_addr;
	freeaddrinfo(found);
	return 0;
}

int find_port(const char *text)
{
	int port = parse_port(text);
	if (port < 0)
		warn_text("port number invalid: %s", text);
	return port;
}

int set_nonblocking(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static int close_failed(int fd)
{
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int connect_within(const struct sockaddr_in *to, const struct in_addr *from, int from_port, int timeout_ms)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	if (from || from_port) {
		struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(from_port) };
		if (from)
			own.sin_addr = *from;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0)
			return close_failed(fd);
	}
	if (timeout_ms >= 0)
		set_nonblocking(fd, 1);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
		if (errno != EINPROGRESS)
			return close_failed(fd);
		struct pollfd wait = { fd, POLLOUT, 0 };
		int ready = poll(&wait, 1, timeout_ms), error = 0;
		socklen_t size = sizeof error;
		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready <= 0)
			return close_failed(fd);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
			errno = error ? error : errno;
			return close_failed(fd);
		}
	}
	if (timeout_ms >= 0)
		set_nonblocking(fd, 0);
	return fd;
}

int listen_at(const struct sockaddr_in *at, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 || listen(fd, backlog) < 0)
		return close_failed(fd);
	return fd;
}

int write_all(int fd, const void *bytes, size_t size)
{
	for (const char *from = bytes; size;) {
		ssize_t done = write(fd, from, size);
		if (done < 0 && errno == EAGAIN) {
			struct pollfd wait = { fd, POLLOUT, 0 };
			poll(&wait, 1, -1);
		} else if (done < 0 && errno != EINTR)
			return -1;
		else if (done > 0) {
			from += done;
			size -= done;
		}
	}
	return 0;
}

long long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

int parse_url(const char *text, struct url *url)
{
	if (!strncasecmp(text, "http://", 7))
		text += 7;
	else if (strstr(text, "://"))
		return -1;
	size_t length = strcspn(text, ":/?#");
	if (!length || length >= sizeof url->host)
		return -1;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
			return -1;
	memcpy(url->host, text, length);
	url->host[length] = 0;
	text += length;
	url->port = 80;
	url->port_given = *text == ':';
	if (url->port_given) {
		char number[8];
		size_t digits = strspn(++text, "0123456789");
		if (!digits || digits >= sizeof number)
			return -1;
		strlcpy(number, text, digits + 1);
		if ((url->port = parse_number(number, 1, 65535)) < 0)
			return -1;
		text += digits;
	}
	if (*text && !strchr("/?#", *text))
		return -1;
	length = strcspn(text, "#");
	if (length + 2 > sizeof url->path)
		return -1;
	for (size_t i = 0; i < length; i++)
		if (!isgraph((unsigned char)text[i]))
			return -1;
	snprintf(url->path, sizeof url->path, "%s%.*s", *text == '/' ? "" : "/", (int)length, text);
	return 0;
}

const char *header_value(const char *head, const char *name, size_t *length)
{
	size_t name_length = strlen(name);

	for (const char *at = strchr(head, '\n'); at; at = strchr(at, '\n')) {
		at++;
		if (strncasecmp(at, name, name_length) || at[name_length] != ':')
			continue;
		at += name_length + 1;
		at += strspn(at, " \t");
		*length = strcspn(at, "\r\n");
		while (*length && isblank((unsigned char)at[*length - 1]))
			--*length;
		return at;
	}
	return 0;
}
