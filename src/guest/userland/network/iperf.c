/* iperf: how many bytes a second get through, as version 2 measures it; a server of that version takes this client, and the other way round. */
#include "iperf.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USUAL_PORT = 5001, TCP_SIZE = 128 << 10, UDP_SIZE = 1470, MOST_SIZE = 4 << 20, MOST_DATAGRAM = 65507, MOST_STREAMS = 64 };

/* "10m" is 10 000 000, "10M" is 10 × 2^20; below 0 for what is no amount. */
static double parse_amount(const char *text)
{
	static const struct {
		char letter;
		double factor;
	} units[] = { { 0, 1 }, { 'k', 1e3 }, { 'm', 1e6 }, { 'g', 1e9 }, { 'K', 1024 }, { 'M', 1048576 }, { 'G', 1073741824 } };
	char *end;
	double value = strtod(text, &end);

	for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++)
		if (*end == units[i].letter && (!*end || !end[1]))
			return value * units[i].factor;
	return -1;
}

int iperf_main(int argc, char **argv)
{
	const char *syntax = "(-s | -c HOST) [-u1] [-p PORT] [-t SECONDS] [-i SECONDS] [-n BYTES] [-l BYTES] [-b BITS] [-P STREAMS] [-B ADDRESS]";
	struct test test = { .at = { .sin_family = AF_INET }, .streams = 1, .duration_us = 10000000, .rate = 1048576, .timeout_ms = 30000 };
	int option, server = 0, port = USUAL_PORT;
	double size = 0;

	while ((option = getopt(argc, argv, "sc:u1p:t:i:n:l:b:P:B:")) != -1) {
		double value = option == 't' || option == 'i' ? parse_seconds(optarg) : strchr("nlb", option) ? parse_amount(optarg) : 0;
		if (value < 0 || value > 1e15)
			return warn_text("%s: not understood", optarg);
		switch (option) {
		case 's': server = 1; break;
		case 'c': test.host = optarg; break;
		case 'u': test.udp = 1; break;
		case '1': test.once = 1; break;
		case 'p':
			if ((port = find_port(optarg)) < 0)
				return 1;
			break;
		case 't': test.duration_us = value * 1e6; break;
		case 'i': test.interval_us = value * 1e6; break;
		case 'n': test.bytes = value; break;
		case 'l': size = value; break;
		case 'b': test.rate = value > 0 ? value : test.rate; break;
		case 'P':
			if ((test.streams = parse_number(optarg, 1, MOST_STREAMS)) < 0)
				return warn_text("%s: streams are 1 to %d", optarg, MOST_STREAMS);
			break;
		case 'B':
			if (find_host(optarg, &test.at.sin_addr) < 0)
				return 1;
			break;
		default: return usage(syntax);
		}
	}
	if (optind != argc || server == (test.host != 0))
		return usage(syntax);
	test.size = size >= 1 ? (size > MOST_SIZE ? MOST_SIZE : size) : test.udp ? UDP_SIZE : TCP_SIZE;
	if (test.udp && test.size > MOST_DATAGRAM)
		test.size = MOST_DATAGRAM;
	if (test.interval_us && test.interval_us < 5000)
		test.interval_us = 5000;
	if (test.udp)
		test.streams = 1;
	test.at.sin_port = htons(port);
	if (test.host && find_host(test.host, &test.at.sin_addr) < 0)
		return 1;
	return server ? (test.udp ? udp_server(&test) : tcp_server(&test)) : test.udp ? udp_client(&test) : tcp_client(&test);
}
