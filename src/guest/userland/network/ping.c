/*
 * ping: ICMP echo requests at regular times, and what comes back, in the words of iputils.  A raw socket, whose answers include
 * other programs' and are told apart by the identifier; or, without the right to one, the kernel's own ping socket, which counts its own.
 */
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ICMP_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_ECHO = 8, ICMP_EXCEEDED = 11, HEADER = 8, STAMP = 8, MOST_DATA = 65507, REMEMBERED = 4096, PROBE_PORT = 1025 };

static int fd, raw_socket, quiet, flood, identifier;
static long data_size = 56, count, sent, received, repeated, errors;
static unsigned char *packet;
static long long least_us, most_us, sum_us, sent_at[REMEMBERED];
static double squares;
static unsigned char answered[REMEMBERED / 8]; /* of the last REMEMBERED numbers, a bit each */
static struct sockaddr_in target;
static char target_text[INET_ADDRSTRLEN], target_name[256];
static long most_waiting;
static volatile int interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/*
 * Whether there is a way there at all, asked of a socket that sends nothing: who cannot begin does not wait for answers.  0, or 2 after a
 * message.
 */
static int find_way(int broadcast)
{
	struct sockaddr_in to = target;
	int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, failed = 0;

	to.sin_port = htons(PROBE_PORT);
	if (probe < 0)
		return 2;
	if (connect(probe, (struct sockaddr *)&to, sizeof to) < 0) {
		if (errno != EACCES)
			failed = (warn_text("connect: %s", strerror(errno)), 2);
		else if (!broadcast)
			failed = (warn_text("Do you want to ping broadcast? Then -b. If not, check your local firewall rules"), 2);
		else {
			fprintf(stderr, "WARNING: pinging broadcast address\n");
			setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
		}
	}
	close(probe);
	return failed;
}

static int open_socket(int ttl)
{
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	raw_socket = fd >= 0;
	if (fd < 0) {
		int on = 1;
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
		if (fd < 0)
			return warn_file("socket");
		setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
	}
	if (ttl)
		setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
	return 0;
}

static int is_answered(unsigned number)
{
	return answered[number % REMEMBERED / 8] >> number % 8 & 1;
}

static void send_echo(void)
{
	unsigned number = ++sent & 0xffff;

	memset(packet, 0, HEADER);
	packet[0] = ICMP_ECHO;
	put16(packet + 4, identifier);
	put16(packet + 6, number);
	for (long i = 0; i < data_size; i++)
		packet[HEADER + i] = i;
	answered[number % REMEMBERED / 8] &= ~(1 << number % 8);
	sent_at[number % REMEMBERED] = now_us();
	/* Its own time in the data, where there is room, as others' pings have it. */
	if (data_size >= STAMP)
		memcpy(packet + HEADER, &sent_at[number % REMEMBERED], STAMP);
	put16(packet + 2, checksum_end(checksum_add(0, packet, HEADER + data_size)));
	if (sendto(fd, packet, HEADER + data_size, 0, (struct sockaddr *)&target, sizeof target) < 0) {
		fflush(stdout);
		fprintf(stderr, "ping: sendmsg: %s\n", strerror(errno));
	} else if (flood && !quiet)
		write(STDOUT_FILENO, ".", 1);
}

/* 0.042, 1.23, 12.3, 123 */
static const char *milliseconds(long long us, char text[24])
{
	if (us >= 100000)
		snprintf(text, 24, "%lld", us / 1000);
	else if (us >= 10000)
		snprintf(text, 24, "%lld.%lld", us / 1000, us % 1000 / 100);
	else if (us >= 1000)
		snprintf(text, 24, "%lld.%02lld", us / 1000, us % 1000 / 10);
	else
		snprintf(text, 24, "0.%03lld", us);
	return text;
}

static const char *name_of(struct in_addr address)
{
	static char text[300];
	if (address.s_addr == target.sin_addr.s_addr && strcmp(target_name, target_text))
		snprintf(text, sizeof text, "%s (%s)", target_name, target_text);
	else
		strlcpy(text, inet_ntoa(address), sizeof text);
	return text;
}

