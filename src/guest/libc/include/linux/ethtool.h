/* What a driver tells of itself: the orders of SIOCETHTOOL that are used here. */
#pragma once
#include <stdint.h>

#define ETHTOOL_GDRVINFO 3
#define ETHTOOL_GSTRINGS 0x1b
#define ETHTOOL_GSTATS 0x1d
#define ETH_SS_STATS 1
#define ETH_GSTRING_LEN 32

struct ethtool_drvinfo {
	uint32_t cmd;
	char driver[32], version[32], fw_version[32], bus_info[32], erom_version[32], reserved2[12];
	uint32_t n_priv_flags, n_stats, testinfo_len, eedump_len, regdump_len;
};
struct ethtool_gstrings {
	uint32_t cmd, string_set, len;
	uint8_t data[];
};
struct ethtool_stats {
	uint32_t cmd, n_stats;
	uint64_t data[];
};
