/* Packet sockets: whole frames (packet(7)). */
#pragma once
#include <sys/socket.h>

struct sockaddr_ll {
	unsigned short sll_family, sll_protocol; /* the protocol is in the network's order */
	int sll_ifindex;
	unsigned short sll_hatype;
	unsigned char sll_pkttype, sll_halen, sll_addr[8];
};

#define PACKET_HOST 0
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3
#define PACKET_OUTGOING 4

#define SOL_PACKET 263
#define PACKET_ADD_MEMBERSHIP 1
#define PACKET_STATISTICS 6
#define PACKET_MR_PROMISC 1

struct packet_mreq {
	int mr_ifindex;
	unsigned short mr_type, mr_alen;
	unsigned char mr_address[8];
};
struct tpacket_stats {
	unsigned tp_packets, tp_drops; /* since they were last read */
};
