/** Signal numbers of Linux RV64 (asm-generic) and what they do by default. */

export const SIG = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
} as const;

export const SIGNAL_COUNT = 64;

export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const DEFAULTS: Partial<Record<number, DefaultAction>> = {
  [SIG.QUIT]: 'core',
  [SIG.ILL]: 'core',
  [SIG.TRAP]: 'core',
  [SIG.ABRT]: 'core',
  [SIG.BUS]: 'core',
  [SIG.FPE]: 'core',
  [SIG.SEGV]: 'core',
  [SIG.XCPU]: 'core',
  [SIG.XFSZ]: 'core',
  [SIG.SYS]: 'core',
  [SIG.CHLD]: 'ignore',
  [SIG.URG]: 'ignore',
  [SIG.WINCH]: 'ignore',
  [SIG.CONT]: 'continue',
  [SIG.STOP]: 'stop',
  [SIG.TSTP]: 'stop',
  [SIG.TTIN]: 'stop',
  [SIG.TTOU]: 'stop',
};

/** What `signal` does to a process that neither handles nor ignores it. */
export function defaultAction(signal: number): DefaultAction {
  return DEFAULTS[signal] ?? 'terminate';
}

export const SA = {
  NOCLDSTOP: 1,
  NOCLDWAIT: 2,
  SIGINFO: 4,
  ONSTACK: 0x08000000,
  RESTART: 0x10000000,
  NODEFER: 0x40000000,
  RESETHAND: 0x80000000,
} as const;
export const SIG_DFL = 0;
export const SIG_IGN = 1;

/** `si_code` values the kernel produces. */
export const SI = {
  USER: 0,
  KERNEL: 0x80,
  TKILL: -6,
  SEGV_MAPERR: 1,
  SEGV_ACCERR: 2,
  BUS_ADRALN: 1,
  BUS_ADRERR: 2,
  ILL_ILLOPC: 1,
  TRAP_BRKPT: 1,
  CLD_EXITED: 1,
  CLD_KILLED: 2,
  CLD_DUMPED: 3,
  CLD_STOPPED: 5,
  CLD_CONTINUED: 6,
} as const;
