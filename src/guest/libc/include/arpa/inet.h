#pragma once
#include <netinet/in.h>

int inet_aton(const char *text, struct in_addr *to); /* 1, or 0 if it is no address; takes a, a.b, a.b.c and a.b.c.d */
in_addr_t inet_addr(const char *text);
char *inet_ntoa(struct in_addr address); /* its own buffer, overwritten by the next call */
int inet_pton(int family, const char *text, void *to); /* 1, 0 if it is no address, -1 for another family than AF_INET */
const char *inet_ntop(int family, const void *address, char *to, socklen_t size);
