/*
 * ip: links, addresses, routes and neighbours over netlink, as iproute2 shows and sets them; IPv4 only.
 *
 *   ip [-s] link [show [DEV]]            ip link set DEV [up | down] [mtu N] [address MAC]
 *   ip addr [show [DEV]]                 ip addr (add | del) ADDRESS/LENGTH [broadcast ADDRESS] dev DEV
 *   ip route [show]                      ip route (add | replace | del) (PREFIX | default) [via ADDRESS] [dev DEV] [src ADDRESS] [metric N]
 *   ip neigh [show]                      ip neigh (add | replace | del) ADDRESS [lladdr MAC] dev DEV
 */
#include "netlink.h"
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int statistics;
static unsigned only; /* the interface that is asked about, or 0 */

struct name {
	unsigned value;
	const char *text;
};

static const char *name_of(const struct name *names, unsigned value)
{
	static char number[16];

	for (; names->text; names++)
		if (names->value == value)
			return names->text;
	snprintf(number, sizeof number, "%u", value);
	return number;
}

static const char *address_text(const struct rtattr *attribute)
{
	static char texts[4][INET_ADDRSTRLEN];
	static unsigned next;
	const void *value = attribute_value(attribute, 4);

	return value ? inet_ntop(AF_INET, value, texts[next++ % 4], INET_ADDRSTRLEN) : "0.0.0.0";
}

