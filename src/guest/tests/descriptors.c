/* Descriptors: the lowest free number, dup, shared offsets, close on exec, status flags, errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	char text[32] = { 0 };

	setvbuf(stdout, 0, _IONBF, 0);
	int fd = open("/tmp/descriptors-test", O_RDWR | O_CREAT | O_TRUNC, 0644), copy = dup(fd);
	printf("lowest numbers in order: %d\n", copy == fd + 1);
	write(fd, "abc", 3);
	write(copy, "def", 3);
	printf("one offset for both: %ld\n", lseek(fd, 0, SEEK_CUR));
	if (fork() == 0) {
		lseek(fd, 2, SEEK_SET);
		_exit(0);
	}
	wait(0);
	printf("and for a child: %ld\n", lseek(copy, 0, SEEK_CUR));
	read(copy, text, 2);
	printf("read from there: %s\n", text);
	printf("dup2 onto itself: %d\n", dup2(fd, fd) == fd);
	printf("dup3 onto itself: %d %s\n", dup3(fd, fd, 0), strerror(errno));
	printf("dup2 of a closed one: %d %s\n", dup2(100, 101), strerror(errno));
	close(fd);
	printf("the copy still works: %ld\n", lseek(copy, 0, SEEK_END));
	printf("F_DUPFD from 50: %d\n", fcntl(copy, F_DUPFD, 50));
	fcntl(50, F_SETFD, FD_CLOEXEC);
	printf("close on exec: %d, its original %d\n", fcntl(50, F_GETFD), fcntl(copy, F_GETFD));
	fcntl(copy, F_SETFL, O_APPEND);
	printf("O_APPEND is the file's: %d\n", (fcntl(50, F_GETFL) & O_APPEND) != 0);
	lseek(copy, 0, SEEK_SET);
	write(copy, "!", 1);
	printf("an append goes to the end: %ld\n", lseek(copy, 0, SEEK_CUR));
	printf("read-only can't write: %d", open("/tmp/descriptors-test", O_RDONLY) >= 0);
	printf(" %ld %s\n", write(fd, "x", 1), strerror(errno));
	printf("close twice: %d %d %s\n", close(fd), close(fd), strerror(errno));
	char one[4], two[8];
	struct iovec pieces[] = { { one, 3 }, { two, 4 } };
	lseek(copy, 0, SEEK_SET);
	printf("readv: %ld", readv(copy, pieces, 2));
	printf(" %.3s %.4s\n", one, two);
	printf("pread leaves the offset: %ld %ld\n", pread(copy, text, 2, 1), lseek(copy, 0, SEEK_CUR));
	printf("seek before the start: %ld %s\n", lseek(copy, -1, SEEK_SET), strerror(errno));
	lseek(copy, 10000, SEEK_SET);
	fcntl(copy, F_SETFL, 0);
	write(copy, "z", 1);
	struct stat status;
	fstat(copy, &status);
	printf("a file with a hole: %ld bytes\n", status.st_size);
	pread(copy, text, 1, 5000);
	printf("the hole reads as %d\n", text[0]);
	printf("null: read %ld, write %ld\n", read(open("/dev/null", O_RDONLY), text, 5), write(open("/dev/null", O_WRONLY), text, 5));
	read(open("/dev/zero", O_RDONLY), text, 5);
	printf("zero: %d\n", text[0] | text[4]);
	unlink("/tmp/descriptors-test");
	return 0;
}
