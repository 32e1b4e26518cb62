/** Bits of poll and epoll, with Linux's values. */

export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  NVAL: 32,
  RDNORM: 64,
  RDBAND: 128,
  WRNORM: 256,
  WRBAND: 512,
  RDHUP: 0x2000,
} as const;

/** What a file that never blocks answers. */
export const ALWAYS_READY = POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM;

export const EPOLL = {
  CTL_ADD: 1,
  CTL_DEL: 2,
  CTL_MOD: 3,
  CLOEXEC: 0o2000000,
  EXCLUSIVE: 1 << 28,
  WAKEUP: 1 << 29,
  ONESHOT: 1 << 30,
  ET: 0x80000000,
} as const;
export const EPOLL_EVENT_BYTES = 16;

export const EFD = { SEMAPHORE: 1, CLOEXEC: 0o2000000, NONBLOCK: 0o4000 } as const;
