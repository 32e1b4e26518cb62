/*
 * An epoll set that follows its process.  In the lab a set stays on the kernel where it was made: a process that was moved is told
 * EINVAL there, which no Linux says of a good set.  Then another one is made here, from what is remembered of each descriptor.
 */
#include "watch.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TRIES = 1000 };

static int set = -1;
static int capacity;
static struct watched {
	unsigned events; /* 0 if it is not watched */
	void *about;
} *table; /* by descriptor */

/* -1 with errno; EINVAL if the process moved meanwhile. */
static int make_set(void)
{
	if (set >= 0)
		close(set);
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0)
		return -1;
	for (int fd = 0; fd < capacity; fd++) {
		struct epoll_event event = { .events = table[fd].events, .data.ptr = table[fd].about };
		if (table[fd].events && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
			return -1;
	}
	return 0;
}

/* After a failure: makes the set anew as often as the process moves.  0 if it is whole now. */
static int renew(void)
{
	for (int i = 0; errno == EINVAL && i < MOST_TRIES; i++)
		if (make_set() == 0)
			return 0;
	return -1;
}

int watch(int fd, unsigned events, void *about)
{
	if (fd >= capacity) {
		int wanted = 2 * fd + 16;
		struct watched *grown = realloc(table, wanted * sizeof *table);
		if (!grown)
			return -1;
		memset(grown + capacity, 0, (wanted - capacity) * sizeof *table);
		table = grown;
		capacity = wanted;
	}
	struct epoll_event event = { .events = events, .data.ptr = about };
	int operation = table[fd].events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	table[fd] = (struct watched){ events, about };
	if (set < 0)
		errno = EINVAL;
	else if (epoll_ctl(set, operation, fd, &event) == 0)
		return 0;
	return renew();
}

void unwatch(int fd)
{
	if (fd >= capacity || !table[fd].events)
		return;
	table[fd].events = 0;
	if (epoll_ctl(set, EPOLL_CTL_DEL, fd, 0) < 0)
		renew();
}

int wait_events(struct epoll_event *events, int most, int timeout_ms)
{
	for (int i = 0; i < MOST_TRIES; i++) {
		int count = set < 0 ? (errno = EINVAL, -1) : epoll_wait(set, events, most, timeout_ms);
		if (count >= 0 || errno != EINVAL)
			return count;
		if (renew() < 0)
			break;
	}
	return -1;
}
