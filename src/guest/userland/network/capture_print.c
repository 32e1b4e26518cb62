/* Packets as tcpdump prints them: the time, Ethernet, ARP, IPv4, ICMP and UDP (TCP: capture_tcp.c), and bytes. */
#include "capture.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IP_HEADER = 20, UDP_HEADER = 8, ICMP_HEADER = 8, ARP_SIZE = 28, MOST_NESTED = 2 };

struct print_options print_options;

struct view inside(struct view view, unsigned skipped)
{
	unsigned here = skipped < view.captured ? skipped : view.captured;
	return (struct view){ view.bytes + here, view.captured - here, skipped < view.length ? view.length - skipped : 0 };
}

struct view shortened(struct view view, unsigned length)
{
	return (struct view){ view.bytes, view.captured < length ? view.captured : length, view.length < length ? view.length : length };
}

/* ---- Names ---- */

/* Answers of the files are kept, as one packet after the other asks the same. */
struct known_host {
	unsigned char address[4];
	char name[64];
};

const char *host_name(const unsigned char address[4])
{
	static struct known_host known[32];
	static char numbers[8][INET_ADDRSTRLEN];
	static unsigned next;
	struct known_host *place = &known[(address[3] ^ address[2] * 7) % 32];

	if (!print_options.numeric) {
		if (memcmp(place->address, address, 4) || !*place->name) {
			struct hostent *found = gethostbyaddr(address, 4, AF_INET);
			memcpy(place->address, address, 4);
			strlcpy(place->name, found ? found->h_name : "", sizeof place->name);
		}
		if (*place->name)
			return place->name;
	}
	char *text = numbers[next++ % 8];
	inet_ntop(AF_INET, address, text, INET_ADDRSTRLEN);
	return text;
}

const char *port_name(unsigned port, const char *protocol)
{
	static char texts[4][32];
	static struct {
		int used;
		unsigned port;
		char protocol, name[24];
	} known[64], *place;
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, 32, "%u", port);
	place = &known[(port ^ *protocol) % 64];
	if (print_options.numeric)
		return text;
	if (!place->used || place->port != port || place->protocol != *protocol) {
		struct servent *found = getservbyport(htons(port), protocol);
		place->used = 1;
		place->port = port;
		place->protocol = *protocol;
		strlcpy(place->name, found ? found->s_name : "", sizeof place->name);
	}
	return *place->name ? place->name : text;
}

static const char *ether_text(const unsigned char *address)
{
	static char texts[4][18];
	static unsigned next;
	char *text = texts[next++ % 4];

	if (!print_options.numeric && !memcmp(address, "\377\377\377\377\377\377", 6))
		return "Broadcast";
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1], address[2], address[3], address[4], address[5]);
	return text;
}

static const char *ether_type_name(unsigned type)
{
	switch (type) {
	case ETH_P_IP: return "IPv4";
	case ETH_P_ARP: return "ARP";
	case ETH_P_RARP: return "Reverse ARP";
	case ETH_P_IPV6: return "IPv6";
	case ETH_P_8021Q: return "802.1Q";
	}
	return 0;
}

static void print_ether_type(unsigned type)
{
	const char *name = ether_type_name(type);

	if (!print_options.brief)
		printf("ethertype %s (0x%04x)", name ? name : "Unknown", type);
	else if (name)
		printf("%s", name);
	else
		printf("Unknown Ethertype (0x%04x)", type);
}

/* ---- Bytes ---- */

static void print_bytes(struct view view, int ascii)
{
	for (unsigned at = 0; at < view.captured; at += 16) {
		unsigned size = view.captured - at < 16 ? view.captured - at : 16;
		printf("\n\t0x%04x: ", at);
		for (unsigned i = 0; i < (ascii ? 16 : size); i++)
			if (i < size)
				printf("%s%02x", i % 2 ? "" : " ", view.bytes[at + i]);
			else
				printf("%s  ", i % 2 ? "" : " ");
		if (!ascii)
			continue;
		printf("  ");
		for (unsigned i = 0; i < size; i++)
			putchar(isgraph(view.bytes[at + i]) ? view.bytes[at + i] : '.');
	}
}

/* ---- ARP ---- */

static int is_zero(const unsigned char *bytes, int size)
{
	while (size && !*bytes)
		bytes++, size--;
	return !size;
}

