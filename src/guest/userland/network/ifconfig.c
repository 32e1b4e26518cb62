/* ifconfig: interfaces as net-tools shows and sets them, by ioctl(); the counters are those of /proc/net/dev. */
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_INTERFACES = 64 };

static int fd;

static int ask(const char *name, unsigned long request, struct ifreq *about)
{
	strlcpy(about->ifr_name, name, IFNAMSIZ);
	return ioctl(fd, request, about);
}

static const char *address_of(const struct sockaddr *name)
{
	return inet_ntoa(((const struct sockaddr_in *)name)->sin_addr);
}

static void print_flags(unsigned flags)
{
	static const char *const names[] = { "UP", "BROADCAST", "DEBUG", "LOOPBACK", "POINTOPOINT", "NOTRAILERS", "RUNNING", "NOARP", "PROMISC", "ALLMULTI" };
	int any = 0;

	printf("flags=%u<", flags & 0xffff);
	for (size_t bit = 0; bit < sizeof names / sizeof *names; bit++)
		if (flags >> bit & 1)
			printf("%s%s", any++ ? "," : "", names[bit]);
	if (flags & IFF_MULTICAST)
		printf("%sMULTICAST", any ? "," : "");
	putchar('>');
}

/* "12.3 KiB" */
static const char *amount(unsigned long bytes)
{
	static char text[32];
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = bytes;
	int unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
	return text;
}

static void print_counters(const char *name)
{
	FILE *file = fopen("/proc/net/dev", "r");
	char line[512];
	unsigned long c[16] = { 0 };
	int found = 0;

	while (file && !found && fgets(line, sizeof line, file)) {
		char *at = line + strspn(line, " "), *colon = strchr(at, ':');
		if (!colon)
			continue;
		*colon = 0;
		found = !strcmp(at, name);
		for (int i = 0; found && i < 16; i++)
			c[i] = strtoul(colon + 1, &at, 10), colon = at - 1;
	}
	if (file)
		fclose(file);
	if (!found)
		return;
	printf("        RX packets %lu  bytes %lu (%s)\n        RX errors %lu  dropped %lu  overruns %lu  frame %lu\n", c[1], c[0], amount(c[0]), c[2], c[3],
	       c[4], c[5]);
	printf("        TX packets %lu  bytes %lu (%s)\n        TX errors %lu  dropped %lu overruns %lu  carrier %lu  collisions %lu\n", c[9], c[8], amount(c[8]),
	       c[10], c[11], c[12], c[14], c[13]);
}