static void print_mac(const struct rtattr *attribute)
{
	const unsigned char *bytes = attribute_value(attribute, 6);

	if (bytes)
		printf("%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
}

static const char *interface_name(unsigned index)
{
	static char name[IF_NAMESIZE];

	if (!if_indextoname(index, name))
		snprintf(name, sizeof name, "if%u", index);
	return name;
}

/* ---- Links and addresses ---- */

static const struct name scopes[] = { { RT_SCOPE_UNIVERSE, "global" }, { RT_SCOPE_SITE, "site" }, { RT_SCOPE_LINK, "link" },
				      { RT_SCOPE_HOST, "host" }, { RT_SCOPE_NOWHERE, "nowhere" }, { 0, 0 } };

static void print_flags(unsigned flags)
{
	static const struct name names[] = { { IFF_LOOPBACK, "LOOPBACK" }, { IFF_BROADCAST, "BROADCAST" }, { IFF_POINTOPOINT, "POINTOPOINT" },
					     { IFF_MULTICAST, "MULTICAST" }, { IFF_NOARP, "NOARP" }, { IFF_ALLMULTI, "ALLMULTI" }, { IFF_PROMISC, "PROMISC" },
					     { IFF_MASTER, "MASTER" }, { IFF_SLAVE, "SLAVE" }, { IFF_DEBUG, "DEBUG" }, { IFF_UP, "UP" }, { IFF_LOWER_UP, "LOWER_UP" }, { 0, 0 } };
	int any = 0;

	putchar('<');
	if (flags & IFF_UP && !(flags & IFF_RUNNING))
		any = printf("NO-CARRIER");
	for (const struct name *at = names; at->text; at++)
		if (flags & at->value)
			printf("%s%s", any++ ? "," : "", at->text);
	putchar('>');
}

static void print_counters(const struct rtattr *attribute)
{
	const struct rtnl_link_stats64 *at = attribute_value(attribute, sizeof *at);

	if (!at)
		return;
	printf("    RX:  bytes packets errors dropped  missed   mcast           \n    %10lu %7lu %6lu %7lu %7lu %7lu \n", at->rx_bytes, at->rx_packets, at->rx_errors,
	       at->rx_dropped, at->rx_missed_errors, at->multicast);
	printf("    TX:  bytes packets errors dropped carrier collsns           \n    %10lu %7lu %6lu %7lu %7lu %7lu \n", at->tx_bytes, at->tx_packets, at->tx_errors,
	       at->tx_dropped, at->tx_carrier_errors, at->collisions);
}

static void print_address(const struct nlmsghdr *message, void *with)
{
	const struct rtattr *found[IFA_MAX + 1];
	const struct ifaddrmsg *about = (const void *)(message + 1);

	if (message->nlmsg_type != RTM_NEWADDR || find_attributes(message, sizeof *about, found, IFA_MAX) < 0)
		return;
	if (about->ifa_family != AF_INET || about->ifa_index != *(unsigned *)with)
		return;
	printf("    inet %s/%u ", address_text(found[IFA_LOCAL] ? found[IFA_LOCAL] : found[IFA_ADDRESS]), about->ifa_prefixlen);
	if (found[IFA_BROADCAST])
		printf("brd %s ", address_text(found[IFA_BROADCAST]));
	printf("scope %s %s", name_of(scopes, about->ifa_scope), about->ifa_flags & IFA_F_SECONDARY ? "secondary " : "");
	if (!(about->ifa_flags & IFA_F_PERMANENT))
		printf("dynamic ");
	const char *label = attribute_value(found[IFA_LABEL], 1);
	if (label)
		printf("%.*s", (int)(found[IFA_LABEL]->rta_len - sizeof(struct rtattr)), label);
	printf("\n       valid_lft forever preferred_lft forever\n");
}

/* `with` says whether the addresses are to be shown as well. */
static void print_link(const struct nlmsghdr *message, void *with)
{
	static const struct name states[] = { { 0, "UNKNOWN" }, { 1, "NOTPRESENT" }, { 2, "DOWN" }, { 3, "LOWERLAYERDOWN" }, { 4, "TESTING" },
					      { 5, "DORMANT" }, { 6, "UP" }, { 0, 0 } };
	static const struct name kinds[] = { { ARPHRD_ETHER, "ether" }, { ARPHRD_LOOPBACK, "loopback" }, { ARPHRD_NONE, "none" }, { 0, 0 } };
	const struct rtattr *found[IFLA_MAX + 1];
	const struct ifinfomsg *about = (const void *)(message + 1);

	if (message->nlmsg_type != RTM_NEWLINK || find_attributes(message, sizeof *about, found, IFLA_MAX) < 0)
		return;
	if (only && (unsigned)about->ifi_index != only)
		return;
	const char *name = attribute_value(found[IFLA_IFNAME], 1), *queue = attribute_value(found[IFLA_QDISC], 1);
	printf("%d: %.15s: ", about->ifi_index, name ? name : "?");
	print_flags(about->ifi_flags);
	printf(" mtu %u ", attribute_number(found[IFLA_MTU], 0));
	if (queue)
		printf("qdisc %.15s ", queue);
	const unsigned char *state = attribute_value(found[IFLA_OPERSTATE], 1);
	if (state)
		printf("state %s ", name_of(states, *state));
	if (!with)
		printf("mode %s ", attribute_value(found[IFLA_LINKMODE], 1) && *(unsigned char *)attribute_value(found[IFLA_LINKMODE], 1) ? "DORMANT" : "DEFAULT");
	printf("group default ");
	if (found[IFLA_TXQLEN])
		printf("qlen %u", attribute_number(found[IFLA_TXQLEN], 0));
	printf("\n    link/%s ", name_of(kinds, about->ifi_type));
	print_mac(found[IFLA_ADDRESS]);
	if (attribute_value(found[IFLA_BROADCAST], 6)) {
		printf(" brd ");
		print_mac(found[IFLA_BROADCAST]);
	}
	putchar('\n');
	if (with) {
		struct ifaddrmsg all = { .ifa_family = AF_INET };
		struct request request;
		unsigned index = about->ifi_index;
		begin_request(&request, RTM_GETADDR, NLM_F_DUMP, &all, sizeof all);
		if (ask_kernel(&request, print_address, &index) < 0)
			warn_file("addresses");
	}
	if (statistics)
		print_counters(found[IFLA_STATS64]);
}

static int show_links(int addresses)
{
	struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	struct request request;

	begin_request(&request, RTM_GETLINK, NLM_F_DUMP, &all, sizeof all);
	return ask_kernel(&request, print_link, addresses ? &addresses : 0) < 0 ? warn_file("links") : 0;
}

/* ---- Routes and neighbours ---- */

static void print_route(const struct nlmsghdr *message, void *with)
{
	static const struct name origins[] = { { RTPROT_REDIRECT, "redirect" }, { RTPROT_KERNEL, "kernel" }, { RTPROT_STATIC, "static" }, { 16, "dhcp" }, { 0, 0 } };
	const struct rtattr *found[RTA_MAX + 1];
	const struct rtmsg *about = (const void *)(message + 1);

	(void)with;
	if (message->nlmsg_type != RTM_NEWROUTE || find_attributes(message, sizeof *about, found, RTA_MAX) < 0)
		return;
	if (about->rtm_family != AF_INET || attribute_number(found[RTA_TABLE], about->rtm_table) != RT_TABLE_MAIN)
		return;
	if (about->rtm_type != RTN_UNICAST)
		return;
	if (only && attribute_number(found[RTA_OIF], 0) != only)
		return;
	if (!about->rtm_dst_len)
		printf("default ");
	else if (about->rtm_dst_len == 32)
		printf("%s ", address_text(found[RTA_DST]));
	else
		printf("%s/%u ", address_text(found[RTA_DST]), about->rtm_dst_len);
	if (found[RTA_GATEWAY])
		printf("via %s ", address_text(found[RTA_GATEWAY]));
	if (found[RTA_OIF])
		printf("dev %s ", interface_name(attribute_number(found[RTA_OIF], 0)));
	if (about->rtm_protocol && about->rtm_protocol != RTPROT_BOOT)
		printf("proto %s ", name_of(origins, about->rtm_protocol));
	if (about->rtm_scope)
		printf("scope %s ", name_of(scopes, about->rtm_scope));
	if (found[RTA_PREFSRC])
		printf("src %s ", address_text(found[RTA_PREFSRC]));
	if (found[RTA_PRIORITY])
		printf("metric %u ", attribute_number(found[RTA_PRIORITY], 0));
	putchar('\n');
}

static void print_neighbour(const struct nlmsghdr *message, void *with)
{
	static const struct name states[] = { { NUD_INCOMPLETE, "INCOMPLETE" }, { NUD_REACHABLE, "REACHABLE" }, { NUD_STALE, "STALE" }, { NUD_DELAY, "DELAY" },
					      { NUD_PROBE, "PROBE" }, { NUD_FAILED, "FAILED" }, { NUD_PERMANENT, "PERMANENT" }, { 0, 0 } };
	const struct rtattr *found[NDA_MAX + 1];
	const struct ndmsg *about = (const void *)(message + 1);

	(void)with;
	if (message->nlmsg_type != RTM_NEWNEIGH || find_attributes(message, sizeof *about, found, NDA_MAX) < 0)
		return;
	if (about->ndm_family != AF_INET || !about->ndm_state || about->ndm_state & NUD_NOARP || (only && (unsigned)about->ndm_ifindex != only))
		return;
	printf("%s dev %s ", address_text(found[NDA_DST]), interface_name(about->ndm_ifindex));
	if (found[NDA_LLADDR]) {
		printf("lladdr ");
		print_mac(found[NDA_LLADDR]);
		putchar(' ');
	}
	printf("%s \n", name_of(states, about->ndm_state));
}

static int show_routes(void)
{
	struct rtmsg all = { .rtm_family = AF_INET };
	struct request request;

	begin_request(&request, RTM_GETROUTE, NLM_F_DUMP, &all, sizeof all);
	return ask_kernel(&request, print_route, 0) < 0 ? warn_file("routes") : 0;
}

static int show_neighbours(void)
{
	struct ndmsg all = { .ndm_family = AF_INET };
	struct request request;

	begin_request(&request, RTM_GETNEIGH, NLM_F_DUMP, &all, sizeof all);
	return ask_kernel(&request, print_neighbour, 0) < 0 ? warn_file("neighbours") : 0;
}

/* ---- Changes ---- */

/* What the words after an order said. */
struct wanted {
	unsigned index, change, flags, mtu, metric;
	int length; /* of the prefix, -1 without */
	struct in_addr address, gateway, source, broadcast;
	unsigned char mac[6];
	int has_address, has_gateway, has_source, has_broadcast, has_mac, has_metric;
};

static int read_mac(const char *text, unsigned char mac[6])
{
	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long value = strtoul(text, &end, 16);
		if (end == text || end - text > 2 || *end != (i < 5 ? ':' : 0))
			return -1;
		mac[i] = value;
		text = end + 1;
	}
	return 0;
}