static void print_arp(struct view arp)
{
	static const char *const operations[] = { 0, "Request", "Reply", "Reverse Request", "Reverse Reply" };
	const unsigned char *at = arp.bytes;

	if (arp.captured < ARP_SIZE) {
		printf(" [|arp]");
		return;
	}
	if (!print_options.link_header)
		printf("ARP, ");
	if (get16(at) != 1 || get16(at + 2) != ETH_P_IP || at[4] != 6 || at[5] != 4) {
		printf("not Ethernet and IPv4, length %u", arp.length);
		return;
	}
	unsigned operation = get16(at + 6);
	const unsigned char *sender = at + 8, *sender_ip = at + 14, *target = at + 18, *target_ip = at + 24;
	if (print_options.verbose)
		printf("Ethernet (len 6), IPv4 (len 4), ");
	if (operation == 0 || operation > 4) {
		printf("Unknown (%u) ", operation);
		print_bytes(arp, 1);
		return;
	}
	printf("%s ", operations[operation]);
	if (operation == 1) {
		printf("who-has %s", host_name(target_ip));
		if (!is_zero(target, 6))
			printf(" (%s)", ether_text(target));
		printf(" tell %s", host_name(sender_ip));
	} else if (operation == 2)
		printf("%s is-at %s", host_name(sender_ip), ether_text(sender));
	else if (operation == 3)
		printf("who-is %s tell %s", ether_text(target), ether_text(sender));
	else if (operation == 4)
		printf("%s at %s", ether_text(target), host_name(target_ip));
	printf(", length %u", arp.length);
}

/* ---- IP ---- */

int transport_checksum(const unsigned char *ip, unsigned protocol, struct view segment)
{
	unsigned char rest[4];

	if (segment.captured < segment.length)
		return -1;
	put16(rest, protocol);
	put16(rest + 2, segment.length);
	return checksum_end(checksum_add(checksum_add(checksum_add(0, ip + 12, 8), rest, 4), segment.bytes, segment.length));
}

static void print_udp(const unsigned char *ip, struct view datagram, int fragment)
{
	const unsigned char *udp = datagram.bytes;

	if (datagram.captured < 4) {
		printf("%s > %s: [|udp]", host_name(ip + 12), host_name(ip + 16));
		return;
	}
	printf("%s.%s > %s.%s: ", host_name(ip + 12), port_name(get16(udp), "udp"), host_name(ip + 16), port_name(get16(udp + 2), "udp"));
	if (datagram.captured < UDP_HEADER) {
		printf(" [|udp]");
		return;
	}
	unsigned length = get16(udp + 4);
	if (length < UDP_HEADER) {
		printf("truncated-udplength %u", length);
		return;
	}
	if (print_options.verbose > 1 && !fragment) {
		unsigned stands = get16(udp + 6);
		int sum = transport_checksum(ip, IPPROTO_UDP, shortened(datagram, length));
		if (!stands)
			printf("[no cksum] ");
		else if (sum > 0)
			printf("[bad udp cksum 0x%04x -> 0x%04x!] ", stands, checksum_end(checksum_add(~stands & 0xffff, (unsigned char[]){ ~sum >> 8, ~sum }, 2)));
		else if (!sum)
			printf("[udp sum ok] ");
	}
	if (length > datagram.length && !fragment)
		printf("UDP, bad length %u > %u", length - UDP_HEADER, datagram.length - UDP_HEADER);
	else
		printf("UDP, length %u", length - UDP_HEADER);
}

static void print_ip(struct view packet, int nested);

/* What could not be delivered, from the packet that an error quotes. */
static void print_unreachable(unsigned code, const unsigned char *icmp, struct view quoted)
{
	static const char *const texts[] = { [0] = "net %s unreachable", [1] = "host %s unreachable", [5] = "%s unreachable - source route failed",
					     [6] = "net %s unreachable - unknown", [7] = "host %s unreachable - unknown", [8] = "%s unreachable - source host isolated",
					     [9] = "net %s unreachable - admin prohibited", [10] = "host %s unreachable - admin prohibited",
					     [11] = "net %s unreachable - tos prohibited", [12] = "host %s unreachable - tos prohibited",
					     [13] = "host %s unreachable - admin prohibited filter", [14] = "host %s unreachable - host precedence violation",
					     [15] = "host %s unreachable - precedence cutoff" };

	if (quoted.captured < IP_HEADER) {
		printf("[|icmp]");
		return;
	}
	const char *host = host_name(quoted.bytes + 16);
	unsigned protocol = quoted.bytes[9], header = (quoted.bytes[0] & 15) * 4;
	if (code == 2)
		printf("%s protocol %u unreachable", host, protocol);
	else if (code == 3 && quoted.captured >= header + 4) {
		unsigned port = get16(quoted.bytes + header + 2);
		if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
			printf("%s %s port %s unreachable", host, protocol == IPPROTO_TCP ? "tcp" : "udp", port_name(port, protocol == IPPROTO_TCP ? "tcp" : "udp"));
		else
			printf("%s protocol %u port %u unreachable", host, protocol, port);
	} else if (code == 4)
		get16(icmp + 6) ? printf("%s unreachable - need to frag (mtu %u)", host, get16(icmp + 6)) : printf("%s unreachable - need to frag", host);
	else if (code < sizeof texts / sizeof *texts && texts[code])
		printf(texts[code], host);
	else
		printf("%s unreachable - #%u", host, code);
}

