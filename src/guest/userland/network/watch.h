/* Many descriptors watched at once: an epoll set that follows its process to another kernel. */
#pragma once
#include <sys/epoll.h>

/* What happens to `fd` is reported with `about`.  Watching it again changes what is watched for.  -1 with errno. */
int watch(int fd, unsigned events, void *about);
/* To be called before the descriptor is closed. */
void unwatch(int fd);
/* As epoll_wait(): the number of events, 0 when the time is over, -1 with errno. */
int wait_events(struct epoll_event *events, int most, int timeout_ms);
