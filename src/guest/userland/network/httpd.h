/*
 * The web server's three parts: httpd.c is the processes and connections, httpd_request.c reads a request and says what answers it,
 * httpd_listing.c is the page of a folder without an index.
 */
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <sys/types.h>

enum { REQUEST_SIZE = 4096, HEAD_SIZE = 768 };

struct request {
	char line[512];            /* as it came, cut: for the log */
	int head, keep_alive;      /* HEAD instead of GET; another request may follow on this connection */
	char path[1024];           /* decoded, without "." and "..", relative to the root: "" is the root itself */
	int names_folder;          /* it ended with a slash */
	char if_modified_since[32];
};

struct answer {
	int status;
	char head[HEAD_SIZE];
	size_t head_length;
	int file;                  /* the body: a file's descriptor, or -1 */
	char *text;                /* or malloc'ed text, or 0 */
	off_t length;              /* of the body */
};

/* Reads the head of a request that ends with a 0; what it says is in `request` as far as it was understood.  The status, 200 if it is good. */
int read_request(char *head, struct request *request);
/* What answers it.  `root` is the descriptor of the folder that is served. */
void answer_request(const struct request *request, int status, int root, struct answer *answer);

/* The folder's page, malloc'ed, or 0.  Takes the descriptor. */
char *list_folder(int folder, const char *path, size_t *length);
