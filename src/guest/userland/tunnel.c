/*
 * tunnel: the virtual switch of version `user`, as a program on each kernel.  It carries frames between its TAP device, which is the kernel's
 * vnet0, and the rings to other kernels (/dev/net/shmtun).  On the kernel in the middle of the star it is the switch: it learns which address is
 * behind which port, and sends what it does not know to all.  It ends when the kernel wants no such program any more.
 *
 * A thread for each direction, as in Popcorn's: one may wait for room in a ring, and the other side's ring is still emptied.
 */
#include "userland.h"
#include "../libc/syscall.h"
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TAP = -1, PORTS = 128, FRAME_MAX = 1536, HEADER = 4, TABLE = 256, SPINS = 4096, STACK = 16384 };

#define TUNSETIFF 0x400454ca
#define SHMTUN_PORTS 0x80105301
#define IFF_TAP 2
#define IFF_NO_PI 0x1000

static struct {
	unsigned char address[6];
	int port, known;
} table[TABLE];

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int tap, rings;
static volatile int is_done; /* the other thread has no frame in its hands any more */

/* A frame, with room for the port before it. */
struct carrier {
	unsigned char port[HEADER], frame[FRAME_MAX];
};

static int place_of(const unsigned char *address)
{
	return address[5] ^ (address[4] << 3 & 0xff);
}

static void learn(const unsigned char *source, int port)
{
	int place = place_of(source);

	if (source[0] & 1)
		return;
	memcpy(table[place].address, source, 6);
	table[place].port = port;
	table[place].known = 1;
}

/* Spins while what was written to that port before has not been taken, and gives others a turn now and then. */
static void put(struct carrier *carrier, int port, int length)
{
	if (port == TAP) {
		raw(SYS_write, tap, carrier->frame, length);
		return;
	}
	for (int i = 0; i < HEADER; i++)
		carrier->port[i] = port >> 8 * i;
	for (int spin = 1; raw(SYS_write, rings, carrier, HEADER + length) == -EAGAIN; spin++)
		if (spin % SPINS == 0)
			sched_yield();
}

static void forward(struct carrier *carrier, int from, int length)
{
	const unsigned char *frame = carrier->frame;
	int place = place_of(frame);

	learn(frame + 6, from);
	if (!(frame[0] & 1) && table[place].known && !memcmp(table[place].address, frame, 6)) {
		if (table[place].port != from)
			put(carrier, table[place].port, length);
		return;
	}
	unsigned char ports[PORTS / 8];
	if (raw(SYS_ioctl, rings, SHMTUN_PORTS, ports) < 0)
		return;
	if (from != TAP)
		put(carrier, TAP, length);
	for (int port = 0; port < PORTS; port++)
		if (port != from && ports[port / 8] & 1 << port % 8)
			put(carrier, port, length);
}

static int carry_out(void *nothing)
{
	static struct carrier carrier;
	long length;

	(void)nothing;
	while ((length = raw(SYS_read, tap, carrier.frame, FRAME_MAX)) > 0 || length == -EINTR)
		if (length > 0)
			forward(&carrier, TAP, length);
	is_done = 1;
	return 0;
}

static void carry_in(void)
{
	static struct carrier carrier;
	long length;

	while ((length = raw(SYS_read, rings, &carrier, sizeof carrier)) > 0 || length == -EINTR)
		if (length > HEADER)
			forward(&carrier, carrier.port[0] | carrier.port[1] << 8, length - HEADER);
}

int tunnel_main(int argc, char **argv)
{
	static char stack[STACK] __attribute__((aligned(16)));
	struct {
		char name[16];
		unsigned short flags;
		char rest[22];
	} interface = { "vnet0", IFF_TAP | IFF_NO_PI, "" };

	(void)argc, (void)argv;
	if ((tap = open("/dev/net/tun", O_RDWR)) < 0)
		return warn_file("/dev/net/tun");
	if ((rings = open("/dev/net/shmtun", O_RDWR)) < 0)
		return warn_file("/dev/net/shmtun");
	if (ioctl(tap, TUNSETIFF, &interface) < 0)
		return warn_file(interface.name);
	if (clone(carry_out, stack + STACK, THREAD, 0, 0, 0, 0) < 0)
		return warn_file("clone");
	carry_in();
	while (!is_done)
		sched_yield();
	exit(0);
}