static void print_icmp(struct view message, int fragment, int nested)
{
	const unsigned char *icmp = message.bytes;

	if (message.captured < ICMP_HEADER) {
		printf(" [|icmp]");
		return;
	}
	printf("ICMP ");
	struct view quoted = inside(message, ICMP_HEADER);
	unsigned type = icmp[0], code = icmp[1];
	int is_error = 0;
	switch (type) {
	case 0:
	case 8: printf("echo %s, id %u, seq %u", type ? "request" : "reply", get16(icmp + 4), get16(icmp + 6)); break;
	case 3:
		print_unreachable(code, icmp, quoted);
		is_error = 1;
		break;
	case 4:
		printf("source quench");
		is_error = 1;
		break;
	case 5: {
		static const char *const what[] = { "net", "host", "tos net", "tos host" };
		printf("redirect %s to %s %s", quoted.captured >= IP_HEADER ? host_name(quoted.bytes + 16) : "?", code < 4 ? what[code] : "?", host_name(icmp + 4));
		is_error = 1;
		break;
	}
	case 11:
		printf(code == 0 ? "time exceeded in-transit" : code == 1 ? "ip reassembly time exceeded" : "time exceeded-#%u", code);
		is_error = 1;
		break;
	case 12:
		printf(code ? "parameter problem - code %u" : "parameter problem - octet %u", code ? code : icmp[4]);
		is_error = 1;
		break;
	case 13: printf("time stamp query id %u seq %u", get16(icmp + 4), get16(icmp + 6)); break;
	default: printf("type-#%u", type);
	}
	printf(", length %u", message.length);
	if (!print_options.verbose)
		return;
	if (!fragment && message.captured >= message.length) {
		unsigned sum = checksum_end(checksum_add(0, icmp, message.length)), stands = get16(icmp + 2);
		if (sum)
			printf(" (wrong icmp cksum %x (->%x)!)", stands, checksum_end(checksum_add(~stands & 0xffff, (unsigned char[]){ ~sum >> 8, ~sum }, 2)));
	}
	if (is_error && quoted.captured) {
		printf("\n\t");
		print_ip(quoted, nested + 1);
	}
}

static const char *protocol_name(unsigned protocol)
{
	static const char *const names[] = { [1] = "ICMP",  [2] = "IGMP", [4] = "IPIP", [6] = "TCP", [17] = "UDP",
					     [41] = "IPv6", [47] = "GRE", [50] = "ESP", [51] = "AH", [132] = "SCTP" };
	return protocol < sizeof names / sizeof *names && names[protocol] ? names[protocol] : "unknown";
}

static void print_ip_options(const unsigned char *options, unsigned size)
{
	static const struct {
		unsigned char kind;
		const char *name;
	} names[] = { { 0, "EOL" }, { 1, "NOP" }, { 7, "RR" }, { 68, "timestamp" }, { 131, "LSRR" }, { 137, "SSRR" }, { 148, "RA" } };

	printf(", options (");
	for (unsigned at = 0, step; at < size; at += step) {
		const char *name = 0;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (names[i].kind == options[at])
				name = names[i].name;
		if (at)
			putchar(',');
		name ? printf("%s", name) : printf("unknown %u", options[at]);
		step = options[at] < 2 ? 1 : at + 1 < size ? options[at + 1] : 0;
		if (options[at] == 0 || step < 1 || (step < 2 && options[at] > 1))
			break;
	}
	putchar(')');
}

