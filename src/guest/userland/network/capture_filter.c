/*
 * tcpdump's filter language, a subset (pcap-filter(7)):
 *
 *   expression  = term { (and | or) term }           "and" and "or" bind equally, from the left
 *   term        = not term | ( expression ) | primitive
 *   primitive   = [protocol] [src | dst | src or dst | src and dst] [host | net | port | portrange] name
 *               | protocol [proto number] | ether [src | dst] host address | broadcast | multicast | less n | greater n
 *               | arithmetic (= | != | < | > | <= | >=) arithmetic
 *   arithmetic  = numbers, len, protocol[offset] and protocol[offset:size], + - * / & | and parentheses
 *
 * A name alone takes what came before the last one: "port 80 or 443".
 */
#include "capture_filter.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 400, MOST_DEPTH = 60 };

struct node filter_nodes[MOST_NODES];
int filter_root = -1;
static int count;

const struct protocol_facts protocols[PROTOCOLS] = {
	[ANY] = { "", 0, 0 },
	[ETHER] = { "ether", 0, 0 },
	[IP] = { "ip", ETH_P_IP, 0 },
	[ARP] = { "arp", ETH_P_ARP, 0 },
	[RARP] = { "rarp", ETH_P_RARP, 0 },
	[IP6] = { "ip6", ETH_P_IPV6, 0 },
	[TCP] = { "tcp", 0, IPPROTO_TCP },
	[UDP] = { "udp", 0, IPPROTO_UDP },
	[ICMP] = { "icmp", 0, IPPROTO_ICMP },
};

static const struct {
	const char *name;
	unsigned value;
} constants[] = {
	{ "tcp-fin", 1 },  { "tcp-syn", 2 },  { "tcp-rst", 4 },   { "tcp-push", 8 },  { "tcp-ack", 16 },       { "tcp-urg", 32 },   { "tcp-ece", 64 },
	{ "tcp-cwr", 128 }, { "tcpflags", 13 }, { "icmptype", 0 }, { "icmpcode", 1 }, { "icmp-echoreply", 0 }, { "icmp-unreach", 3 },
	{ "icmp-redirect", 5 }, { "icmp-echo", 8 }, { "icmp-timxceed", 11 },
};

/* ---- Words ---- */

static const char *at;          /* what is next in the text */
static char word[128];          /* the word that is next; "" at the end */
static int brackets, depth, failed, trying;

static int fail(const char *what)
{
	if (!failed && !trying)
		warn_text("syntax error in filter expression: %s%s%s", what, *word ? " at " : "", word);
	failed = 1;
	return -1;
}

/* Letters, digits and what addresses, names and ranges are made of; in brackets a colon or a minus stands for itself. */
static int belongs(int c)
{
	return isalnum(c) || c == '_' || c == '.' || (!brackets && (c == '-' || c == ':' || c == '/'));
}

static void next_word(void)
{
	static const char *const pairs[] = { "&&", "||", "!=", "==", "<=", ">=", "<<", ">>" };
	size_t length = 0;

	while (isspace((unsigned char)*at))
		at++;
	if (*at == '\\')
		at++;
	if (isalnum((unsigned char)*at))
		while (belongs((unsigned char)at[length]))
			length++;
	else if (*at)
		length = 1;
	for (size_t i = 0; length == 1 && i < sizeof pairs / sizeof *pairs; i++)
		if (!strncmp(at, pairs[i], 2)) {
			length = 2;
			break;
		}
	if (length >= sizeof word) {
		fail("a word is too long");
		length = 0;
		at = "";
	}
	memcpy(word, at, length);
	word[length] = 0;
	at += length;
}

static int take(const char *wanted)
{
	if (strcmp(word, wanted))
		return 0;
	next_word();
	return 1;
}

static int is_and(void) { return !strcmp(word, "and") || !strcmp(word, "&&"); }
static int is_or(void) { return !strcmp(word, "or") || !strcmp(word, "||"); }

