/* route and arp: the tables of routes and neighbours as net-tools shows them, from /proc/net, and sets them, by ioctl(). */
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *host_text(struct in_addr address, int numeric, const char *any)
{
	struct hostent *found;

	if (!address.s_addr && !numeric)
		return any;
	found = numeric ? 0 : gethostbyaddr(&address, 4, AF_INET);
	return found ? found->h_name : inet_ntoa(address);
}

/* ---- Routes ---- */

static int show_routes(int numeric)
{
	FILE *file = fopen("/proc/net/route", "r");
	char line[256];

	if (!file)
		return warn_file("/proc/net/route");
	puts("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface");
	while (fgets(line, sizeof line, file)) {
		char *rest = line, *fields[11];
		int count = 0;
		for (char *field; count < 11 && (field = strsep(&rest, " \t\n"));)
			if (*field)
				fields[count++] = field;
		if (count < 11 || !strcmp(fields[0], "Iface"))
			continue;
		struct in_addr to = { strtoul(fields[1], 0, 16) }, gateway = { strtoul(fields[2], 0, 16) }, mask = { strtoul(fields[7], 0, 16) };
		unsigned flags = strtoul(fields[3], 0, 16);
		char letters[8], *end = letters;
		if (flags & RTF_REJECT)
			*end++ = '!';
		else if (flags & RTF_UP)
			*end++ = 'U';
		if (flags & RTF_GATEWAY)
			*end++ = 'G';
		if (flags & RTF_HOST)
			*end++ = 'H';
		*end = 0;
		printf("%-15.15s ", host_text(to, numeric, "default"));
		printf("%-15.15s ", host_text(gateway, numeric, "0.0.0.0"));
		printf("%-15.15s %-5s %-6s %-2s %7s %s\n", inet_ntoa(mask), letters, fields[6], fields[4], fields[5], fields[0]);
	}
	fclose(file);
	return 0;
}

static void set_name(struct sockaddr *to, struct in_addr address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = address };
	memcpy(to, &name, sizeof name);
}

static int change_routes(int remove, char **words)
{
	struct rtentry route = { .rt_flags = RTF_UP };
	struct in_addr to, gateway, mask = { 0 };
	int length = -1, is_host = 0;
	char *slash;

	if (*words && (!strcmp(*words, "-net") || !strcmp(*words, "-host")))
		is_host = *(*words++ + 1) == 'h';
	if (!*words)
		return warn_text("a destination is missing");
	if ((slash = strchr(*words, '/'))) {
		*slash = 0;
		if ((length = parse_number(slash + 1, 0, 32)) < 0)
			return warn_text("%s: no length of a prefix", slash + 1);
	}
	if (!strcmp(*words, "default"))
		to.s_addr = 0, length = 0;
	else if (find_host(*words, &to) < 0)
		return 1;
	for (words++; *words; words += 2) {
		if (!words[1] && strchr(*words, '.') == 0 && strcmp(*words, "gw") && strcmp(*words, "netmask") && strcmp(*words, "dev") && strcmp(*words, "metric")) {
			route.rt_dev = *words; /* the device may stand alone at the end */
			break;
		}
		if (!words[1])
			return warn_text("%s: its argument is missing", *words);
		if (!strcmp(*words, "gw")) {
			if (find_host(words[1], &gateway) < 0)
				return 1;
			route.rt_flags |= RTF_GATEWAY;
			set_name(&route.rt_gateway, gateway);
		} else if (!strcmp(*words, "netmask")) {
			if (inet_pton(AF_INET, words[1], &mask) != 1)
				return warn_text("%s: no mask", words[1]);
			for (length = 0; length < 32 && ntohl(mask.s_addr) << length >> 31; length++)
				;
		} else if (!strcmp(*words, "dev"))
			route.rt_dev = words[1];
		else if (!strcmp(*words, "metric"))
			route.rt_metric = atoi(words[1]) + 1;
		else
			return warn_text("%s: not understood", *words);
	}
	if (is_host || length < 0) {
		length = 32;
		route.rt_flags |= RTF_HOST;
	}
	mask.s_addr = htonl(length ? ~0u << (32 - length) : 0);
	set_name(&route.rt_dst, to);
	set_name(&route.rt_genmask, mask);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, remove ? SIOCDELRT : SIOCADDRT, &route) < 0) {
		fprintf(stderr, "%s: %s\n", remove ? "SIOCDELRT" : "SIOCADDRT", strerror(errno));
		return 7;
	}
	return 0;
}