static void print_ip(struct view packet, int nested)
{
	const unsigned char *ip = packet.bytes;

	if (packet.captured && ip[0] >> 4 != 4) {
		printf("IP%u (invalid)", ip[0] >> 4);
		return;
	}
	if (!print_options.link_header)
		printf("IP ");
	if (packet.captured < IP_HEADER) {
		printf(packet.length < IP_HEADER ? "truncated-ip %u" : " [|ip]", packet.length);
		return;
	}
	unsigned header = (ip[0] & 15) * 4, length = get16(ip + 2), fragment = get16(ip + 6), offset = (fragment & 0x1fff) * 8;
	if (header < IP_HEADER) {
		printf("bad-hlen %u", header);
		return;
	}
	if (packet.length < length && !nested) /* a quotation is always cut */
		printf("truncated-ip - %u bytes missing! ", length - packet.length);
	if (length < header) {
		/* 0 is what a card that cuts packets itself leaves there. */
		if (length) {
			printf("bad-len %u", length);
			return;
		}
		length = packet.length;
	}
	struct view rest = inside(shortened(packet, length), header);
	if (rest.length < length - header)
		rest.length = length - header;
	if (print_options.verbose) {
		static const char *const congestion[] = { "", ",ECT(1)", ",ECT(0)", ",CE" };
		printf("(tos 0x%x%s", ip[1], congestion[ip[1] & 3]);
		if (ip[8])
			printf(", ttl %u", ip[8]);
		printf(", id %u, offset %u, flags [", get16(ip + 4), offset);
		int any = 0;
		for (int bit = 13; bit < 16; bit++)
			if (fragment >> bit & 1)
				printf("%s%s", any++ ? ", " : "", bit == 13 ? "+" : bit == 14 ? "DF" : "rsvd");
		printf("%s], proto %s (%u), length %u", any ? "" : "none", protocol_name(ip[9]), ip[9], length);
		if (header > IP_HEADER && packet.captured >= header)
			print_ip_options(ip + IP_HEADER, header - IP_HEADER);
		if (packet.captured >= header) {
			unsigned sum = checksum_end(checksum_add(0, ip, header)), stands = get16(ip + 10);
			if (sum)
				printf(", bad cksum %x (->%x)!", stands, checksum_end(checksum_add(~stands & 0xffff, (unsigned char[]){ ~sum >> 8, ~sum }, 2)));
		}
		printf(")\n    ");
	}
	if (offset) {
		static const char *const names[] = { [1] = "icmp", [6] = "tcp", [17] = "udp" };
		printf("%s > %s:", host_name(ip + 12), host_name(ip + 16));
		if (!print_options.numeric && ip[9] < sizeof names / sizeof *names && names[ip[9]])
			printf(" %s", names[ip[9]]);
		else
			printf(" ip-proto-%u", ip[9]);
		return;
	}
	int more = fragment & 0x2000;
	if (ip[9] == IPPROTO_TCP)
		print_tcp(ip, rest, more);
	else if (ip[9] == IPPROTO_UDP)
		print_udp(ip, rest, more);
	else {
		printf("%s > %s: ", host_name(ip + 12), host_name(ip + 16));
		if (ip[9] == IPPROTO_ICMP && nested < MOST_NESTED)
			print_icmp(rest, more, nested);
		else
			printf(" ip-proto-%u %u", ip[9], rest.length);
	}
}

/* ---- Frames ---- */

static void print_time(const struct packet *packet)
{
	static long before_s;
	static unsigned before_us;
	char text[40];

	switch (print_options.time_style) {
	case 0:
	case 4:
	case 5:
		strftime(text, sizeof text, print_options.time_style ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", gmtime(&packet->seconds));
		printf("%s.%06u ", text, packet->microseconds);
		break;
	case 2: printf("%ld.%06u ", packet->seconds, packet->microseconds); break;
	case 3: {
		long long passed = before_s ? (packet->seconds - before_s) * 1000000ll + packet->microseconds - before_us : 0;
		printf(" %02lld:%02lld:%02lld.%06lld ", passed / 3600000000, passed / 60000000 % 60, passed / 1000000 % 60, passed % 1000000);
		before_s = packet->seconds;
		before_us = packet->microseconds;
		break;
	}
	}
}

static void print_ethernet(struct view frame)
{
	const unsigned char *at = frame.bytes;

	if (frame.captured < ETH_HLEN) {
		printf(" [|ether]");
		return;
	}
	unsigned type = get16(at + 12);
	struct view payload = inside(frame, ETH_HLEN);
	int known = type == ETH_P_IP || type == ETH_P_ARP || type == ETH_P_RARP;
	if (print_options.link_header || !known) {
		printf("%s > %s, ", ether_text(at + 6), ether_text(at));
		if (type <= 1500)
			printf("802.3");
		else
			print_ether_type(type);
		printf(", length %u: ", type <= 1500 ? type : frame.length);
	}
	if (type == ETH_P_IP)
		print_ip(payload, 0);
	else if (known)
		print_arp(payload);
	else if (!print_options.hex && !print_options.ascii && !print_options.brief)
		print_bytes(payload, 1);
}

void print_packet(const struct packet *packet, const char *interface)
{
	struct view frame = { packet->bytes, packet->captured, packet->length };
	unsigned link = packet->link == LINK_ETHERNET ? ETH_HLEN : 0;

	print_time(packet);
	if (interface)
		printf("%s ", interface);
	if (packet->link == LINK_ETHERNET)
		print_ethernet(frame);
	else
		print_ip(frame, 0);
	if (print_options.hex || print_options.ascii)
		print_bytes(print_options.hex > 1 || print_options.ascii > 1 ? frame : inside(frame, link), print_options.ascii);
	putchar('\n');
}
