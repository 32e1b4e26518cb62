/* Network interfaces, and the ioctl()s on a socket that read and set them (netdevice(7)). */
#pragma once
#include <sys/socket.h>

#define IFNAMSIZ 16
#define IF_NAMESIZE 16

#define IFF_UP 1
#define IFF_BROADCAST 2
#define IFF_DEBUG 4
#define IFF_LOOPBACK 8
#define IFF_POINTOPOINT 0x10
#define IFF_NOTRAILERS 0x20
#define IFF_RUNNING 0x40
#define IFF_NOARP 0x80
#define IFF_PROMISC 0x100
#define IFF_ALLMULTI 0x200
#define IFF_MASTER 0x400
#define IFF_SLAVE 0x800
#define IFF_MULTICAST 0x1000
#define IFF_LOWER_UP 0x10000

struct ifreq {
	char ifr_name[IFNAMSIZ];
	union {
		struct sockaddr ifr_addr, ifr_dstaddr, ifr_broadaddr, ifr_netmask, ifr_hwaddr;
		short ifr_flags;
		int ifr_ifindex, ifr_metric, ifr_mtu, ifr_qlen;
		char ifr_newname[IFNAMSIZ];
		void *ifr_data;
		char ifr_filling[24];
	};
};
struct ifconf {
	int ifc_len; /* bytes: room, then what was filled */
	union {
		char *ifc_buf;
		struct ifreq *ifc_req;
	};
};

#define SIOCADDRT 0x890b
#define SIOCDELRT 0x890c
#define SIOCGIFNAME 0x8910
#define SIOCGIFCONF 0x8912
#define SIOCGIFFLAGS 0x8913
#define SIOCSIFFLAGS 0x8914
#define SIOCGIFADDR 0x8915
#define SIOCSIFADDR 0x8916
#define SIOCGIFBRDADDR 0x8919
#define SIOCSIFBRDADDR 0x891a
#define SIOCGIFNETMASK 0x891b
#define SIOCSIFNETMASK 0x891c
#define SIOCGIFMTU 0x8921
#define SIOCSIFMTU 0x8922
#define SIOCSIFHWADDR 0x8924
#define SIOCGIFHWADDR 0x8927
#define SIOCGIFINDEX 0x8933
#define SIOCGIFTXQLEN 0x8942
#define SIOCETHTOOL 0x8946
#define SIOCDARP 0x8953
#define SIOCGARP 0x8954
#define SIOCSARP 0x8955

unsigned if_nametoindex(const char *name);
char *if_indextoname(unsigned index, char name[IF_NAMESIZE]);
