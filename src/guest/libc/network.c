/* Internet addresses as text, the names of interfaces, and epoll. */
#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "syscall.h"

int epoll_create1(int flags) { return call(SYS_epoll_create1, flags); }
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event) { return call(SYS_epoll_ctl, set, operation, fd, event); }
int epoll_wait(int set, struct epoll_event *events, int most, int timeout_ms)
{
	return call(SYS_epoll_pwait, set, events, most, timeout_ms, 0, KERNEL_SIGSET_SIZE);
}

/* The parts of a.b.c.d, of which the last fills what the others leave free: 10.1 is 10.0.0.1. */
int inet_aton(const char *text, struct in_addr *to)
{
	unsigned long address = 0;

	for (int part = 0; part < 4; part++) {
		char *end;
		if (!isdigit((unsigned char)*text))
			return 0;
		unsigned long value = strtoul(text, &end, 0), room = 0xffffffff >> 8 * part;
		if (end - text > 12)
			return 0;
		if (*end == '.' && part < 3) {
			if (value > 255)
				return 0;
			address |= value << (24 - 8 * part);
			text = end + 1;
			continue;
		}
		if ((*end && !isspace((unsigned char)*end)) || value > room)
			return 0;
		to->s_addr = htonl(address | value);
		return 1;
	}
	return 0;
}

in_addr_t inet_addr(const char *text)
{
	struct in_addr address;
	return inet_aton(text, &address) ? address.s_addr : INADDR_NONE;
}

/* Four decimal numbers without zeros before them, nothing else. */
int inet_pton(int family, const char *text, void *to)
{
	unsigned char bytes[4];

	if (family != AF_INET) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	for (int part = 0; part < 4; part++) {
		unsigned value = 0;
		int digits = 0;
		for (; isdigit((unsigned char)*text) && digits < 4; digits++)
			value = value * 10 + (*text++ - '0');
		if (!digits || value > 255 || (digits > 1 && text[-digits] == '0') || *text++ != (part < 3 ? '.' : 0))
			return 0;
		bytes[part] = value;
	}
	memcpy(to, bytes, 4);
	return 1;
}

const char *inet_ntop(int family, const void *address, char *to, socklen_t size)
{
	const unsigned char *bytes = address;

	if (family != AF_INET)
		errno = EAFNOSUPPORT;
	else if (snprintf(to, size, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]) < (int)size)
		return to;
	else
		errno = ENOSPC;
	return 0;
}

char *inet_ntoa(struct in_addr address)
{
	static char text[INET_ADDRSTRLEN];
	return (char *)inet_ntop(AF_INET, &address, text, sizeof text);
}

/* One question about interfaces, on a socket that is there for nothing else. */
static int ask(unsigned long request, struct ifreq *about)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int result = ioctl(fd, request, about), error = errno;
	close(fd);
	errno = error;
	return result;
}

unsigned if_nametoindex(const char *name)
{
	struct ifreq about = { .ifr_ifindex = 0 };

	if (strlcpy(about.ifr_name, name, IFNAMSIZ) >= IFNAMSIZ) {
		errno = ENODEV;
		return 0;
	}
	return ask(SIOCGIFINDEX, &about) < 0 ? 0 : about.ifr_ifindex;
}

char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
	struct ifreq about = { .ifr_ifindex = index };

	if (ask(SIOCGIFNAME, &about) < 0)
		return 0;
	strlcpy(name, about.ifr_name, IF_NAMESIZE);
	return name;
}
