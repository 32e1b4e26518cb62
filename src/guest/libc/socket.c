/* Sockets: each function is one system call, with Linux's result. */
#include <sys/socket.h>
#include "syscall.h"

int socket(int family, int type, int protocol) { return call(SYS_socket, family, type, protocol); }
int socketpair(int family, int type, int protocol, int fds[2]) { return call(SYS_socketpair, family, type, protocol, fds); }
int bind(int fd, const struct sockaddr *name, socklen_t size) { return call(SYS_bind, fd, name, size); }
int listen(int fd, int backlog) { return call(SYS_listen, fd, backlog); }
int accept(int fd, struct sockaddr *name, socklen_t *size) { return call(SYS_accept, fd, name, size); }
int accept4(int fd, struct sockaddr *name, socklen_t *size, int flags) { return call(SYS_accept4, fd, name, size, flags); }
int connect(int fd, const struct sockaddr *name, socklen_t size) { return call(SYS_connect, fd, name, size); }
int getsockname(int fd, struct sockaddr *name, socklen_t *size) { return call(SYS_getsockname, fd, name, size); }
int getpeername(int fd, struct sockaddr *name, socklen_t *size) { return call(SYS_getpeername, fd, name, size); }
ssize_t send(int fd, const void *from, size_t size, int flags) { return sendto(fd, from, size, flags, 0, 0); }
ssize_t recv(int fd, void *to, size_t size, int flags) { return recvfrom(fd, to, size, flags, 0, 0); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { return call(SYS_sendmsg, fd, message, flags); }
ssize_t recvmsg(int fd, struct msghdr *message, int flags) { return call(SYS_recvmsg, fd, message, flags); }
int shutdown(int fd, int how) { return call(SYS_shutdown, fd, how); }

ssize_t sendto(int fd, const void *from, size_t size, int flags, const struct sockaddr *name, socklen_t name_size)
{
	return call(SYS_sendto, fd, from, size, flags, name, name_size);
}

ssize_t recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *name, socklen_t *name_size)
{
	return call(SYS_recvfrom, fd, to, size, flags, name, name_size);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	return call(SYS_getsockopt, fd, level, option, value, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	return call(SYS_setsockopt, fd, level, option, value, size);
}

struct cmsghdr *cmsg_next(const struct msghdr *header, const struct cmsghdr *message)
{
	char *end = (char *)header->msg_control + header->msg_controllen;
	char *next = (char *)message + CMSG_ALIGN(message->cmsg_len);
	return message->cmsg_len < sizeof *message || next + sizeof *message > end ? 0 : (struct cmsghdr *)next;
}
