/* What the commands of the network share. */
#pragma once
#include "../userland.h"
#include <netinet/in.h>
#include <stdint.h>

/* Numbers of packets: the big end first, at any address. */
static inline unsigned get16(const unsigned char *from) { return from[0] << 8 | from[1]; }
static inline unsigned get32(const unsigned char *from) { return (unsigned)from[0] << 24 | from[1] << 16 | get16(from + 2); }
static inline void put16(unsigned char *to, unsigned value) { to[0] = value >> 8, to[1] = value; }
static inline void put32(unsigned char *to, unsigned value) { put16(to, value >> 16), put16(to + 2, value); }

/* The Internet checksum: the sum of the words, not yet complemented, goes on from `sum`. */
unsigned checksum_add(unsigned sum, const unsigned char *bytes, size_t size);
unsigned checksum_end(unsigned sum); /* as it stands in a header; 0 over what holds a right checksum */

/* Whole decimal numbers only: -1 for other text and for what is outside the range. */
long parse_number(const char *text, long least, long most);
int parse_port(const char *text); /* a number of 0 to 65535, or a service's name; -1 */

/* These two tell what went wrong, and return -1 then. */
int find_host(const char *name, struct in_addr *to);
int find_port(const char *text);

/* A connection within so many milliseconds (below 0: however long it takes): a descriptor, or -1 with errno. */
int connect_within(const struct sockaddr_in *to, const struct in_addr *from, int from_port, int timeout_ms);
int listen_at(const struct sockaddr_in *at, int backlog); /* a descriptor, or -1 with errno */
int set_nonblocking(int fd, int on);
int write_all(int fd, const void *bytes, size_t size); /* waits where it must; -1 with errno */

long long now_us(void); /* of the monotonic clock */

/* http://HOST[:PORT]/PATH, in which http:// and the path may be missing. */
struct url {
	char host[256], path[2048];
	int port, port_given;
};
int parse_url(const char *text, struct url *url); /* -1 if it is none */
/* The value of a header's line in a head that ends with a 0, or 0: of `length` bytes. */
const char *header_value(const char *head, const char *name, size_t *length);
