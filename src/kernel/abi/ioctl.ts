/**
 * The ioctls that a file of this kernel may understand: number, and which way how many bytes go. The system call copies the bytes
 * by this table, so that a file never sees a user pointer and can live on another kernel.
 */

export const IOCTL = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCSETSW: 0x5403,
  TCSETSF: 0x5404,
  TCSBRK: 0x5409,
  TCXONC: 0x540a,
  TCFLSH: 0x540b,
  TIOCEXCL: 0x540c,
  TIOCNXCL: 0x540d,
  TIOCSCTTY: 0x540e,
  TIOCGPGRP: 0x540f,
  TIOCSPGRP: 0x5410,
  TIOCOUTQ: 0x5411,
  TIOCSTI: 0x5412,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  TIOCNOTTY: 0x5422,
  TIOCGETD: 0x5424,
  TCSBRKP: 0x5425,
  TIOCGSID: 0x5429,
  TCGETS2: 0x802c542a,
  TCSETS2: 0x402c542b,
  TCSETSW2: 0x402c542c,
  TCSETSF2: 0x402c542d,
  TIOCGPTN: 0x80045430,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTLCK: 0x80045439,
  TIOCGPTPEER: 0x5441,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
  FIOASYNC: 0x5452,
  FIOQSIZE: 0x5460,
  KDGKBTYPE: 0x4b33,
  BLKSSZGET: 0x1268,
  BLKGETSIZE64: 0x80081272,
} as const;

export interface IoctlShape {
  readonly name: string;
  readonly bytes: number;
  /** Bytes go from the user to the file, come back, or both. */
  readonly direction: 'none' | 'in' | 'out';
}

const SHAPES: readonly (readonly [keyof typeof IOCTL, IoctlShape['direction'], number])[] = [
  ['TCGETS', 'out', 36],
  ['TCSETS', 'in', 36],
  ['TCSETSW', 'in', 36],
  ['TCSETSF', 'in', 36],
  ['TCSBRK', 'none', 0],
  ['TCXONC', 'none', 0],
  ['TCFLSH', 'none', 0],
  ['TIOCEXCL', 'none', 0],
  ['TIOCNXCL', 'none', 0],
  ['TIOCSCTTY', 'none', 0],
  ['TIOCGPGRP', 'out', 4],
  ['TIOCSPGRP', 'in', 4],
  ['TIOCOUTQ', 'out', 4],
  ['TIOCSTI', 'in', 1],
  ['TIOCGWINSZ', 'out', 8],
  ['TIOCSWINSZ', 'in', 8],
  ['FIONREAD', 'out', 4],
  ['FIONBIO', 'in', 4],
  ['TIOCNOTTY', 'none', 0],
  ['TIOCGETD', 'out', 4],
  ['TCSBRKP', 'none', 0],
  ['TIOCGSID', 'out', 4],
  ['TCGETS2', 'out', 44],
  ['TCSETS2', 'in', 44],
  ['TCSETSW2', 'in', 44],
  ['TCSETSF2', 'in', 44],
  ['TIOCGPTN', 'out', 4],
  ['TIOCSPTLCK', 'in', 4],
  ['TIOCGPTLCK', 'out', 4],
  ['TIOCGPTPEER', 'none', 0],
  ['FIONCLEX', 'none', 0],
  ['FIOCLEX', 'none', 0],
  ['FIOASYNC', 'in', 4],
  ['FIOQSIZE', 'out', 8],
  ['KDGKBTYPE', 'out', 1],
  ['BLKSSZGET', 'out', 4],
  ['BLKGETSIZE64', 'out', 8],
];

/** By number; a command that isn't here has no bytes, and no file knows it. */
export const IOCTLS: ReadonlyMap<number, IoctlShape> = new Map(
  SHAPES.map(([name, direction, bytes]) => [IOCTL[name], { name, direction, bytes }]),
);