/* Whether the word is a name or a number rather than part of the language. */
static int is_name(void)
{
	static const char *const reserved[] = { "and", "or", "not", "src", "dst", "host", "net", "port", "portrange", "proto", "mask",
						"broadcast", "multicast", "less", "greater", "len" };

	if (!isalnum((unsigned char)*word))
		return 0;
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (!strcmp(word, reserved[i]))
			return 0;
	for (int i = ETHER; i < PROTOCOLS; i++)
		if (!strcmp(word, protocols[i].name))
			return 0;
	return 1;
}

static int add(struct node node)
{
	if (count == MOST_NODES)
		return fail("it is too long");
	filter_nodes[count] = node;
	return count++;
}

static int take_number(unsigned *value)
{
	char *end;

	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (!strcmp(word, constants[i].name)) {
			*value = constants[i].value;
			next_word();
			return 1;
		}
	if (!isdigit((unsigned char)*word))
		return 0;
	*value = strtoul(word, &end, 0);
	if (*end)
		return 0;
	next_word();
	return 1;
}

/* ---- Arithmetic ---- */

static int parse_sum(void);

static int parse_protocol(enum protocol *protocol)
{
	for (int i = ETHER; i < PROTOCOLS; i++)
		if (take(protocols[i].name)) {
			*protocol = i;
			return 1;
		}
	return 0;
}

static int parse_factor(void)
{
	struct node node = { .kind = NUMBER };
	enum protocol protocol;

	if (take("(")) {
		if (++depth > MOST_DEPTH)
			return fail("it is too deep");
		int inner = parse_sum();
		depth--;
		return take(")") ? inner : fail("a parenthesis is open");
	}
	if (take("len"))
		return add((struct node){ .kind = LENGTH });
	if (take_number(&node.first))
		return add(node);
	if (!parse_protocol(&protocol) || strcmp(word, "["))
		return fail("a number is missing");
	brackets++;
	next_word();
	node = (struct node){ .kind = LOAD, .protocol = protocol, .first = 1, .left = parse_sum() };
	if (take(":") && (!take_number(&node.first) || (node.first != 1 && node.first != 2 && node.first != 4)))
		fail("a size is 1, 2 or 4");
	brackets--;
	if (!take("]"))
		return fail("a bracket is open");
	return failed ? -1 : add(node);
}

/* * and / before + and - before & before |. */
static int parse_level(int level)
{
	static const char *const operators[] = { "|", "&", "+-", "*/" };
	int left = level == 3 ? parse_factor() : parse_level(level + 1);

	while (!failed && *word && !word[1] && strchr(operators[level], *word)) {
		struct node node = { .kind = OPERATION, .operator= *word, .left = left };
		next_word();
		node.right = level == 3 ? parse_factor() : parse_level(level + 1);
		left = failed ? -1 : add(node);
	}
	return failed ? -1 : left;
}

static int parse_sum(void) { return parse_level(0); }

static char take_relation(void)
{
	static const struct {
		const char *word;
		char operator;
	} relations[] = { { "=", '=' }, { "==", '=' }, { "!=", 'n' }, { "<", '<' }, { ">", '>' }, { "<=", 'l' }, { ">=", 'g' } };

	for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
		if (take(relations[i].word))
			return relations[i].operator;
	return 0;
}

static int parse_relation(void)
{
	struct node node = { .kind = RELATION, .left = parse_sum() };

	if (failed)
		return -1;
	node.operator= take_relation();
	if (!node.operator)
		return fail("a comparison is missing");
	node.right = parse_sum();
	return failed ? -1 : add(node);
}

/* ---- Primitives ---- */

/* What stands before a name, and holds for the names after it. */
static struct qualifiers {
	enum protocol protocol;
	enum direction direction;
	enum { NONE, BY_HOST, BY_NET, BY_PORT, BY_RANGE, BY_NUMBER } what;
} last;

static int both(enum kind kind, int left, int right)
{
	return failed ? -1 : add((struct node){ .kind = kind, .left = left, .right = right });
}

static int parse_ether(const char *text, unsigned char to[6])
{
	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long value = strtoul(text, &end, 16);
		if (end == text || end - text > 2 || value > 255 || *end != (i < 5 ? ':' : 0))
			return -1;
		to[i] = value;
		text = end + 1;
	}
	return 0;
}

