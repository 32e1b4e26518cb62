#pragma once
struct sysinfo {
	long uptime;
	unsigned long loads[3]; /* 1, 5 and 15 minutes, scaled by 65536 */
	unsigned long totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	unsigned short procs, pad;
	unsigned long totalhigh, freehigh;
	unsigned mem_unit;
};

int sysinfo(struct sysinfo *to);