static int read_prefix(char *text, struct wanted *to)
{
	char *slash = strchr(text, '/');

	to->length = -1;
	to->has_address = 1;
	if (!strcmp(text, "default")) {
		to->address.s_addr = 0;
		to->length = 0;
		return 0;
	}
	if (slash) {
		*slash = 0;
		if ((to->length = parse_number(slash + 1, 0, 32)) < 0)
			return -1;
	}
	return inet_pton(AF_INET, text, &to->address) == 1 ? 0 : -1;
}

static int refuse(const char *what)
{
	warn_text("\"%s\" is not understood", what);
	return -1;
}

/* The words in any order; the first that is no keyword is the prefix, or the device of a link. */
static int read_words(char **words, int is_link, struct wanted *to)
{
	memset(to, 0, sizeof *to);
	to->length = -1;
	for (; *words; words++) {
		const char *value = words[1];
		int takes = 1, good = 1;
		if (!strcmp(*words, "up") || !strcmp(*words, "down")) {
			to->change |= IFF_UP;
			to->flags = **words == 'u' ? IFF_UP : 0;
			takes = 0;
		} else if (!strcmp(*words, "dev") && value) {
			if (!(to->index = if_nametoindex(value))) {
				warn_text("Cannot find device \"%s\"", value);
				return -1;
			}
		} else if (!strcmp(*words, "mtu") && value)
			good = (long)(to->mtu = parse_number(value, 1, 1 << 20)) > 0;
		else if (!strcmp(*words, "metric") && value) {
			long metric = parse_number(value, 0, 0xffffffff);
			good = metric >= 0;
			to->metric = metric;
			to->has_metric = 1;
		} else if (!strcmp(*words, "via") && value)
			good = to->has_gateway = inet_pton(AF_INET, value, &to->gateway) == 1;
		else if (!strcmp(*words, "src") && value)
			good = to->has_source = inet_pton(AF_INET, value, &to->source) == 1;
		else if ((!strcmp(*words, "broadcast") || !strcmp(*words, "brd")) && value && strcmp(value, "+"))
			good = to->has_broadcast = inet_pton(AF_INET, value, &to->broadcast) == 1;
		else if (!strcmp(*words, "brd") || !strcmp(*words, "broadcast"))
			to->has_broadcast = 2;
		else if ((!strcmp(*words, "address") || !strcmp(*words, "lladdr")) && value)
			good = to->has_mac = !read_mac(value, to->mac);
		else {
			takes = 0;
			if (is_link) {
				if (!(to->index = if_nametoindex(*words))) {
					warn_text("Cannot find device \"%s\"", *words);
					return -1;
				}
			} else
				good = !to->has_address && !read_prefix(*words, to);
		}
		if (!good || (takes && !value))
			return refuse(*words);
		words += takes;
	}
	return 0;
}

