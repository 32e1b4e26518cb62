/* What the kernel says of itself, limits, affinity and priority. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
	struct utsname names;
	cpu_set_t set;

	uname(&names);
	printf("%s on %s\n", names.sysname, names.machine);
	printf("page size %lu, ticks %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
	printf("sixteen random bytes: %d, program headers: %d\n", getauxval(AT_RANDOM) != 0, getauxval(AT_PHDR) != 0);
	printf("root: %d %d\n", getauxval(AT_UID) == getuid(), geteuid() == getuid());
	struct rlimit limit;
	printf("limits: %d %d\n", getrlimit(RLIMIT_STACK, &limit), limit.rlim_cur >= 1 << 20);
	struct sysinfo system;
	printf("sysinfo: %d %d\n", sysinfo(&system), system.totalram > system.freeram && system.procs > 0);

	printf("affinity: %d", sched_getaffinity(0, sizeof set, &set));
	int first = -1;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, &set))
			first = cpu;
	printf(" %d\n", first >= 0);
	CPU_ZERO(&set);
	CPU_SET(first, &set);
	printf("to one core: %d", sched_setaffinity(0, sizeof set, &set));
	sched_yield();
	printf(", which runs this: %d", sched_getcpu() == first);
	sched_getaffinity(0, sizeof set, &set);
	printf(", and nothing else: %d\n", CPU_ISSET(first, &set) && !CPU_ISSET(first + 1, &set));
	CPU_ZERO(&set);
	printf("to none: %d %s\n", sched_setaffinity(0, sizeof set, &set), strerror(errno));
	CPU_SET(0, &set);
	printf("of nobody: %d %s\n", sched_setaffinity(0x3ffffff, sizeof set, &set), strerror(errno));
	printf("priority %d", getpriority(PRIO_PROCESS, 0));
	printf(", nice 5 gives %d %d\n", nice(5), getpriority(PRIO_PROCESS, 0));
	printf("no such call: %ld %s\n", syscall(1999), strerror(errno));
	char bytes[8];
	printf("random: %ld\n", syscall(SYS_getrandom, bytes, 8, 0));
	return 0;
}
