/** Numbers and layouts of the socket calls on Linux RV64 (asm-generic). */

export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, NETLINK: 16, PACKET: 17 } as const;

export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, SEQPACKET: 5, TYPE: 0xf, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;

export const SHUT = { RD: 0, WR: 1, RDWR: 2 } as const;

export const MSG = {
  OOB: 1,
  PEEK: 2,
  CTRUNC: 8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
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
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  BINDTODEVICE: 25,
  ATTACH_FILTER: 26,
  DETACH_FILTER: 27,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  INCOMING_CPU: 49,
} as const;

export const IPPROTO = { IP: 0, ICMP: 1, TCP: 6, UDP: 17, RAW: 255 } as const;

/** Options of level IPPROTO_IP. */
export const IP = {
  TOS: 1,
  TTL: 2,
  HDRINCL: 3,
  OPTIONS: 4,
  RETOPTS: 7,
  PKTINFO: 8,
  MTU_DISCOVER: 10,
  RECVERR: 11,
  RECVTTL: 12,
  RECVTOS: 13,
  MTU: 14,
  FREEBIND: 15,
  MINTTL: 21,
  BIND_ADDRESS_NO_PORT: 24,
  MULTICAST_TTL: 33,
  MULTICAST_LOOP: 34,
} as const;

/** Options of level IPPROTO_TCP. */
export const TCPOPT = {
  NODELAY: 1,
  MAXSEG: 2,
  CORK: 3,
  KEEPIDLE: 4,
  KEEPINTVL: 5,
  KEEPCNT: 6,
  SYNCNT: 7,
  LINGER2: 8,
  DEFER_ACCEPT: 9,
  WINDOW_CLAMP: 10,
  INFO: 11,
  QUICKACK: 12,
  CONGESTION: 13,
  USER_TIMEOUT: 18,
  FASTOPEN: 23,
  NOTSENT_LOWAT: 25,
} as const;

export const SOL_RAW = 255;
export const ICMP_FILTER = 1;
export const SOL_PACKET = 263;
export const PACKET = { ADD_MEMBERSHIP: 1, DROP_MEMBERSHIP: 2, STATISTICS: 6, AUXDATA: 8, VERSION: 10, HDRLEN: 11 } as const;
export const SOL_NETLINK = 270;

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
