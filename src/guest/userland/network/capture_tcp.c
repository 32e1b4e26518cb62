/*
 * TCP as tcpdump prints it.  Numbers are counted from the first ones seen of a connection, in both directions; so that a flood of
 * connections stays bounded, a new one takes the place of whichever was at its place in the table.
 */
#include "capture.h"
#include <ctype.h>
#include <string.h>

enum { HEADER = 20, PLACES = 1024 };
enum { FIN = 1, SYN = 2, RST = 4, PUSH = 8, ACK = 16, URG = 32 };

static struct conversation {
	unsigned addresses[2];
	unsigned short ports[2];
	unsigned base[2]; /* the first numbers of both sides; side 0 has the smaller address, or port */
	int used;
} table[PLACES];

/* Where numbers count from: of the sender and of the receiver.  What begins a conversation is printed as it is. */
struct bases {
	unsigned sequence, acknowledgement;     /* to subtract now */
	unsigned of_sender, of_receiver;        /* the first ones of the conversation */
};

static struct bases find_bases(const unsigned char *ip, const unsigned char *tcp, unsigned flags)
{
	unsigned source = get32(ip + 12), destination = get32(ip + 16), sequence = get32(tcp + 4), acknowledgement = get32(tcp + 8);
	unsigned short from = get16(tcp), to = get16(tcp + 2);
	int side = source > destination || (source == destination && from > to); /* the sender's */
	unsigned addresses[2], hash;
	unsigned short ports[2];

	if (!(flags & ACK))
		return (struct bases){ 0 };
	addresses[side] = source, addresses[!side] = destination;
	ports[side] = from, ports[!side] = to;
	hash = (addresses[0] * 31 + addresses[1]) * 31 + ports[0] * 65537u + ports[1];
	struct conversation *it = &table[(hash ^ hash >> 16) % PLACES];
	int known = it->used && !memcmp(it->addresses, addresses, sizeof addresses) && !memcmp(it->ports, ports, sizeof ports);
	if (!known || flags & SYN) {
		it->used = 1;
		memcpy(it->addresses, addresses, sizeof addresses);
		memcpy(it->ports, ports, sizeof ports);
		it->base[side] = sequence;
		it->base[!side] = acknowledgement - 1;
		return (struct bases){ 0, 0, it->base[side], it->base[!side] };
	}
	return (struct bases){ it->base[side], it->base[!side], it->base[side], it->base[!side] };
}

/* One option: its size, 0 when it ends the list, -1 after a complaint that ends the line. */
static int print_option(const unsigned char *option, unsigned left, unsigned captured, const struct bases *bases)
{
	static const struct {
		const char *name;
		unsigned size;
	} known[] = { [2] = { "mss", 4 }, [3] = { "wscale", 3 }, [4] = { "sackOK", 2 }, [5] = { "sack", 0 }, [8] = { "TS", 10 } };
	unsigned kind = option[0], size = left > 1 && captured > 1 ? option[1] : 0;
	int is_known = kind < sizeof known / sizeof *known && known[kind].name;

	if (kind < 2) {
		printf(kind ? "nop" : "eol");
		return kind;
	}
	if (captured < 2 && left > 1) {
		printf(" [|tcp]>");
		return -1;
	}
	if (size < 2 || size > left) {
		printf("[bad opt]");
		return -1;
	}
	if (is_known)
		printf("%s", known[kind].name);
	else
		printf("unknown-%u", kind);
	if (size > captured) {
		printf(" [|tcp]>");
		return -1;
	}
	if (is_known && known[kind].size && size < known[kind].size) {
		printf("[bad opt]");
		return -1;
	}
	switch (kind) {
	case 2: printf(" %u", get16(option + 2)); break;
	case 3: printf(" %u", option[2]); break;
	case 5:
		printf(" %u ", (size - 2) / 8);
		for (unsigned at = 2; at + 8 <= size; at += 8)
			printf("{%u:%u}", get32(option + at) - bases->of_receiver, get32(option + at + 4) - bases->of_receiver);
		break;
	case 8: printf(" val %u ecr %u", get32(option + 2), get32(option + 6)); break;
	default:
		if (!is_known && size > 2) {
			printf(" 0x");
			for (unsigned at = 2; at < size; at++)
				printf("%02x", option[at]);
		}
	}
	if (is_known && known[kind].size && size != known[kind].size)
		printf("[len %u]", size);
	return size;
}

/* -1 after a complaint. */
static int print_options_of(const unsigned char *options, unsigned size, unsigned captured, const struct bases *bases)
{
	unsigned at = 0;
	int step = 1;

	printf(", options [");
	for (; at < size && step > 0; at += step) {
		if (at)
			putchar(',');
		if (at >= captured) {
			printf(" [|tcp]>");
			return -1;
		}
		step = print_option(options + at, size - at, captured - at, bases);
		if (step < 0)
			return -1;
	}
	putchar(']');
	return 0;
}

