/* ethtool: who drives an interface (-i), and what its driver counts (-S). */
#include "network.h"
#include <errno.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MOST_COUNTERS = 4096 };

static int fd;
static struct ifreq about;

static int ask(void *order)
{
	about.ifr_data = order;
	return ioctl(fd, SIOCETHTOOL, &about);
}

static int show_driver(void)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };

	if (ask(&driver) < 0) {
		fprintf(stderr, "Cannot get driver information: %s\n", strerror(errno));
		return 71;
	}
	printf("driver: %.32s\nversion: %.32s\nfirmware-version: %.32s\nexpansion-rom-version: %.32s\nbus-info: %.32s\n", driver.driver, driver.version,
	       driver.fw_version, driver.erom_version, driver.bus_info);
	printf("supports-statistics: %s\nsupports-test: %s\nsupports-eeprom-access: %s\nsupports-register-dump: %s\nsupports-priv-flags: %s\n",
	       driver.n_stats ? "yes" : "no", driver.testinfo_len ? "yes" : "no", driver.eedump_len ? "yes" : "no", driver.regdump_len ? "yes" : "no",
	       driver.n_priv_flags ? "yes" : "no");
	return 0;
}

static int show_counters(void)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	unsigned count = ask(&driver) < 0 ? 0 : driver.n_stats;

	if (!count || count > MOST_COUNTERS) {
		fprintf(stderr, "no stats available\n");
		return 94;
	}
	/* The kernel fills as many as it has: room for as many as it said. */
	struct ethtool_gstrings *names = calloc(1, sizeof *names + count * ETH_GSTRING_LEN);
	struct ethtool_stats *values = calloc(1, sizeof *values + count * sizeof *values->data);
	if (!names || !values)
		return warn_text("no memory for %u counters", count);
	*names = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, count };
	*values = (struct ethtool_stats){ ETHTOOL_GSTATS, count };
	int status = ask(names) < 0 || ask(values) < 0;
	if (status)
		fprintf(stderr, "Cannot get stats information: %s\n", strerror(errno));
	else {
		printf("NIC statistics:\n");
		for (unsigned i = 0; i < count && i < names->len && i < values->n_stats; i++)
			printf("     %.*s: %lu\n", ETH_GSTRING_LEN, (char *)names->data + i * ETH_GSTRING_LEN, values->data[i]);
	}
	free(names);
	free(values);
	return status ? 96 : 0;
}

int ethtool_main(int argc, char **argv)
{
	const char *syntax = "(-i | -S) INTERFACE";
	int counts;

	if (argc != 3 || strlen(argv[2]) >= IFNAMSIZ)
		return usage(syntax);
	counts = !strcmp(argv[1], "-S") || !strcmp(argv[1], "--statistics");
	if (!counts && strcmp(argv[1], "-i") && strcmp(argv[1], "--driver"))
		return usage(syntax);
	strlcpy(about.ifr_name, argv[2], IFNAMSIZ);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return warn_file("socket");
	return counts ? show_counters() : show_driver();
}
