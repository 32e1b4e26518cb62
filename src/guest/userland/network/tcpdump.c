/*
 * tcpdump: packets of an interface (-i) or of a file (-r), those that fit a filter, printed or written to a file (-w).
 * The parts are listed in capture.h.
 */
#include "capture.h"
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long wanted;
static unsigned limit = MOST_CAPTURED;
static FILE *output;
static int flush_each;
static volatile int interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* What is done with a packet that fits: 1 if it was the last one that is wanted. */
static int handle(struct packet *packet, const char *interface, long *captured)
{
	if (packet->captured > limit)
		packet->captured = limit;
	if (output)
		write_packet(output, packet);
	else
		print_packet(packet, interface);
	if (flush_each)
		fflush(output ? output : stdout);
	return ++*captured == wanted;
}

static int read_file(const char *path, const char *to)
{
	struct capture_file file;
	struct packet packet;
	long captured = 0;
	int result;

	if (open_capture(&file, path) < 0 || (to && !(output = create_capture(to, file.link, limit))))
		return 1;
	fprintf(stderr, "reading from file %s, link-type %s, snapshot length %u\n", path, file.link == LINK_ETHERNET ? "EN10MB (Ethernet)" : "RAW (Raw IP)",
		file.limit);
	while ((result = read_packet(&file, &packet)) > 0)
		if (fits_filter(&packet) && handle(&packet, 0, &captured))
			break;
	return result < 0;
}

/* A packet socket for one interface, or for all of them (index 0). */
static int open_interface(const char *name, int *link)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq about = { .ifr_ifindex = 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1, error = 0;
	socklen_t size = sizeof error;

	if (fd < 0)
		return -warn_text("%s: you don't have permission to capture on that device (socket: %s)", name, strerror(errno));
	*link = LINK_ETHERNET;
	if (strcmp(name, "any")) {
		strlcpy(about.ifr_name, name, IFNAMSIZ);
		if (ioctl(fd, SIOCGIFINDEX, &about) < 0)
			return -warn_text("%s: No such device exists", name);
		at.sll_ifindex = about.ifr_ifindex;
		if (ioctl(fd, SIOCGIFHWADDR, &about) == 0 && about.ifr_hwaddr.sa_family == ARPHRD_NONE)
			*link = LINK_RAW;
	}
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		return -warn_text("%s: %s", name, strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		return -warn_text("%s: %s", name, error == ENETDOWN ? "That device is not up" : strerror(error));
	if (at.sll_ifindex) {
		struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
	}
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
	return fd;
}

/* When a packet came: as the kernel says, or now. */
static void stamp(struct packet *packet, const struct msghdr *message)
{
	struct timeval at;

	for (struct cmsghdr *about = CMSG_FIRSTHDR(message); about; about = CMSG_NXTHDR(message, about))
		if (about->cmsg_level == SOL_SOCKET && about->cmsg_type == SCM_TIMESTAMP && about->cmsg_len >= CMSG_LEN(sizeof at)) {
			memcpy(&at, CMSG_DATA(about), sizeof at);
			packet->seconds = at.tv_sec;
			packet->microseconds = at.tv_usec;
			return;
		}
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	packet->seconds = now.tv_sec;
	packet->microseconds = now.tv_nsec / 1000;
}

static int capture(int fd, const char *name, int link, unsigned char *buffer)
{
	static const char *const directions[] = { "In ", "B  ", "M  ", "P  ", "Out" };
	long captured = 0, received = 0, any = !strcmp(name, "any");
	int failed = 0;

	while (!interrupted) {
		char control[256], interface[IFNAMSIZ + 8], short_name[IFNAMSIZ] = "";
		struct sockaddr_ll from = { 0 };
		struct iovec piece = { buffer, MOST_CAPTURED };
		struct msghdr message = { &from, sizeof from, &piece, 1, control, sizeof control, 0 };
		ssize_t length = recvmsg(fd, &message, MSG_TRUNC);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			int error = errno;
			/* An interface that is down may come up again. */
			if (error == ENETDOWN && if_nametoindex(name))
				continue;
			failed = warn_text("pcap_loop: %s", error == ENETDOWN ? "The interface disappeared" : strerror(error));
			break;
		}
		/* The loopback shows each packet twice, as it goes and as it comes: the second one counts. */
		if (from.sll_pkttype == PACKET_OUTGOING && from.sll_hatype == ARPHRD_LOOPBACK)
			continue;
		received++;
		struct packet packet = { .bytes = buffer, .captured = length < MOST_CAPTURED ? length : MOST_CAPTURED, .length = length, .link = link };
		stamp(&packet, &message);
		if (!fits_filter(&packet))
			continue;
		if (any) {
			if (!if_indextoname(from.sll_ifindex, short_name))
				snprintf(short_name, sizeof short_name, "if%d", from.sll_ifindex);
			snprintf(interface, sizeof interface, "%-5s %s", short_name, from.sll_pkttype < 5 ? directions[from.sll_pkttype] : "?");
		}
		if (handle(&packet, any ? interface : 0, &captured))
			break;
	}
	fflush(stdout);
	struct tpacket_stats stats = { 0, 0 };
	socklen_t size = sizeof stats;
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
	fprintf(stderr, "%s%ld packet%s captured\n%ld packet%s received by filter\n%u packet%s dropped by kernel\n", interrupted ? "\n" : "", captured,
		captured == 1 ? "" : "s", received, received == 1 ? "" : "s", stats.tp_drops, stats.tp_drops == 1 ? "" : "s");
	return failed;
}