int route_main(int argc, char **argv)
{
	int numeric = argc > 1 && !strcmp(argv[1], "-n");
	char **words = argv + 1 + numeric;

	(void)argc;
	if (!*words)
		return show_routes(numeric);
	if (!strcmp(*words, "add") || !strcmp(*words, "del"))
		return change_routes(**words == 'd', words + 1);
	return usage("[-n] [(add | del) [-net | -host] (TARGET[/LENGTH] | default) [netmask MASK] [gw GATEWAY] [metric N] [[dev] INTERFACE]]");
}

/* ---- Neighbours ---- */

static int show_neighbours(int numeric, const char *only)
{
	FILE *file = fopen("/proc/net/arp", "r");
	char line[256];
	int any = 0;

	if (!file)
		return warn_file("/proc/net/arp");
	while (fgets(line, sizeof line, file)) {
		char *rest = line, *fields[6];
		int count = 0;
		struct in_addr address;
		for (char *field; count < 6 && (field = strsep(&rest, " \t\n"));)
			if (*field)
				fields[count++] = field;
		if (count < 6 || inet_pton(AF_INET, fields[0], &address) != 1 || (only && strcmp(only, fields[0])))
			continue;
		unsigned flags = strtoul(fields[2], 0, 16);
		if (!any++)
			puts("Address                  HWtype  HWaddress           Flags Mask            Iface");
		printf("%-23.23s  ", host_text(address, numeric, "*"));
		if (flags & ATF_COM)
			printf("%-8s%-20s%-22s%s\n", strtoul(fields[1], 0, 16) == ARPHRD_ETHER ? "ether" : "?", fields[3], flags & ATF_PERM ? "CM" : "C", fields[5]);
		else
			printf("%-8s%-20s%-22s%s\n", "", "(incomplete)", "", fields[5]);
	}
	fclose(file);
	if (only && !any)
		printf("%s -- no entry\n", only);
	return only && !any;
}

static int change_neighbour(const char *host, const char *mac)
{
	struct arpreq entry = { .arp_flags = ATF_COM | ATF_PERM, .arp_ha = { .sa_family = ARPHRD_ETHER } };
	struct in_addr address;

	if (find_host(host, &address) < 0)
		return 1;
	set_name(&entry.arp_pa, address);
	const char *at = mac;
	for (int i = 0; mac && i < 6; i++) {
		char *end;
		unsigned long value = strtoul(at, &end, 16);
		if (end == at || value > 255 || *end != (i < 5 ? ':' : 0))
			return warn_text("invalid hardware address");
		entry.arp_ha.sa_data[i] = value;
		at = end + 1;
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, mac ? SIOCSARP : SIOCDARP, &entry) < 0) {
		fprintf(stderr, "%s: %s\n", mac ? "SIOCSARP" : "SIOCDARP", strerror(errno));
		return 255;
	}
	return 0;
}

int arp_main(int argc, char **argv)
{
	int option, numeric = 0, action = 0;

	while ((option = getopt(argc, argv, "nads")) != -1)
		if (option == 'n')
			numeric = 1;
		else if (option == 'd' || option == 's')
			action = option;
		else if (option != 'a')
			action = '?';
	int left = argc - optind;
	if (action == 'd' && left == 1)
		return change_neighbour(argv[optind], 0);
	if (action == 's' && left == 2)
		return change_neighbour(argv[optind], argv[optind + 1]);
	if (action || left > 1)
		return usage("[-n] [HOST] | -d HOST | -s HOST MAC");
	return show_neighbours(numeric, left ? argv[optind] : 0);
}