/* 10.1.2.0/24, 10.1.2 (the bytes that are there), 10.1.2.0 mask 255.255.255.0 */
static int parse_net(struct node *node)
{
	char *slash = strchr(word, '/');
	unsigned bytes[4] = { 0 };
	int parts = 0;

	if (slash)
		*slash = 0;
	for (char *text = word; parts < 4; text++) {
		char *end;
		unsigned long value = strtoul(text, &end, 10);
		if (end == text || end - text > 3 || value > 255 || (*end && *end != '.'))
			return fail("no network");
		bytes[parts++] = value;
		text = end;
		if (!*end)
			break;
	}
	node->first = bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
	long length = slash ? parse_number(slash + 1, 0, 32) : parts * 8;
	if (length < 0)
		return fail("no network");
	node->last = length ? ~0u << (32 - length) : 0;
	next_word();
	if (!slash && take("mask")) {
		struct in_addr mask;
		if (inet_pton(AF_INET, word, &mask) != 1)
			return fail("no mask");
		node->last = ntohl(mask.s_addr);
		next_word();
	}
	return node->first & ~node->last ? fail("non-network bits set") : add(*node);
}

static int parse_ports(struct node *node, int range)
{
	char *dash = range ? strchr(word, '-') : 0;

	if (dash)
		*dash = 0;
	int low = parse_port(word), high = dash ? parse_port(dash + 1) : low;
	if (low < 0 || high < 0)
		return fail("no port");
	node->first = low < high ? low : high;
	node->last = low < high ? high : low;
	next_word();
	return add(*node);
}

static int parse_name(struct qualifiers of)
{
	struct node node = { .kind = HOST, .protocol = of.protocol, .direction = of.direction, .last = ~0u };

	last = of;
	switch (of.what) {
	case BY_PORT:
	case BY_RANGE:
		if (of.protocol != ANY && of.protocol != TCP && of.protocol != UDP)
			return fail("these have no ports");
		node.kind = PORT;
		return parse_ports(&node, of.what == BY_RANGE);
	case BY_NUMBER:
		node.kind = of.protocol == ETHER ? ETHER_TYPE : IP_PROTOCOL;
		for (int i = IP; i < PROTOCOLS; i++)
			if (take(protocols[i].name)) {
				node.first = of.protocol == ETHER ? protocols[i].ether_type : protocols[i].ip_protocol;
				return add(node);
			}
		return take_number(&node.first) ? add(node) : fail("no protocol");
	default:
		break;
	}
	if (of.protocol >= IP6)
		return fail("these have no hosts");
	if (of.protocol == ETHER) {
		node.kind = ETHER_HOST;
		if (of.what == BY_NET || parse_ether(word, node.ether) < 0)
			return fail("no Ethernet address");
		next_word();
		return add(node);
	}
	if (of.what == BY_NET)
		return parse_net(&node);
	struct in_addr address;
	if (inet_pton(AF_INET, word, &address) != 1) {
		struct hostent *found = isdigit((unsigned char)*word) ? 0 : gethostbyname(word);
		if (!found)
			return fail("unknown host");
		memcpy(&address, found->h_addr, 4);
	}
	node.first = ntohl(address.s_addr);
	next_word();
	return add(node);
}

static int parse_expression(void);

