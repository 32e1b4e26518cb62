/*
 * tunnel: the virtual switch of version `user`, as a program on each kernel.  It carries frames between its TAP device, which is the kernel's
 * vnet0, and the rings to other kernels (/dev/net/shmtun).  On the kernel in the middle of the star it is the switch: it learns which address is
 * behind which port, and sends what it does not know to all.  It ends when the kernel wants no such program any more.
 */
#include "userland.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TAP = -1, PORTS = 128, FRAME_MAX = 1536, HEADER = 4, TABLE = 256, SPINS = 4096, ROUNDS = 2 };

#define TUNSETIFF 0x400454ca
#define SHMTUN_PORTS 0x80105301
#define IFF_TAP 2
#define IFF_NO_PI 0x1000

static struct {
	unsigned char address[6];
	int port, known;
} table[TABLE];

static int tap, rings;
/* The frame at hand, with room for the port before it. */
static unsigned char buffer[HEADER + FRAME_MAX];
static unsigned char *const frame = buffer + HEADER;

static int place_of(const unsigned char *address)
{
	return address[5] ^ (address[4] << 3 & 0xff);
}

static void learn(int port)
{
	const unsigned char *source = frame + 6;
	int place = place_of(source);

	if (source[0] & 1)
		return;
	memcpy(table[place].address, source, 6);
	table[place].port = port;
	table[place].known = 1;
}

/* What was written there before may not have been taken: tries again and again, gives others a turn, and in the end drops the frame. */
static void put(int port, int length)
{
	if (port == TAP) {
		write(tap, frame, length);
		return;
	}
	for (int i = 0; i < 4; i++)
		buffer[i] = port >> 8 * i;
	for (int round = 0; round < ROUNDS; round++) {
		for (int spin = 0; spin < SPINS; spin++)
			if (write(rings, buffer, HEADER + length) >= 0 || errno != EAGAIN)
				return;
		sched_yield();
	}
}

static void forward(int from, int length)
{
	int place = place_of(frame);

	learn(from);
	if (!(frame[0] & 1) && table[place].known && !memcmp(table[place].address, frame, 6)) {
		if (table[place].port != from)
			put(table[place].port, length);
		return;
	}
	unsigned char ports[PORTS / 8];
	if (ioctl(rings, SHMTUN_PORTS, ports) < 0)
		return;
	if (from != TAP)
		put(TAP, length);
	for (int port = 0; port < PORTS; port++)
		if (port != from && ports[port / 8] & 1 << port % 8)
			put(port, length);
}

int tunnel_main(int argc, char **argv)
{
	struct {
		char name[16];
		unsigned short flags;
		char rest[22];
	} interface = { "vnet0", IFF_TAP | IFF_NO_PI, "" };

	(void)argc, (void)argv;
	if ((tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK)) < 0)
		return warn_file("/dev/net/tun");
	if ((rings = open("/dev/net/shmtun", O_RDWR | O_NONBLOCK)) < 0)
		return warn_file("/dev/net/shmtun");
	if (ioctl(tap, TUNSETIFF, &interface) < 0)
		return warn_file(interface.name);
	for (;;) {
		struct pollfd files[] = { { tap, POLLIN, 0 }, { rings, POLLIN, 0 } };
		long length;

		if (poll(files, 2, -1) < 0 && errno != EINTR)
			return warn_file("poll");
		if (files[1].revents) {
			if ((length = read(rings, buffer, sizeof buffer)) == 0)
				return 0;
			if (length > HEADER)
				forward(buffer[0] | buffer[1] << 8, length - HEADER);
		}
		if (files[0].revents && (length = read(tap, frame, FRAME_MAX)) > 0)
			forward(TAP, length);
	}
}