/* A line of text, up to its end or the view's: bytes taken, 0 if it is not text. */
static unsigned print_line(const char *before, struct view text)
{
	for (unsigned at = 0; at < text.captured; at++) {
		int c = text.bytes[at], last = at + 1 == text.captured;
		if (c == '\n' || (c == '\r' && !last && text.bytes[at + 1] == '\n')) {
			printf("%s%.*s", before, (int)at, text.bytes);
			return at + (c == '\n' ? 1 : 2);
		}
		if (c == '\r' && last)
			break;
		if ((!isprint(c) && c != '\t'))
			return 0;
	}
	printf("%s%.*s", before, (int)text.captured, text.bytes);
	return text.captured;
}

/* The first line of a request or an answer; with -v all lines until one is no text. */
static void print_http(struct view text)
{
	static const char *const methods[] = { "GET", "PUT", "COPY", "HEAD", "LOCK", "MOVE", "POLL", "POST", "BCOPY", "BMOVE", "MKCOL",
					       "TRACE", "LABEL", "MERGE", "DELETE", "SEARCH", "UNLOCK", "REPORT", "UPDATE", "NOTIFY", "BDELETE",
					       "CONNECT", "OPTIONS", "CHECKIN", "PROPFIND" };
	unsigned first = 0;
	int is_head = 0;

	while (first < text.captured && isgraph(text.bytes[first]))
		first++;
	for (size_t i = 0; first && i < sizeof methods / sizeof *methods; i++)
		is_head |= strlen(methods[i]) == first && !strncasecmp((const char *)text.bytes, methods[i], first);
	unsigned code = first;
	while (code < text.captured && isspace(text.bytes[code]))
		code++;
	if (!is_head && first && code > first && code + 3 <= text.captured)
		is_head = isdigit(text.bytes[code]) && isdigit(text.bytes[code + 1]) && isdigit(text.bytes[code + 2]) &&
			  (code + 3 == text.captured || !isgraph(text.bytes[code + 3]));
	printf(": HTTP");
	if (is_head && print_options.verbose) {
		printf(", length: %u", text.length);
		for (unsigned step; text.captured && (step = print_line("\n\t", text)); text = inside(text, step))
			;
	} else if (is_head)
		print_line(": ", text);
}

static int is_http(unsigned port)
{
	return port == 80 || port == 8080 || port == 3128;
}

void print_tcp(const unsigned char *ip, struct view segment, int fragment)
{
	const unsigned char *tcp = segment.bytes;

	if (segment.captured < 4) {
		printf("%s > %s: [|tcp]", host_name(ip + 12), host_name(ip + 16));
		return;
	}
	unsigned from = get16(tcp), to = get16(tcp + 2);
	printf("%s.%s > %s.%s: ", host_name(ip + 12), port_name(from, "tcp"), host_name(ip + 16), port_name(to, "tcp"));
	if (segment.captured < HEADER) {
		printf(" [|tcp]");
		return;
	}
	unsigned size = (tcp[12] >> 4) * 4, flags = tcp[13];
	if (size < HEADER) {
		printf(" tcp %u [bad hdr length %u - too short, < %d]", segment.length - size, size, HEADER);
		return;
	}
	if (print_options.brief) {
		printf("tcp %u", segment.length - size);
		if (size > segment.length)
			printf(" [bad hdr length %u - too long, > %u]", size, segment.length);
		return;
	}
	static const char letters[] = "FSRP.UEW";
	char text[9] = "", *end = text;
	for (int i = 0; i < 8; i++)
		if (flags >> i & 1)
			*end++ = letters[i];
	*end = 0;
	printf("Flags [%s]", *text ? text : "none");
	struct bases bases = print_options.absolute ? (struct bases){ 0 } : find_bases(ip, tcp, flags);
	if (size > segment.length) {
		printf(" [bad hdr length %u - too long, > %u]", size, segment.length);
		return;
	}
	int sum = print_options.verbose && !fragment ? transport_checksum(ip, IPPROTO_TCP, segment) : -1;
	if (sum >= 0) {
		printf(", cksum 0x%04x", get16(tcp + 16));
		if (sum)
			printf(" (incorrect -> 0x%04x)", checksum_end(checksum_add(~get16(tcp + 16) & 0xffff, (unsigned char[]){ ~sum >> 8, ~sum }, 2)));
		else
			printf(" (correct)");
	}
	unsigned length = segment.length - size, sequence = get32(tcp + 4) - bases.sequence;
	if (print_options.verbose > 1 || length || flags & (SYN | FIN | RST)) {
		printf(", seq %u", sequence);
		if (length)
			printf(":%u", sequence + length);
	}
	if (flags & ACK)
		printf(", ack %u", get32(tcp + 8) - bases.acknowledgement);
	printf(", win %u", get16(tcp + 14));
	if (flags & URG)
		printf(", urg %u", get16(tcp + 18));
	if (size > HEADER && print_options_of(tcp + HEADER, size - HEADER, segment.captured - HEADER, &bases) < 0)
		return;
	printf(", length %u", length);
	if (length && (is_http(from) || is_http(to)) && segment.captured > size)
		print_http(inside(segment, size));
}
