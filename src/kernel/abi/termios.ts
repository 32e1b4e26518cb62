/** Terminal settings: flags, special characters and the two layouts (termios 36 bytes, termios2 44) of Linux RV64. */

export const IFLAG = {
  IGNBRK: 1,
  BRKINT: 2,
  IGNPAR: 4,
  PARMRK: 8,
  INPCK: 0o20,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IUCLC: 0o1000,
  IXON: 0o2000,
  IXANY: 0o4000,
  IXOFF: 0o10000,
  IMAXBEL: 0o20000,
  IUTF8: 0o40000,
} as const;
export const OFLAG = { OPOST: 1, OLCUC: 2, ONLCR: 4, OCRNL: 0o10, ONOCR: 0o20, ONLRET: 0o40, TABDLY: 0o14000, XTABS: 0o14000 } as const;
export const CFLAG = { CBAUD: 0o10017, B38400: 0o17, CS8: 0o60, CREAD: 0o200, HUPCL: 0o2000, CLOCAL: 0o4000 } as const;
export const LFLAG = {
  ISIG: 1,
  ICANON: 2,
  XCASE: 4,
  ECHO: 0o10,
  ECHOE: 0o20,
  ECHOK: 0o40,
  ECHONL: 0o100,
  NOFLSH: 0o200,
  TOSTOP: 0o400,
  ECHOCTL: 0o1000,
  ECHOPRT: 0o2000,
  ECHOKE: 0o4000,
  FLUSHO: 0o10000,
  PENDIN: 0o40000,
  IEXTEN: 0o100000,
} as const;

/** Places in `c_cc`. */
export const CC = {
  INTR: 0,
  QUIT: 1,
  ERASE: 2,
  KILL: 3,
  EOF: 4,
  TIME: 5,
  MIN: 6,
  SWTC: 7,
  START: 8,
  STOP: 9,
  SUSP: 10,
  EOL: 11,
  REPRINT: 12,
  DISCARD: 13,
  WERASE: 14,
  LNEXT: 15,
  EOL2: 16,
} as const;
export const NCCS = 19;
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;

export interface Termios {
  input: number;
  output: number;
  control: number;
  local: number;
  line: number;
  characters: Uint8Array;
  inputSpeed: number;
  outputSpeed: number;
}

export function defaultTermios(): Termios {
  const characters = new Uint8Array(NCCS);
  characters.set([3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0]);
  return {
    input: IFLAG.ICRNL | IFLAG.IXON | IFLAG.IUTF8,
    output: OFLAG.OPOST | OFLAG.ONLCR,
    control: CFLAG.B38400 | CFLAG.CS8 | CFLAG.CREAD | CFLAG.HUPCL,
    local: LFLAG.ISIG | LFLAG.ICANON | LFLAG.ECHO | LFLAG.ECHOE | LFLAG.ECHOK | LFLAG.ECHOCTL | LFLAG.ECHOKE | LFLAG.IEXTEN,
    line: 0,
    characters,
    inputSpeed: 38400,
    outputSpeed: 38400,
  };
}

/** Writes the settings into `bytes`: termios, or termios2 when there is room for the speeds. */
export function encodeTermios(t: Termios, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0, t.input, true);
  view.setUint32(4, t.output, true);
  view.setUint32(8, t.control, true);
  view.setUint32(12, t.local, true);
  bytes[16] = t.line;
  bytes.set(t.characters, 17);
  if (bytes.length >= TERMIOS2_BYTES) {
    view.setUint32(36, t.inputSpeed, true);
    view.setUint32(40, t.outputSpeed, true);
  }
}

export function decodeTermios(bytes: Uint8Array, before: Termios): Termios {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const speeds = bytes.length >= TERMIOS2_BYTES;
  return {
    input: view.getUint32(0, true),
    output: view.getUint32(4, true),
    control: view.getUint32(8, true),
    local: view.getUint32(12, true),
    line: bytes[16] ?? 0,
    characters: bytes.slice(17, 17 + NCCS),
    inputSpeed: speeds ? view.getUint32(36, true) : before.inputSpeed,
    outputSpeed: speeds ? view.getUint32(40, true) : before.outputSpeed,
  };
}
