/* Asking the kernel over netlink (netlink.h).  What comes is taken apart within its length, like any other packet. */
#include "netlink.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_SIZE = 32768 };

void begin_request(struct request *request, int type, int flags, const void *body, size_t size)
{
	memset(request, 0, sizeof *request);
	request->header = (struct nlmsghdr){ NLMSG_HDRLEN + NLMSG_ALIGN(size), type, NLM_F_REQUEST | flags, 1, 0 };
	memcpy(request->body, body, size);
}

void add_attribute(struct request *request, int type, const void *value, size_t size)
{
	size_t at = request->header.nlmsg_len - NLMSG_HDRLEN;
	struct rtattr attribute = { sizeof attribute + size, type };

	if (at + sizeof attribute + RTA_ALIGN(size) > sizeof request->body)
		return;
	memcpy(request->body + at, &attribute, sizeof attribute);
	memcpy(request->body + at + sizeof attribute, value, size);
	request->header.nlmsg_len += sizeof attribute + RTA_ALIGN(size);
}

/* The messages of one datagram: 1 when the answer is over, 0 when more comes, -1 with errno. */
static int take_messages(const unsigned char *bytes, size_t left, void (*take)(const struct nlmsghdr *message, void *with), void *with)
{
	while (left >= NLMSG_HDRLEN) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)bytes;
		size_t size = message->nlmsg_len;
		if (size < NLMSG_HDRLEN || size > left)
			break;
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type == NLMSG_ERROR) {
			int error = 0;
			if (size >= NLMSG_HDRLEN + sizeof error)
				memcpy(&error, bytes + NLMSG_HDRLEN, sizeof error);
			errno = -error;
			return error ? -1 : 1;
		}
		if (take)
			take(message, with);
		if (NLMSG_ALIGN(size) >= left)
			break;
		bytes += NLMSG_ALIGN(size);
		left -= NLMSG_ALIGN(size);
	}
	return 0;
}

int ask_kernel(struct request *request, void (*take)(const struct nlmsghdr *message, void *with), void *with)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), result = 0;
	unsigned char *answer = malloc(ANSWER_SIZE);

	if ((request->header.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->header.nlmsg_flags |= NLM_F_ACK;
	if (fd < 0 || !answer || sendto(fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		result = -1;
	while (!result) {
		ssize_t size = recv(fd, answer, ANSWER_SIZE, 0);
		if (size < 0 && errno == EINTR)
			continue;
		result = size <= 0 ? -1 : take_messages(answer, size, take, with);
	}
	int error = errno;
	if (fd >= 0)
		close(fd);
	free(answer);
	errno = error;
	return result < 0 ? -1 : 0;
}

int find_attributes(const struct nlmsghdr *message, size_t fixed, const struct rtattr **found, int most)
{
	const unsigned char *at = (const unsigned char *)message + NLMSG_HDRLEN + NLMSG_ALIGN(fixed);
	const unsigned char *end = (const unsigned char *)message + message->nlmsg_len;

	memset(found, 0, (most + 1) * sizeof *found);
	if (message->nlmsg_len < NLMSG_HDRLEN + fixed)
		return -1;
	while (end - at >= (long)sizeof(struct rtattr)) {
		const struct rtattr *attribute = (const struct rtattr *)at;
		if (attribute->rta_len < sizeof *attribute || attribute->rta_len > end - at)
			break;
		int type = attribute->rta_type & 0x3fff;
		if (type <= most)
			found[type] = attribute;
		at += RTA_ALIGN(attribute->rta_len);
	}
	return 0;
}

const void *attribute_value(const struct rtattr *attribute, size_t size)
{
	return attribute && attribute->rta_len >= sizeof *attribute + size ? attribute + 1 : 0;
}

unsigned attribute_number(const struct rtattr *attribute, unsigned otherwise)
{
	const void *value = attribute_value(attribute, 4);
	if (value)
		memcpy(&otherwise, value, 4);
	return otherwise;
}