static void take_reply(const unsigned char *icmp, long size, struct in_addr from, int ttl)
{
	unsigned number = get16(icmp + 6);
	long behind = (sent - number) & 0xffff;
	long long us = now_us() - sent_at[number % REMEMBERED];
	char text[24];

	if (behind >= sent || behind >= REMEMBERED)
		return; /* was never sent, or too long ago */
	int again = is_answered(number);
	answered[number % REMEMBERED / 8] |= 1 << number % 8;
	if (again)
		repeated++;
	else {
		least_us = received && least_us < us ? least_us : us;
		most_us = most_us > us ? most_us : us;
		sum_us += us;
		squares += (double)us * us;
		received++;
		if (behind + 1 > most_waiting)
			most_waiting = behind + 1;
	}
	if (quiet)
		return;
	if (flood) {
		write(STDOUT_FILENO, "\b \b", 3);
		return;
	}
	printf("%ld bytes from %s: icmp_seq=%u ttl=%d time=%s ms%s", size, name_of(from), number, ttl, milliseconds(us, text), again ? " (DUP!)" : "");
	for (long i = data_size >= STAMP ? STAMP : 0; i < size - HEADER && i < data_size; i++)
		if (icmp[HEADER + i] != (i & 0xff)) {
			printf("\nwrong data byte #%ld should be 0x%lx but was 0x%x", i, i & 0xff, icmp[HEADER + i]);
			break;
		}
	putchar('\n');
}

/* An error that quotes one of our requests. */
static void take_error(const unsigned char *icmp, long size, struct in_addr from)
{
	static const char *const unreachable[] = { "Destination Net Unreachable", "Destination Host Unreachable", "Destination Protocol Unreachable",
						   "Destination Port Unreachable", "Frag needed and DF set", "Source Route Failed" };
	const unsigned char *inner = icmp + HEADER;

	if (size < HEADER + 28 || inner[9] != IPPROTO_ICMP)
		return;
	long inner_header = (inner[0] & 15) * 4;
	if (inner_header < 20 || size < HEADER + inner_header + HEADER)
		return;
	const unsigned char *echo = inner + inner_header;
	if (echo[0] != ICMP_ECHO || get16(echo + 4) != (unsigned)identifier || memcmp(inner + 16, &target.sin_addr, 4))
		return;
	errors++;
	if (quiet || flood)
		return;
	const char *text = icmp[0] == ICMP_EXCEEDED ? (icmp[1] ? "Frag reassembly time exceeded" : "Time to live exceeded") :
			   icmp[1] < 6 ? unreachable[icmp[1]] : icmp[1] == 13 ? "Packet filtered" : "Dest Unreachable";
	printf("From %s icmp_seq=%u %s\n", name_of(from), get16(echo + 6), text);
}

static void receive(void)
{
	static unsigned char bytes[65536];
	char control[128];
	struct sockaddr_in from;
	struct iovec piece = { bytes, sizeof bytes };
	struct msghdr message = { &from, sizeof from, &piece, 1, control, sizeof control, 0 };
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
	long header = 0;
	int ttl = 0;

	if (got < 0)
		return;
	if (raw_socket) {
		header = got ? (bytes[0] & 15) * 4 : 0;
		ttl = bytes[8];
		if (header < 20)
			return;
	} else
		for (struct cmsghdr *about = CMSG_FIRSTHDR(&message); about; about = CMSG_NXTHDR(&message, about))
			if (about->cmsg_level == IPPROTO_IP && about->cmsg_type == IP_TTL && about->cmsg_len >= CMSG_LEN(sizeof ttl))
				memcpy(&ttl, CMSG_DATA(about), sizeof ttl);
	if (got < header + HEADER)
		return;
	const unsigned char *icmp = bytes + header;
	if (icmp[0] == ICMP_REPLY && (!raw_socket || get16(icmp + 4) == (unsigned)identifier))
		take_reply(icmp, got - header, from.sin_addr, ttl);
	else if (raw_socket && (icmp[0] == ICMP_UNREACHABLE || icmp[0] == ICMP_EXCEEDED))
		take_error(icmp, got - header, from.sin_addr);
}

static void print_statistics(long long us)
{
	printf("\n--- %s ping statistics ---\n%ld packets transmitted, %ld received, ", target_name, sent, received);
	if (repeated)
		printf("+%ld duplicates, ", repeated);
	if (errors)
		printf("+%ld errors, ", errors);
	printf("%g%% packet loss, time %lldms\n", sent ? (double)(sent - received) * 100 / sent : 0, us / 1000);
	if (received) {
		double mean = (double)sum_us / received, variance = squares / received - mean * mean;
		long long deviation = variance > 0 ? sqrt(variance) : 0, average = sum_us / received;
		printf("rtt min/avg/max/mdev = %lld.%03lld/%lld.%03lld/%lld.%03lld/%lld.%03lld ms", least_us / 1000, least_us % 1000, average / 1000,
		       average % 1000, most_us / 1000, most_us % 1000, deviation / 1000, deviation % 1000);
	}
	if (most_waiting > 1)
		printf(", pipe %ld", most_waiting);
	putchar('\n');
}

