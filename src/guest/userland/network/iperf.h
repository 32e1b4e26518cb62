/* iperf's parts: iperf.c reads the options, iperf_tcp.c and iperf_udp.c move the bytes, iperf_report.c prints what came of it. */
#pragma once
#include "network.h"

struct test {
	struct sockaddr_in at;       /* where to connect to, or to listen at */
	const char *host;            /* as it was named */
	int udp, streams, once, timeout_ms;
	long size;                   /* bytes a write or a datagram has */
	long long bytes, duration_us, interval_us; /* bytes: the amount to send, 0 to go by time */
	double rate;                 /* bits a second, of UDP */
};

/* What a stream has moved, since it began and since the last report. */
struct stream {
	int fd, id;
	long long began_us, reported_us, bytes, bytes_reported;
	/* of UDP */
	long datagrams, datagrams_reported, lost, lost_reported, out_of_order;
	long next;                   /* the number that should come */
	double jitter_ms, transit_ms;
	struct sockaddr_in peer;
	int ended;
	unsigned stop_s, stop_us;    /* how long it took, for the report to the client */
};

void print_opening(const struct test *test, int server, int buffer_option, int fd);
void print_connection(const struct stream *stream);
/* Once for all streams, before the first report. */
void print_columns(int with_jitter);
/* From `from_us` to `to_us` of the stream's own time; with_loss: jitter and lost datagrams as well. */
void print_interval(const char *id, long long from_us, long long to_us, long long bytes);
void print_loss(const struct stream *stream, long lost, long datagrams);
/* The interval that ends now, if it is over. */
void report_interval(struct stream *stream, const struct test *test, int with_loss, long long now);
void report_all(struct stream *stream, int with_loss, long long now);

int tcp_client(const struct test *test);
int tcp_server(const struct test *test);
int udp_client(const struct test *test);
int udp_server(const struct test *test);
