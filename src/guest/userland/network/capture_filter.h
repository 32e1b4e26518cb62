/* A filter between its parts: capture_filter.c makes it of a text, capture_match.c holds packets against it. */
#pragma once
#include "capture.h"

enum direction { EITHER, SOURCE, DESTINATION, BOTH };
enum protocol { ANY, ETHER, IP, ARP, RARP, IP6, TCP, UDP, ICMP };
enum kind {
	/* conditions */
	AND, OR, NOT, PROTOCOL, IP_PROTOCOL, ETHER_TYPE, HOST, PORT, ETHER_HOST, MULTICAST, IP_MULTICAST, LESS, GREATER, RELATION,
	/* numbers */
	NUMBER, LENGTH, LOAD, OPERATION,
};

struct node {
	enum kind kind;
	int left, right;                 /* nodes */
	enum protocol protocol;
	enum direction direction;
	unsigned first, last;            /* HOST: address and mask; PORT: the range; others: a number, LOAD: its size */
	char operator;                   /* RELATION, OPERATION: l and g are <= and >=, n is != */
	unsigned char ether[6];
};

/* The filter: a tree, of which the root is a condition; below 0 if every packet fits. */
extern struct node filter_nodes[];
extern int filter_root;

enum { PROTOCOLS = ICMP + 1 };
extern const struct protocol_facts {
	const char *name;
	unsigned ether_type, ip_protocol; /* 0 where the other one says what it is */
} protocols[PROTOCOLS];
