/* Kinds of link addresses, and the ioctl()s' view of the neighbour table (arp(7)). */
#pragma once
#include <net/if.h>

#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772
#define ARPHRD_NONE 0xfffe

#define ATF_COM 2
#define ATF_PERM 4

struct arpreq {
	struct sockaddr arp_pa, arp_ha;
	int arp_flags;
	struct sockaddr arp_netmask;
	char arp_dev[16];
};
