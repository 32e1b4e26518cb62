/* Apache Bench's two parts: ab.c makes the requests, ab_report.c prints what came of them. */
#pragma once
#include "network.h"

struct sample { /* of one request, µs */
	int connect, wait, total; /* until connected; from the request's end to the answer's beginning; all of it */
};

struct results {
	struct sample *samples;
	long done, bad, kept;      /* requests; those that failed; those over a connection that was kept */
	long failed_connect, failed_receive, failed_length, failed_other, failed_write, not_ok;
	long long bytes, body_bytes;
	long document_length;
	char server[64];
	double seconds;
};

struct report {
	const struct url *url;
	long concurrency;
	int keep_alive, variable_length, percentiles, confidence;
};

/* Sorts the samples. */
void print_report(const struct report *how, struct results *results);
