/** Linux's error numbers (asm-generic), and the exception by which kernel code returns one. */

export const E = {
  PERM: 1,
  NOENT: 2,
  SRCH: 3,
  INTR: 4,
  IO: 5,
  NXIO: 6,
  TOOBIG: 7,
  NOEXEC: 8,
  BADF: 9,
  CHILD: 10,
  AGAIN: 11,
  NOMEM: 12,
  ACCES: 13,
  FAULT: 14,
  BUSY: 16,
  EXIST: 17,
  XDEV: 18,
  NODEV: 19,
  NOTDIR: 20,
  ISDIR: 21,
  INVAL: 22,
  NFILE: 23,
  MFILE: 24,
  NOTTY: 25,
  TXTBSY: 26,
  FBIG: 27,
  NOSPC: 28,
  SPIPE: 29,
  ROFS: 30,
  MLINK: 31,
  PIPE: 32,
  DOM: 33,
  RANGE: 34,
  DEADLK: 35,
  NAMETOOLONG: 36,
  NOLCK: 37,
  NOSYS: 38,
  NOTEMPTY: 39,
  LOOP: 40,
  OVERFLOW: 75,
  BADFD: 77,
  ILSEQ: 84,
  NOTSOCK: 88,
  DESTADDRREQ: 89,
  MSGSIZE: 90,
  PROTOTYPE: 91,
  NOPROTOOPT: 92,
  PROTONOSUPPORT: 93,
  SOCKTNOSUPPORT: 94,
  OPNOTSUPP: 95,
  AFNOSUPPORT: 97,
  ADDRINUSE: 98,
  ADDRNOTAVAIL: 99,
  NETDOWN: 100,
  NETUNREACH: 101,
  CONNABORTED: 103,
  CONNRESET: 104,
  NOBUFS: 105,
  ISCONN: 106,
  NOTCONN: 107,
  TIMEDOUT: 110,
  CONNREFUSED: 111,
  HOSTDOWN: 112,
  HOSTUNREACH: 113,
  ALREADY: 114,
  INPROGRESS: 115,
  STALE: 116,
  /** Not for users: the call is to be made again after a signal if SA_RESTART (512), in any case without a handler (513/514). */
  RESTARTSYS: 512,
  RESTARTNOHAND: 514,
} as const;

/** V8 notes where an error was made, for what reports errors; kernels throw thousands that are answers, and nobody looks. */
const engine = Error as unknown as { stackTraceLimit?: number };

/** Thrown anywhere in kernel code to end the running system call with `-errno`. Has no stack. */
export class Errno extends Error {
  readonly errno: number;

  constructor(errno: number) {
    const { stackTraceLimit } = engine;
    engine.stackTraceLimit = 0;
    super(`errno ${errno}`);
    engine.stackTraceLimit = stackTraceLimit;
    this.errno = errno;
  }
}