/*
 * Sends at each interval and takes what comes, until all is answered, the deadline is there or somebody has had enough.  The last answer is
 * waited for as long as two of those before it took, and an interval at least; or `patience_us`, if there was none.
 */
static void run(long long interval_us, long long patience_us, long long deadline_us)
{
	long long started = now_us(), next = started, last_send = started, ended_at = 0;

	while (!interrupted) {
		long long now = now_us();
		int all_sent = count && sent >= count;
		if (all_sent && received + errors >= count)
			break;
		if (deadline_us && now - started >= deadline_us)
			break;
		if (!all_sent && now >= next) {
			send_echo();
			last_send = now;
			next = next + interval_us > now ? next + interval_us : now + interval_us;
			continue;
		}
		long long wait_us = !received ? patience_us : 2 * most_us > interval_us ? 2 * most_us : interval_us;
		long long until = all_sent ? last_send + wait_us : next;
		if (all_sent && now >= until)
			break;
		if (deadline_us && until > started + deadline_us)
			until = started + deadline_us;
		struct pollfd wait = { fd, POLLIN, 0 };
		long long left_ms = (until - now + 999) / 1000;
		if (poll(&wait, 1, left_ms > 1000000 ? 1000000 : left_ms) > 0) {
			long before = received;
			receive();
			if (flood && received > before)
				next = now_us(); /* the answer asks for the next one */
		}
	}
	ended_at = count && sent >= count ? last_send : now_us();
	print_statistics(ended_at - started);
}

int ping_main(int argc, char **argv)
{
	const char *syntax = "[-bfnq] [-c COUNT] [-i SECONDS] [-s BYTES] [-W SECONDS] [-w SECONDS] [-t TTL] HOST";
	double interval = 1, patience = 10, deadline = 0;
	int option, ttl = 0, has_interval = 0, broadcast = 0;

	while ((option = getopt(argc, argv, "bfnqc:i:s:W:w:t:")) != -1)
		switch (option) {
		case 'b': broadcast = 1; break;
		case 'f': flood = 1; break;
		case 'n': break; /* names come from a file: there is no waiting for them */
		case 'q': quiet = 1; break;
		case 'c':
			if ((count = parse_number(optarg, 1, 1l << 40)) < 0)
				return warn_text("invalid argument: '%s'", optarg);
			break;
		case 's':
			if ((data_size = parse_number(optarg, 0, MOST_DATA)) < 0)
				return warn_text("invalid argument: '%s': out of range: 0 <= value <= %d", optarg, MOST_DATA);
			break;
		case 't':
			if ((ttl = parse_number(optarg, 1, 255)) < 0)
				return warn_text("invalid argument: '%s': out of range: 1 <= value <= 255", optarg);
			break;
		case 'i':
		case 'W':
		case 'w': {
			double seconds = parse_seconds(optarg);
			if (seconds < 0 || seconds > 1e6)
				return warn_text("invalid argument: '%s'", optarg);
			*(option == 'i' ? &interval : option == 'W' ? &patience : &deadline) = seconds;
			has_interval |= option == 'i';
			break;
		}
		default: return usage(syntax);
		}
	if (optind != argc - 1)
		return argc == optind ? (fprintf(stderr, "ping: usage error: Destination address required\n"), 2) : usage(syntax);
	target.sin_family = AF_INET;
	if (find_host(argv[optind], &target.sin_addr) < 0)
		return 2;
	strlcpy(target_name, argv[optind], sizeof target_name);
	strlcpy(target_text, inet_ntoa(target.sin_addr), sizeof target_text);
	packet = malloc(HEADER + data_size);
	if (!packet)
		return warn_text("no memory for %ld bytes", data_size);
	if (open_socket(ttl) || find_way(broadcast))
		return 2;
	identifier = getpid() & 0xffff;
	struct sigaction action = { .sa_handler = interrupt };
	sigaction(SIGINT, &action, 0);
	if (flood && !has_interval)
		interval = 0.01;
	printf("PING %s (%s) %ld(%ld) bytes of data.\n", target_name, target_text, data_size, data_size + HEADER + 20);
	fflush(stdout);
	setvbuf(stdout, 0, _IOLBF, 0); /* whoever reads along sees each answer as it comes */
	run(interval * 1e6 > 1 ? interval * 1e6 : 1, patience * 1e6, deadline * 1e6);
	return received ? 0 : 1;
}