/* Sends an order; what the kernel says to it. */
static int order(struct request *request)
{
	if (ask_kernel(request, 0, 0) == 0)
		return 0;
	fprintf(stderr, "RTNETLINK answers: %s\n", strerror(errno));
	return 2;
}

/* add, replace and del: the type of the message and its flags; -1 for another word. */
static int read_order(const char *word, int new_type, int *type, int *flags)
{
	static const struct {
		const char *word;
		int is_new, flags;
	} orders[] = { { "add", 1, NLM_F_CREATE | NLM_F_EXCL }, { "replace", 1, NLM_F_CREATE | NLM_F_REPLACE }, { "del", 0, 0 }, { "delete", 0, 0 } };

	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
		if (!strcmp(word, orders[i].word)) {
			*type = orders[i].is_new ? new_type : new_type + 1;
			*flags = orders[i].flags;
			return 0;
		}
	return refuse(word);
}

static int change_link(char **words)
{
	struct wanted to;
	struct request request;

	if (read_words(words, 1, &to) < 0)
		return 1;
	if (!to.index)
		return warn_text("not enough information: \"dev\" argument is required");
	struct ifinfomsg about = { .ifi_index = to.index, .ifi_flags = to.flags, .ifi_change = to.change };
	begin_request(&request, RTM_NEWLINK, 0, &about, sizeof about);
	if (to.mtu)
		add_attribute(&request, IFLA_MTU, &to.mtu, sizeof to.mtu);
	if (to.has_mac)
		add_attribute(&request, IFLA_ADDRESS, to.mac, sizeof to.mac);
	return order(&request);
}

