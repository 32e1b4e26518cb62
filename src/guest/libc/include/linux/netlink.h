/* Netlink: messages of a header and a body, one after the other, each beginning at a multiple of four bytes (netlink(7)). */
#pragma once
#include <stdint.h>
#include <sys/socket.h>

#define NETLINK_ROUTE 0

struct sockaddr_nl {
	sa_family_t nl_family;
	unsigned short nl_pad;
	uint32_t nl_pid, nl_groups;
};
struct nlmsghdr {
	uint32_t nlmsg_len; /* with this header */
	uint16_t nlmsg_type, nlmsg_flags;
	uint32_t nlmsg_seq, nlmsg_pid;
};
struct nlmsgerr {
	int error; /* -errno; 0 is an acknowledgement */
	struct nlmsghdr msg;
};

#define NLM_F_REQUEST 1
#define NLM_F_MULTI 2
#define NLM_F_ACK 4
#define NLM_F_REPLACE 0x100
#define NLM_F_EXCL 0x200
#define NLM_F_CREATE 0x400
#define NLM_F_DUMP 0x300

#define NLMSG_ERROR 2
#define NLMSG_DONE 3
#define NLMSG_ALIGN(size) (((size) + 3u) & ~3u)
#define NLMSG_HDRLEN NLMSG_ALIGN(sizeof(struct nlmsghdr))
