/** Numbers and layouts of the socket calls on Linux RV64 (asm-generic). */

export const AF = { UNSPEC: 0, UNIX: 1 } as const;

export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, SEQPACKET: 5, TYPE: 0xf, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;

export const SHUT = { RD: 0, WR: 1, RDWR: 2 } as const;

export const MSG = {
  OOB: 1,
  PEEK: 2,
  CTRUNC: 8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  WAITALL: 0x100,
  NOSIGNAL: 0x4000,
  WAITFORONE: 0x10000,
  CMSG_CLOEXEC: 0x40000000,
} as const;

export const SOL_SOCKET = 1;

export const SO = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  ACCEPTCONN: 30,
  PROTOCOL: 38,
  DOMAIN: 39,
} as const;

/** Control messages of SOL_SOCKET. */
export const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const;
/** Most descriptors in one message. */
export const SCM_MAX_FD = 253;

export const SOCKADDR_BYTES_MAX = 128;
export const MSGHDR_BYTES = 56;
export const MMSGHDR_BYTES = 64;
export const CMSGHDR_BYTES = 16;
/** Control messages begin at multiples of eight. */
export const cmsgAlign = (bytes: number): number => (bytes + 7) & ~7;