/* The first interface that is up and no loopback, or else the loopback. */
static const char *usual_interface(void)
{
	static char name[IFNAMSIZ];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (unsigned index = 1; fd >= 0 && index < 64; index++) {
		struct ifreq about = { .ifr_ifindex = index };
		if (ioctl(fd, SIOCGIFNAME, &about) < 0)
			continue;
		strlcpy(name, about.ifr_name, sizeof name);
		if (ioctl(fd, SIOCGIFFLAGS, &about) == 0 && about.ifr_flags & IFF_UP && !(about.ifr_flags & IFF_LOOPBACK)) {
			close(fd);
			return name;
		}
	}
	if (fd >= 0)
		close(fd);
	return "lo";
}

static void show_start(const char *name, int link, int shows)
{
	if (shows && !print_options.verbose)
		fprintf(stderr, "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n");
	fprintf(stderr, "%slistening on %s, link-type %s, snapshot length %u bytes\n", shows && !print_options.verbose ? "" : "tcpdump: ", name,
		link == LINK_ETHERNET ? "EN10MB (Ethernet)" : "RAW (Raw IP)", limit);
}

int tcpdump_main(int argc, char **argv)
{
	const char *syntax = "[-AdeflnpqStUvxX] [-c COUNT] [-i INTERFACE] [-r FILE] [-s BYTES] [-w FILE] [FILTER]", *interface = 0, *from = 0, *to = 0;
	char filter[2048] = "";
	int option, link = LINK_ETHERNET, only_compile = 0;

	while ((option = getopt(argc, argv, "c:i:r:s:w:delnpqStUvxX")) != -1)
		switch (option) {
		case 'c':
			if ((wanted = parse_number(optarg, 1, 1l << 40)) < 0)
				return warn_text("invalid packet count %s", optarg);
			break;
		case 's': {
			long bytes = parse_number(optarg, 0, MOST_CAPTURED);
			if (bytes < 0)
				return warn_text("invalid snaplen %s", optarg);
			limit = bytes ? bytes : MOST_CAPTURED;
			break;
		}
		case 'i': interface = optarg; break;
		case 'r': from = optarg; break;
		case 'w': to = optarg; break;
		case 'd': only_compile = 1; break;
		case 'e': print_options.link_header = 1; break;
		case 'l':
		case 'U': flush_each = 1; break;
		case 'n': print_options.numeric = 1; break;
		case 'p': break;
		case 'q': print_options.brief = 1; break;
		case 'S': print_options.absolute = 1; break;
		case 't': print_options.time_style++; break;
		case 'v': print_options.verbose++; break;
		case 'x': print_options.hex++; break;
		case 'X': print_options.ascii++; break;
		default: return usage(syntax);
		}
	for (; optind < argc; optind++)
		if (strlcat(filter, argv[optind], sizeof filter) >= sizeof filter || strlcat(filter, " ", sizeof filter) >= sizeof filter)
			return warn_text("the filter is too long");
	if (compile_filter(filter) < 0)
		return 1;
	if (only_compile)
		return 0;
	if (from)
		return read_file(from, to);
	if (!interface)
		interface = usual_interface();
	int fd = open_interface(interface, &link);
	unsigned char *buffer = malloc(MOST_CAPTURED);
	if (fd < 0 || !buffer || (to && !(output = create_capture(to, link, limit))))
		return 1;
	struct sigaction action = { .sa_handler = interrupt };
	sigaction(SIGINT, &action, 0);
	sigaction(SIGTERM, &action, 0);
	show_start(interface, link, !to);
	if (!to && isatty(STDOUT_FILENO))
		flush_each = 1;
	int status = capture(fd, interface, link, buffer);
	if (output && output != stdout)
		fclose(output);
	return status;
}
