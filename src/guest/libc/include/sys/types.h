/* Linux's basic types on RV64 (asm-generic). */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef long off_t;
typedef int pid_t;
typedef unsigned uid_t;
typedef unsigned gid_t;
typedef unsigned mode_t;
typedef unsigned nlink_t;
typedef unsigned long ino_t;
typedef unsigned long dev_t;
typedef long blkcnt_t;
typedef int blksize_t;
typedef long time_t;
typedef long clock_t;
typedef long suseconds_t;
typedef int clockid_t;

#define major(device) ((unsigned)(((device) >> 8) & 0xfff))
#define minor(device) ((unsigned)(((device) & 0xff) | (((device) >> 12) & 0xfff00)))
#define makedev(major, minor) ((dev_t)(((major) << 8) | ((minor) & 0xff) | (((minor) & 0xfff00) << 12)))
