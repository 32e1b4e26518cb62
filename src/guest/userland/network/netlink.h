/* Asking the kernel over netlink: a request is built piece by piece, and its answers are handed out one by one. */
#pragma once
#include <linux/rtnetlink.h>
#include <stddef.h>

struct request {
	struct nlmsghdr header;
	unsigned char body[512];
};

void begin_request(struct request *request, int type, int flags, const void *body, size_t size);
void add_attribute(struct request *request, int type, const void *value, size_t size);

/*
 * Sends a request and calls `take` for each message of the answer; without NLM_F_DUMP the answer is whether it worked.  0, or -1 with errno.
 * The attributes of a message, by type, are found with find_attributes(): each 0 where it is missing, and its length is in rta_len.
 */
int ask_kernel(struct request *request, void (*take)(const struct nlmsghdr *message, void *with), void *with);
/* -1 if the message is shorter than its fixed part. */
int find_attributes(const struct nlmsghdr *message, size_t fixed, const struct rtattr **found, int most);
/* The value of an attribute that has at least so many bytes, or 0. */
const void *attribute_value(const struct rtattr *attribute, size_t size);
unsigned attribute_number(const struct rtattr *attribute, unsigned otherwise);