static int change_address(char **words)
{
	struct wanted to;
	struct request request;
	int type, flags;

	if (read_order(words[0], RTM_NEWADDR, &type, &flags) < 0 || read_words(words + 1, 0, &to) < 0)
		return 1;
	if (!to.index || !to.has_address)
		return warn_text("not enough information: an address and \"dev\" are required");
	if (to.length < 0)
		to.length = 32;
	struct ifaddrmsg about = { AF_INET, to.length, 0, (ntohl(to.address.s_addr) >> 24) == 127 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE, to.index };
	begin_request(&request, type, flags, &about, sizeof about);
	add_attribute(&request, IFA_LOCAL, &to.address, 4);
	add_attribute(&request, IFA_ADDRESS, &to.address, 4);
	if (to.has_broadcast == 2)
		to.broadcast.s_addr = to.address.s_addr | htonl(to.length < 32 ? 0xffffffffu >> to.length : 0);
	if (to.has_broadcast)
		add_attribute(&request, IFA_BROADCAST, &to.broadcast, 4);
	return order(&request);
}

static int change_route(char **words)
{
	struct wanted to;
	struct request request;
	int type, flags;

	if (read_order(words[0], RTM_NEWROUTE, &type, &flags) < 0 || read_words(words + 1, 0, &to) < 0)
		return 1;
	if (!to.has_address)
		return warn_text("a destination is required");
	struct rtmsg about = { .rtm_family = AF_INET, .rtm_dst_len = to.length < 0 ? 32 : to.length, .rtm_table = RT_TABLE_MAIN };
	about.rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : to.has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (type == RTM_NEWROUTE) {
		about.rtm_protocol = RTPROT_BOOT;
		about.rtm_type = RTN_UNICAST;
	}
	begin_request(&request, type, flags, &about, sizeof about);
	if (about.rtm_dst_len)
		add_attribute(&request, RTA_DST, &to.address, 4);
	if (to.has_gateway)
		add_attribute(&request, RTA_GATEWAY, &to.gateway, 4);
	if (to.index)
		add_attribute(&request, RTA_OIF, &to.index, 4);
	if (to.has_source)
		add_attribute(&request, RTA_PREFSRC, &to.source, 4);
	if (to.has_metric)
		add_attribute(&request, RTA_PRIORITY, &to.metric, 4);
	return order(&request);
}

static int change_neighbour(char **words)
{
	struct wanted to;
	struct request request;
	int type, flags;

	if (read_order(words[0], RTM_NEWNEIGH, &type, &flags) < 0 || read_words(words + 1, 0, &to) < 0)
		return 1;
	if (!to.index || !to.has_address)
		return warn_text("an address and \"dev\" are required");
	struct ndmsg about = { .ndm_family = AF_INET, .ndm_ifindex = to.index, .ndm_state = NUD_PERMANENT };
	begin_request(&request, type, flags, &about, sizeof about);
	add_attribute(&request, NDA_DST, &to.address, 4);
	if (to.has_mac)
		add_attribute(&request, NDA_LLADDR, to.mac, sizeof to.mac);
	return order(&request);
}

int ip_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*change)(char **words);
	} objects[] = { { "link", change_link }, { "address", change_address }, { "route", change_route }, { "neighbour", change_neighbour } };
	const char *syntax = "[-4] [-s] { link | addr | route | neigh } [show [DEV] | set | add | replace | del ...]";
	int option;
	size_t object = 0;

	while ((option = getopt(argc, argv, "4s")) != -1)
		if (option == 's')
			statistics = 1;
		else if (option != '4')
			return usage(syntax);
	char **words = argv + optind;
	if (!*words)
		return usage(syntax);
	while (object < 4 && strncmp(*words, objects[object].name, strlen(*words)) && !(object == 3 && !strcmp(*words, "neighbor")))
		object++;
	if (object == 4)
		return warn_text("Object \"%s\" is unknown, try \"ip\".", *words);
	words++;
	int shows = !*words || !strcmp(*words, "show") || !strcmp(*words, "list") || !strcmp(*words, "ls");
	if (!shows)
		return objects[object].change(words + (object == 0 && !strcmp(*words, "set")));
	if (*words && *++words && !strcmp(*words, "dev"))
		words++;
	if (*words && !(only = if_nametoindex(*words)))
		return warn_text("Device \"%s\" does not exist.", *words);
	return object < 2 ? show_links(object) : object == 2 ? show_routes() : show_neighbours();
}
