/** Orders of SIOCETHTOOL (linux/ethtool.h) that there are. */
export const ETHTOOL = {
  GDRVINFO: 3,
  GLINK: 0x0a,
  GCOALESCE: 0x0e,
  SCOALESCE: 0x0f,
  GRINGPARAM: 0x10,
  GSTRINGS: 0x1b,
  GSTATS: 0x1d,
  GSSET_INFO: 0x37,
  GLINKSETTINGS: 0x4c,
} as const;

/** No answer is longer: names of 100 counters, and what stands before them. */
export const ETHTOOL_BYTES_MAX = 12 + 32 * 100;