static int show(const char *name)
{
	struct ifreq about = { .ifr_ifindex = 0 };

	if (ask(name, SIOCGIFFLAGS, &about) < 0) {
		fprintf(stderr, "%s: error fetching interface information: Device not found\n", name);
		return 1;
	}
	unsigned flags = (unsigned short)about.ifr_flags;
	printf("%s: ", name);
	print_flags(flags);
	printf("  mtu %d\n", ask(name, SIOCGIFMTU, &about) < 0 ? 0 : about.ifr_mtu);
	if (ask(name, SIOCGIFADDR, &about) == 0) {
		printf("        inet %s", address_of(&about.ifr_addr));
		if (ask(name, SIOCGIFNETMASK, &about) == 0)
			printf("  netmask %s", address_of(&about.ifr_netmask));
		if (flags & IFF_BROADCAST && ask(name, SIOCGIFBRDADDR, &about) == 0)
			printf("  broadcast %s", address_of(&about.ifr_broadaddr));
		putchar('\n');
	}
	int queue = ask(name, SIOCGIFTXQLEN, &about) < 0 ? 0 : about.ifr_qlen;
	if (ask(name, SIOCGIFHWADDR, &about) == 0) {
		const unsigned char *mac = (unsigned char *)about.ifr_hwaddr.sa_data;
		if (about.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK)
			printf("        loop  txqueuelen %d  (Local Loopback)\n", queue);
		else if (about.ifr_hwaddr.sa_family == ARPHRD_ETHER)
			printf("        ether %02x:%02x:%02x:%02x:%02x:%02x  txqueuelen %d  (Ethernet)\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], queue);
		else
			printf("        unspec  txqueuelen %d  (UNSPEC)\n", queue);
	}
	print_counters(name);
	putchar('\n');
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of them that are up, or (-a) all: their names stand in /proc/net/dev. */
static int show_all(int down_too)
{
	FILE *file = fopen("/proc/net/dev", "r");
	char line[512], *names[MOST_INTERFACES];
	int count = 0;

	if (!file)
		return warn_file("/proc/net/dev");
	while (count < MOST_INTERFACES && fgets(line, sizeof line, file)) {
		char *at = line + strspn(line, " "), *colon = strchr(at, ':');
		struct ifreq about;
		if (!colon || colon - at >= IFNAMSIZ)
			continue;
		*colon = 0;
		if (ask(at, SIOCGIFFLAGS, &about) == 0 && (down_too || about.ifr_flags & IFF_UP))
			names[count++] = strdup(at);
	}
	fclose(file);
	qsort(names, count, sizeof *names, by_name);
	for (int i = 0; i < count; i++) {
		if (names[i])
			show(names[i]);
		free(names[i]);
	}
	return 0;
}

static int set_flags(const char *name, unsigned set, unsigned clear)
{
	struct ifreq about;

	if (ask(name, SIOCGIFFLAGS, &about) < 0)
		return -1;
	about.ifr_flags = (about.ifr_flags | set) & ~clear;
	return ask(name, SIOCSIFFLAGS, &about);
}

static int set_address(const char *name, unsigned long request, const char *text)
{
	struct ifreq about = { .ifr_ifindex = 0 };
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (find_host(text, &to.sin_addr) < 0)
		return -2;
	memcpy(&about.ifr_addr, &to, sizeof to);
	return ask(name, request, &about);
}

static int set_mac(const char *name, const char *text)
{
	struct ifreq about = { .ifr_hwaddr = { .sa_family = ARPHRD_ETHER } };

	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long value = strtoul(text, &end, 16);
		if (end == text || value > 255 || *end != (i < 5 ? ':' : 0)) {
			errno = EINVAL;
			return -1;
		}
		about.ifr_hwaddr.sa_data[i] = value;
		text = end + 1;
	}
	return ask(name, SIOCSIFHWADDR, &about);
}

/* One word after the name, with its argument: words taken, 0 if it is unknown, -1 with errno, -2 after a message. */
static int set(const char *name, char **words)
{
	static const struct {
		const char *word;
		unsigned set, clear;
	} flags[] = { { "up", IFF_UP, 0 }, { "down", 0, IFF_UP }, { "promisc", IFF_PROMISC, 0 }, { "-promisc", 0, IFF_PROMISC },
		      { "arp", 0, IFF_NOARP }, { "-arp", IFF_NOARP, 0 } };
	int result;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (!strcmp(*words, flags[i].word))
			return set_flags(name, flags[i].set, flags[i].clear) < 0 ? -1 : 1;
	if (!strcmp(*words, "netmask") && words[1])
		result = set_address(name, SIOCSIFNETMASK, words[1]);
	else if (!strcmp(*words, "broadcast") && words[1])
		result = set_address(name, SIOCSIFBRDADDR, words[1]);
	else if (!strcmp(*words, "mtu") && words[1]) {
		struct ifreq about = { .ifr_mtu = atoi(words[1]) };
		result = ask(name, SIOCSIFMTU, &about);
	} else if (!strcmp(*words, "hw") && words[1] && words[2])
		return set_mac(name, words[2]) < 0 ? -1 : 3;
	else {
		result = set_address(name, SIOCSIFADDR, *words);
		if (!result)
			result = set_flags(name, IFF_UP, 0);
		return result < 0 ? result : 1;
	}
	return result < 0 ? result : 2;
}

int ifconfig_main(int argc, char **argv)
{
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return warn_file("socket");
	if (argc < 2 || !strcmp(argv[1], "-a"))
		return show_all(argc > 1);
	if (*argv[1] == '-')
		return usage("[-a] [INTERFACE [ADDRESS] [netmask MASK] [broadcast ADDRESS] [mtu N] [hw ether MAC] [up | down]]");
	if (argc == 2)
		return show(argv[1]);
	for (int i = 2; i < argc;) {
		int taken = set(argv[1], argv + i);
		if (taken == -1)
			return warn_text("%s %s: %s", argv[1], argv[i], strerror(errno));
		if (taken < 0)
			return 1;
		i += taken;
	}
	return 0;
}
