/*
 * Packets against a filter.  As in the kernel's own filters, reading beyond a packet's end rejects the packet, whatever else is said of it;
 * and what asks about a header that the packet lacks is false.
 */
#include "capture_filter.h"
#include <net/ethernet.h>
#include <string.h>

enum { HEADER = 14 };

static const struct packet *packet;
static int beyond; /* something was read that is not there */

static unsigned load(unsigned long offset, unsigned size)
{
	if (offset + size > packet->captured) {
		beyond = 1;
		return 0;
	}
	const unsigned char *from = packet->bytes + offset;
	return size == 1 ? from[0] : size == 2 ? get16(from) : get32(from);
}

static unsigned link_size(void) { return packet->link == LINK_ETHERNET ? HEADER : 0; }

static unsigned ether_type(void)
{
	if (packet->link == LINK_ETHERNET)
		return load(12, 2);
	return load(0, 1) >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

static int has_ip_protocol(unsigned wanted)
{
	unsigned type = ether_type(), ip = link_size();

	if (type == ETH_P_IP)
		return load(ip + 9, 1) == wanted;
	if (type != ETH_P_IPV6 || wanted == IPPROTO_ICMP)
		return 0;
	unsigned next = load(ip + 6, 1);
	return next == wanted || (next == 44 && load(ip + 40, 1) == wanted);
}

static int is_protocol(enum protocol protocol)
{
	return protocols[protocol].ether_type ? ether_type() == protocols[protocol].ether_type : has_ip_protocol(protocols[protocol].ip_protocol);
}

/* Joins what the source and what the destination say.  The second is read only if it counts. */
static int join(enum direction direction, int (*fits)(const struct node *node, int destination), const struct node *node)
{
	switch (direction) {
	case SOURCE: return fits(node, 0);
	case DESTINATION: return fits(node, 1);
	case BOTH: return fits(node, 0) && fits(node, 1);
	default: return fits(node, 0) || fits(node, 1);
	}
}

static int fits_host(const struct node *node, int destination)
{
	unsigned type = ether_type(), offset = link_size();

	if (type == ETH_P_IP && (node->protocol == ANY || node->protocol == IP))
		offset += destination ? 16 : 12;
	else if ((type == ETH_P_ARP && (node->protocol == ANY || node->protocol == ARP)) ||
		 (type == ETH_P_RARP && (node->protocol == ANY || node->protocol == RARP)))
		offset += destination ? 24 : 14;
	else
		return 0;
	return (load(offset, 4) & node->last) == node->first;
}

static int fits_port(const struct node *node, int destination)
{
	unsigned type = ether_type(), ip = link_size(), offset;
	unsigned wanted = protocols[node->protocol].ip_protocol, protocol;

	if (type == ETH_P_IP) {
		protocol = load(ip + 9, 1);
		if (load(ip + 6, 2) & 0x1fff)
			return 0;
		offset = ip + (load(ip, 1) & 15) * 4;
	} else if (type == ETH_P_IPV6) {
		protocol = load(ip + 6, 1);
		offset = ip + 40;
	} else
		return 0;
	if (wanted ? protocol != wanted : protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != 132)
		return 0;
	unsigned port = load(offset + (destination ? 2 : 0), 2);
	return port >= node->first && port <= node->last;
}

static int fits_ether(const struct node *node, int destination)
{
	if (packet->link != LINK_ETHERNET)
		return 0;
	if (packet->captured < 12)
		return beyond = 1, 0;
	return !memcmp(packet->bytes + (destination ? 0 : 6), node->ether, 6);
}

/* Where a protocol's header begins; 0 in `is` if the packet has none. */
static unsigned header_of(enum protocol protocol, int *is)
{
	unsigned ip = link_size();

	*is = 1;
	if (protocol == ETHER)
		return 0;
	*is = is_protocol(protocol);
	if (protocols[protocol].ether_type || !*is)
		return ip;
	if (ether_type() != ETH_P_IP || load(ip + 6, 2) & 0x1fff)
		*is = 0;
	return ip + (load(ip, 1) & 15) * 4;
}

/* The value of a number's node; `is` becomes 0 if the packet lacks the header that is asked about. */
static unsigned value_of(int index, int *is)
{
	const struct node *node = &filter_nodes[index];
	int is_there;

	switch (node->kind) {
	case NUMBER: return node->first;
	case LENGTH: return packet->length;
	case LOAD: {
		unsigned header = header_of(node->protocol, &is_there), offset = value_of(node->left, is);
		*is &= is_there;
		return *is ? load((unsigned long)header + offset, node->first) : 0;
	}
	default: break;
	}
	unsigned left = value_of(node->left, is), right = value_of(node->right, is);
	switch (node->operator) {
	case '+': return left + right;
	case '-': return left - right;
	case '*': return left * right;
	case '/': return right ? left / right : (beyond = 1, 0);
	case '&': return left & right;
	default: return left | right;
	}
}

static int fits_relation(const struct node *node)
{
	int is = 1;
	unsigned left = value_of(node->left, &is), right = is ? value_of(node->right, &is) : 0;

	if (!is)
		return 0;
	switch (node->operator) {
	case '=': return left == right;
	case 'n': return left != right;
	case '<': return left < right;
	case '>': return left > right;
	case 'l': return left <= right;
	default: return left >= right;
	}
}

static int fits(int index)
{
	const struct node *node = &filter_nodes[index];

	if (beyond)
		return 0;
	switch (node->kind) {
	case AND: return fits(node->left) && fits(node->right);
	case OR: return fits(node->left) || fits(node->right);
	case NOT: return !fits(node->left);
	case PROTOCOL: return is_protocol(node->protocol);
	case IP_PROTOCOL: return (node->protocol == ANY || is_protocol(node->protocol)) && has_ip_protocol(node->first);
	case ETHER_TYPE: return ether_type() == node->first;
	case HOST: return join(node->direction, fits_host, node);
	case PORT: return join(node->direction, fits_port, node);
	case ETHER_HOST: return join(node->direction, fits_ether, node);
	case MULTICAST: return packet->link == LINK_ETHERNET && load(0, 1) & 1;
	case IP_MULTICAST: return ether_type() == ETH_P_IP && load(link_size() + 16, 1) >= 224;
	case LESS: return packet->length <= node->first;
	case GREATER: return packet->length >= node->first;
	default: return fits_relation(node);
	}
}

int fits_filter(const struct packet *which)
{
	packet = which;
	beyond = 0;
	return filter_root < 0 || (fits(filter_root) && !beyond);
}
