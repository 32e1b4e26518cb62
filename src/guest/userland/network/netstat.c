/* netstat and ss: sockets, as they stand in /proc/net/tcp, udp and raw. */
#include "network.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int route_main(int argc, char **argv);

/* The states as Linux numbers them, in netstat's words and in those of ss. */
static const struct {
	const char *netstat, *ss;
} states[] = { { "", "" }, { "ESTABLISHED", "ESTAB" }, { "SYN_SENT", "SYN-SENT" }, { "SYN_RECV", "SYN-RECV" }, { "FIN_WAIT1", "FIN-WAIT-1" },
	       { "FIN_WAIT2", "FIN-WAIT-2" }, { "TIME_WAIT", "TIME-WAIT" }, { "CLOSE", "UNCONN" }, { "CLOSE_WAIT", "CLOSE-WAIT" }, { "LAST_ACK", "LAST-ACK" },
	       { "LISTEN", "LISTEN" }, { "CLOSING", "CLOSING" }, { "NEW_SYN_RECV", "SYN-RECV" } };
enum { STATES = sizeof states / sizeof *states, ESTABLISHED = 1, CLOSED = 7, LISTENING = 10 };

static int numeric, all, listening, style_ss;

static void endpoint(char *text, const char *protocol, char to[64])
{
	struct in_addr address = { strtoul(text, &text, 16) };
	unsigned port = *text == ':' ? strtoul(text + 1, 0, 16) : 0;
	char port_text[NI_MAXSERV] = "*", host[48];
	struct hostent *found = numeric || !address.s_addr ? 0 : gethostbyaddr(&address, 4, AF_INET);

	strlcpy(host, found ? found->h_name : inet_ntoa(address), sizeof host);
	if (port) {
		struct servent *service = numeric ? 0 : getservbyport(htons(port), protocol);
		service ? strlcpy(port_text, service->s_name, sizeof port_text) : (size_t)snprintf(port_text, sizeof port_text, "%u", port);
	}
	snprintf(to, 64, "%s:%.15s", host, port_text);
}

/* The sockets of one protocol; `several` tells ss to name it. */
static int show(const char *protocol, int several)
{
	char path[32], line[256];
	snprintf(path, sizeof path, "/proc/net/%s", protocol);
	FILE *file = fopen(path, "r");

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file)) {
		/* sl: local remote state tx:rx ... */
		char *rest = line, *fields[5], here[64], there[64];
		int count = 0, is_tcp = *protocol == 't';
		for (char *field; count < 5 && (field = strsep(&rest, " \t\n"));)
			if (*field)
				fields[count++] = field;
		if (count < 5 || !strchr(fields[0], ':') || !strchr(fields[1], ':'))
			continue;
		unsigned state = strtoul(fields[3], 0, 16), passive = is_tcp ? state == LISTENING : state == CLOSED;
		if (state >= STATES || (!all && (unsigned)listening != passive))
			continue;
		char *colon = strchr(fields[4], ':');
		unsigned long sending = strtoul(fields[4], 0, 16), receiving = colon ? strtoul(colon + 1, 0, 16) : 0;
		endpoint(fields[1], protocol, here);
		endpoint(fields[2], protocol, there);
		if (!style_ss)
			printf("%-5s %6lu %6lu %-23s %-23s %-11s\n", protocol, receiving, sending, here, there, is_tcp || state == ESTABLISHED ? states[state].netstat : "");
		else {
			if (several)
				printf("%-5s ", protocol);
			printf("%-10s %-6lu %-6lu %21s %21s\n", states[state].ss, receiving, sending, here, there);
		}
	}
	fclose(file);
	return 0;
}

static void read_options(int argc, char **argv, const char *options, int wanted[3], int *other)
{
	int option;

	while ((option = getopt(argc, argv, options)) != -1)
		switch (option) {
		case 't': wanted[0] = 1; break;
		case 'u': wanted[1] = 1; break;
		case 'w': wanted[2] = 1; break;
		case 'n': numeric = 1; break;
		case 'a': all = 1; break;
		case 'l': listening = 1; break;
		case '4': break;
		default: *other = option;
		}
	if (!wanted[0] && !wanted[1] && !wanted[2])
		wanted[0] = wanted[1] = wanted[2] = 1;
}

static const char *const protocols[] = { "tcp", "udp", "raw" };

static int show_interfaces(void)
{
	FILE *file = fopen("/proc/net/dev", "r");
	char line[512];

	if (!file)
		return warn_file("/proc/net/dev");
	puts("Kernel Interface table\nIface             RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR");
	while (fgets(line, sizeof line, file)) {
		char *name = line + strspn(line, " "), *at = strchr(name, ':');
		unsigned long c[16];
		if (!at)
			continue;
		*at++ = 0;
		for (int i = 0; i < 16; i++)
			c[i] = strtoul(at, &at, 10);
		printf("%-14s %8lu %6lu %6lu %6lu %8lu %6lu %6lu %6lu\n", name, c[1], c[2], c[3], c[4], c[9], c[10], c[11], c[12]);
	}
	fclose(file);
	return 0;
}

/* What /proc/net/snmp counts: pairs of lines, names and numbers. */
static int show_statistics(void)
{
	FILE *file = fopen("/proc/net/snmp", "r");
	char names[1024], values[1024];

	if (!file)
		return warn_file("/proc/net/snmp");
	while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
		char *name_rest = names, *value_rest = values, *name = strsep(&name_rest, " "), *value = strsep(&value_rest, " ");
		printf("%s\n", name);
		while ((name = strsep(&name_rest, " \n")) && (value = strsep(&value_rest, " \n")))
			if (*name && strcmp(value, "0"))
				printf("    %s: %s\n", name, value);
	}
	fclose(file);
	return 0;
}

int netstat_main(int argc, char **argv)
{
	int wanted[3] = { 0 }, other = 0;

	read_options(argc, argv, "tuwnalris4", wanted, &other);
	if (other == 'r')
		return route_main(1 + numeric, (char *[]){ "route", numeric ? "-n" : 0, 0 });
	if (other == 'i')
		return show_interfaces();
	if (other == 's')
		return show_statistics();
	if (other || optind != argc)
		return usage("[-tuwnal] | -r | -i | -s");
	printf("Active Internet connections (%s)\nProto Recv-Q Send-Q Local Address           Foreign Address         State      \n",
	       all ? "servers and established" : listening ? "only servers" : "w/o servers");
	for (int i = 0; i < 3; i++)
		if (wanted[i])
			show(protocols[i], 0);
	return 0;
}

int ss_main(int argc, char **argv)
{
	int wanted[3] = { 0 }, other = 0;

	style_ss = 1;
	read_options(argc, argv, "tuwnal4", wanted, &other);
	if (other || optind != argc)
		return usage("[-tuwnal]");
	int several = wanted[0] + wanted[1] + wanted[2] > 1;
	if (several)
		printf("Netid ");
	printf("State      Recv-Q Send-Q    Local Address:Port     Peer Address:Port\n");
	for (int i = 0; i < 3; i++)
		if (wanted[i])
			show(protocols[i], several);
	return 0;
}