static int parse_primitive(void)
{
	static const struct {
		const char *word;
		int what;
	} types[] = { { "host", BY_HOST }, { "net", BY_NET }, { "port", BY_PORT }, { "portrange", BY_RANGE }, { "proto", BY_NUMBER } };
	struct qualifiers of = { ANY, EITHER, NONE };
	const char *saved_at = at;
	char saved[sizeof word];
	int any = 0;
	unsigned number;

	if (take("broadcast"))
		return add((struct node){ .kind = ETHER_HOST, .direction = DESTINATION, .ether = { 255, 255, 255, 255, 255, 255 } });
	if (take("multicast"))
		return add((struct node){ .kind = MULTICAST });
	for (int greater = 0; greater < 2; greater++)
		if (take(greater ? "greater" : "less"))
			return take_number(&number) ? add((struct node){ .kind = greater ? GREATER : LESS, .first = number }) : fail("a number is missing");

	strcpy(saved, word);
	if (parse_protocol(&of.protocol)) {
		if (!strcmp(word, "[")) {
			strcpy(word, saved);
			at = saved_at;
			return parse_relation();
		}
		any = 1;
		if (of.protocol == ETHER || of.protocol == IP) {
			if (take("broadcast") && of.protocol == ETHER)
				return add((struct node){ .kind = ETHER_HOST, .direction = DESTINATION, .ether = { 255, 255, 255, 255, 255, 255 } });
			if (take("multicast"))
				return add((struct node){ .kind = of.protocol == ETHER ? MULTICAST : IP_MULTICAST });
		}
	}
	for (int source = 0; source < 2; source++)
		if (take(source ? "src" : "dst")) {
			of.direction = source ? SOURCE : DESTINATION;
			any = 1;
			saved_at = at;
			strcpy(saved, word);
			int joined = is_and() ? BOTH : is_or() ? EITHER : -1;
			if (joined >= 0) {
				next_word();
				if (take(source ? "dst" : "src"))
					of.direction = joined;
				else { /* it joins two conditions: "tcp src" can't stand alone, which comes out below */
					at = saved_at;
					strcpy(word, saved);
				}
			}
			break;
		}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (take(types[i].word)) {
			of.what = types[i].what;
			any = 1;
			break;
		}
	if (any && of.direction == EITHER && of.what == NONE && !is_name() && strcmp(word, "(")) {
		if (of.protocol == ETHER)
			return fail("ether what?");
		last = of;
		return add((struct node){ .kind = PROTOCOL, .protocol = of.protocol });
	}
	if (any && take("(")) {
		last = of;
		int inner = parse_expression();
		return take(")") ? inner : fail("a parenthesis is open");
	}
	if (any && of.what == BY_NUMBER)
		return parse_name(of);
	if (is_name()) {
		/* A number may begin a comparison: "2 = tcp[13]". */
		saved_at = at;
		strcpy(saved, word);
		if (!any && take_number(&number)) {
			int compares = *word && strchr("=!<>&|+-*/", *word) && !is_and() && !is_or();
			at = saved_at;
			strcpy(word, saved);
			if (compares)
				return parse_relation();
		}
		return parse_name(any ? of : last);
	}
	if (!strcmp(word, "len"))
		return parse_relation();
	return fail(*word ? "unexpected" : "it ends too soon");
}

static int parse_term(void)
{
	if (failed)
		return -1;
	if (++depth > MOST_DEPTH)
		return fail("it is too deep");
	int result;
	if (take("not") || take("!"))
		result = both(NOT, parse_term(), -1);
	else if (!strcmp(word, "(")) {
		/* A parenthesis holds a condition, or begins a comparison: the first is tried first. */
		const char *saved_at = at;
		int saved_count = count, was_trying = trying;
		struct qualifiers saved_last = last;
		trying = 1;
		next_word();
		result = parse_expression();
		int whole = !failed && take(")") && !(*word && strchr("=!<>&|+-*/", *word) && !is_and() && !is_or());
		trying = was_trying;
		if (!whole) {
			int first_failed = failed;
			failed = 0;
			at = saved_at;
			strcpy(word, "(");
			count = saved_count;
			last = saved_last;
			trying = 1;
			result = parse_relation();
			trying = was_trying;
			if (failed) { /* neither: said of the condition, which is the likelier one */
				failed = 0;
				at = saved_at;
				count = saved_count;
				next_word();
				result = parse_expression();
				if (!failed && !take(")"))
					result = fail(first_failed ? "unexpected" : "a parenthesis is open");
			}
		}
	} else
		result = parse_primitive();
	depth--;
	return failed ? -1 : result;
}

static int parse_expression(void)
{
	int left = parse_term();

	while (!failed && (is_and() || is_or())) {
		enum kind kind = is_and() ? AND : OR;
		next_word();
		left = both(kind, left, parse_term());
	}
	return failed ? -1 : left;
}

int compile_filter(const char *text)
{
	at = text;
	count = depth = brackets = failed = trying = 0;
	last = (struct qualifiers){ ANY, EITHER, NONE };
	filter_root = -1;
	next_word();
	if (!*word && !failed)
		return 0;
	filter_root = parse_expression();
	if (!failed && *word)
		fail("unexpected");
	return failed ? -1 : 0;
}
