/* The kernel's own termios (TCGETS), which is what the system calls speak. */
#pragma once
#include <sys/types.h>

#define NCCS 19
typedef unsigned tcflag_t;
typedef unsigned char cc_t;
struct termios {
	tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
	cc_t c_line, c_cc[NCCS];
};

enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VDISCARD, VWERASE, VLNEXT, VEOL2 };

#define BRKINT 0002
#define ICRNL 0400
#define INLCR 0100
#define IGNCR 0200
#define INPCK 0020
#define ISTRIP 0040
#define IXON 02000
#define IUTF8 040000
#define OPOST 1
#define ONLCR 4
#define CS8 060
#define CREAD 0200
#define ISIG 1
#define ICANON 2
#define ECHO 010
#define ECHOE 020
#define ECHOK 040
#define ECHONL 0100
#define NOFLSH 0200
#define TOSTOP 0400
#define ECHOCTL 01000
#define ECHOKE 04000
#define IEXTEN 0100000

#define TCSANOW 0
#define TCSADRAIN 1
#define TCSAFLUSH 2

int tcgetattr(int fd, struct termios *to);
int tcsetattr(int fd, int when, const struct termios *from);
