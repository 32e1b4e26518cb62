/*
 * tcpdump's parts: tcpdump.c takes packets from an interface or a file and says what to do with them, capture_file.c is the pcap format,
 * capture_filter.c reads the filter language and capture_match.c holds packets against it, capture_print.c prints Ethernet, ARP, IP, ICMP
 * and UDP, capture_tcp.c prints TCP.
 *
 * A packet's bytes are a stranger's: everything is read within `captured`, whatever the lengths in it promise.
 */
#pragma once
#include "network.h"

enum { LINK_ETHERNET = 1, LINK_RAW = 101, MOST_CAPTURED = 262144 };

struct packet {
	const unsigned char *bytes;
	unsigned captured, length; /* bytes there are here, and were on the wire */
	long seconds;
	unsigned microseconds;
	int link; /* LINK_… */
};

/* ---- Files ---- */
struct capture_file {
	FILE *file;
	int swapped, nanoseconds, link; /* of the file */
	unsigned limit; /* its snapshot length */
	unsigned char *buffer;
};
int open_capture(struct capture_file *file, const char *path); /* -1 after a message */
int read_packet(struct capture_file *file, struct packet *packet); /* 1, 0 at the end, -1 after a message */
FILE *create_capture(const char *path, int link, unsigned limit); /* 0 after a message */
void write_packet(FILE *file, const struct packet *packet);

/* ---- Filters ---- */
/* Makes a filter of a text; -1 after a message.  The empty text fits every packet. */
int compile_filter(const char *text);
int fits_filter(const struct packet *packet);

/* ---- Printing ---- */
struct print_options {
	int numeric, link_header, verbose, brief, hex, ascii, absolute; /* hex and ascii: 2 with the link header */
	int time_style;
};
extern struct print_options print_options;
void print_packet(const struct packet *packet, const char *interface);

/* A view of bytes while they are taken apart: those there are, and how many it claims to have had. */
struct view {
	const unsigned char *bytes;
	unsigned captured, length;
};
struct view inside(struct view view, unsigned skipped); /* what comes after so many bytes */
struct view shortened(struct view view, unsigned length); /* without what comes after so many */
const char *host_name(const unsigned char address[4]); /* good until the eighth next call */
const char *port_name(unsigned port, const char *protocol);
/* The checksum over a pseudo header and all of a view; 0 if it is right, -1 if not all of it is here. */
int transport_checksum(const unsigned char *ip, unsigned protocol, struct view segment);
void print_tcp(const unsigned char *ip, struct view segment, int fragment);
