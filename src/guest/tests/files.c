/* Files and directories: creation, links, rename, removal, listing, times, modes, and their errors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void report(const char *what, int result)
{
	printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[100];
	int count = 0;
	DIR *directory = opendir(path);

	for (struct dirent *entry; (entry = readdir(directory)) && count < 100;)
		names[count++] = strdup(entry->d_name);
	closedir(directory);
	qsort(names, count, sizeof *names, by_name);
	printf("%d names:", count);
	for (int i = 0; i < count && i < 8; i++)
		printf(" %s", names[i]);
	puts("");
}

int main(void)
{
	struct stat status, other;
	char text[256];

	setvbuf(stdout, 0, _IONBF, 0);
	umask(022);
	report("mkdir", mkdir("/tmp/files-test", 0777));
	report("mkdir again", mkdir("/tmp/files-test", 0777));
	report("chdir", chdir("/tmp/files-test"));
	printf("getcwd: %s\n", getcwd(text, sizeof text));
	printf("getcwd, too small: %d %s\n", getcwd(text, 4) != 0, strerror(errno));
	int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
	report("create", fd);
	report("create exclusively again", open("a", O_RDWR | O_CREAT | O_EXCL, 0666));
	fstat(fd, &status);
	printf("mode %o, links %u, size %ld\n", status.st_mode, status.st_nlink, status.st_size);
	write(fd, "content", 7);
	report("ftruncate", ftruncate(fd, 4));
	report("truncate longer", truncate("a", 6));
	pread(fd, text, 6, 0);
	printf("content: %.4s %d %d\n", text, text[4], text[5]);
	report("link", link("a", "b"));
	stat("a", &status);
	stat("b", &other);
	printf("same file: %d, links %u\n", status.st_ino == other.st_ino, status.st_nlink);
	report("symlink", symlink("a", "s"));
	report("dangling symlink", symlink("nowhere", "d"));
	ssize_t length = readlink("s", text, sizeof text);
	printf("readlink: %.*s\n", (int)length, text);
	lstat("s", &status);
	printf("lstat sees the link: %d, of %ld bytes\n", S_ISLNK(status.st_mode), status.st_size);
	report("stat through a dangling link", stat("d", &status));
	report("open through it creates", close(open("d", O_CREAT | O_WRONLY, 0600)));
	report("its target is there", access("nowhere", F_OK));
	report("a loop of links", symlink("l2", "l1") | symlink("l1", "l2"));
	report("open the loop", open("l1", O_RDONLY));
	report("O_NOFOLLOW", open("s", O_RDONLY | O_NOFOLLOW));
	report("unlink a", unlink("a"));
	stat("b", &status);
	printf("b has %u link left; the open one reads ", status.st_nlink);
	pread(fd, text, 4, 0);
	printf("%.4s\n", text);
	report("rename", rename("b", "c"));
	report("old name", access("b", F_OK));
	report("mkdir sub", mkdir("sub", 0755));
	report("rename a file onto a directory", rename("c", "sub"));
	report("rename a directory onto a file", rename("sub", "c"));
	report("rename a directory into itself", rename("sub", "sub/x"));
	report("mkdir sub/deep", mkdir("sub/deep", 0755));
	report("rmdir of a full one", rmdir("sub"));
	report("rmdir of a file", rmdir("c"));
	report("unlink of a directory", unlink("sub") < 0 && (errno == EISDIR || errno == EPERM) ? 0 : -1);
	report("a file as a directory", open("c/x", O_RDONLY));
	report("a directory for writing", open("sub", O_WRONLY));
	report("O_DIRECTORY on a file", open("c", O_RDONLY | O_DIRECTORY));
	report("an empty path", open("", O_RDONLY));
	char name[300];
	memset(name, 'n', sizeof name);
	name[299] = 0;
	report("a name of 299 letters", open(name, O_CREAT | O_WRONLY, 0600));
	report("chmod", chmod("c", 0640));
	stat("c", &status);
	printf("mode %o\n", status.st_mode);
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	report("utimensat", utimensat(AT_FDCWD, "c", times, 0));
	stat("c", &status);
	printf("times %ld %ld\n", status.st_atim.tv_sec, status.st_mtim.tv_sec);
	list(".");
	for (int i = 0; i < 90; i++) {
		snprintf(name, sizeof name, "sub/file-%02d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	list("sub");
	for (int i = 0; i < 90; i++) {
		snprintf(name, sizeof name, "sub/file-%02d", i);
		unlink(name);
	}
	list("sub/deep/..");
	static const char *const left[] = { "c", "s", "d", "l1", "l2", "nowhere" };
	for (unsigned i = 0; i < sizeof left / sizeof *left; i++)
		unlink(left[i]);
	report("rmdir deep", rmdir("sub/deep"));
	report("rmdir sub", rmdir("sub"));
	list(".");
	chdir("/");
	report("rmdir", rmdir("/tmp/files-test"));
	return 0;
}
