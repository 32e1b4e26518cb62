/**
 * A terminal with Linux's line discipline (N_TTY): what is typed becomes lines, echo and signals; what is printed gets its carriage
 * returns. One side is a wire (the console device, or the master of a pseudo terminal), the other the files that processes open.
 *
 *     wire → input() → signals, editing, echo → lines or raw bytes → read()
 *     wire ← output  ← OPOST                                       ← write()
 *
 * Job control follows POSIX: only the foreground group of the session reads; others get SIGTTIN, or EIO if that is of no use.
 */
import { E, Errno } from '../../abi/errno.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { POLL } from '../../abi/poll.ts';
import { SIG } from '../../abi/signal.ts';
import { CC, decodeTermios, defaultTermios, encodeTermios, IFLAG, LFLAG, OFLAG, type Termios } from '../../abi/termios.ts';
import { sleep, WaitQueue, type Blocking, type Maybe, type Pid } from '../../types.ts';
import { setU32, u32At } from '../bytes.ts';
import { transferCost } from '../costs.ts';
import { SHIELD_TTIN, SHIELD_TTOU, type IoContext } from '../file.ts';
import type { FsServices } from '../services.ts';

/** Bytes typed and not yet read; what comes beyond is lost with a bell, as in Linux. */
const INPUT_BYTES_MAX = 4096;
const DELETE = 0x7f;
const NEWLINE = 10;
const RETURN = 13;
const TAB = 9;
const BELL = 7;

export interface WindowSize {
  rows: number;
  columns: number;
  xPixels: number;
  yPixels: number;
}

export class Terminal {
  termios: Termios = defaultTermios();
  size: WindowSize = { rows: 24, columns: 80, xPixels: 0, yPixels: 0 };
  /** Session that this is the controlling terminal of; 0 for none. */
  session: Pid = 0;
  foreground: Pid = 0;
  hungUp = false;
  /** Open files on the processes' side. */
  opens = 0;
  readonly changed = new WaitQueue();
  readonly queues: readonly WaitQueue[] = [this.changed];

  /** Finished lines, each with its delimiter; an empty one is an end of file. Used in canonical mode. */
  #lines: Uint8Array[] = [];
  /** The line being typed. */
  #edit: number[] = [];
  /** Typed bytes in raw mode. */
  #raw: number[] = [];
  #literalNext = false;
  /** Output was stopped with ^S or TCOOFF. */
  #stopped = false;
  /** Column of the cursor, as far as the output tells. */
  #column = 0;
  /** Column where the line being typed began. */
  #editColumn = 0;
  readonly #out: number[] = [];

  /**
   * @param device  device number, as /proc shows it
   * @param send    takes what comes out of the wire's end
   * @param room    how many bytes the wire takes now; output waits for more on `changed`
   */
  constructor(
    readonly services: FsServices,
    readonly device: number,
    readonly name: string,
    readonly send: (bytes: Uint8Array) => void,
    readonly room: () => number = () => Number.POSITIVE_INFINITY,
  ) {}

  get #canonical(): boolean {
    return (this.termios.local & LFLAG.ICANON) !== 0;
  }
  #local(flag: number): boolean {
    return (this.termios.local & flag) !== 0;
  }

  // ── From the wire ──

  input(bytes: Uint8Array): void {
    if (this.hungUp) return;
    for (const byte of bytes) this.#type(byte);
    this.#flushEcho();
    this.changed.wakeAll();
  }

  #type(typed: number): void {
    const { input, characters } = this.termios;
    let byte = typed;
    if (input & IFLAG.ISTRIP) byte &= 0x7f;
    if (this.#literalNext) {
      this.#literalNext = false;
      this.#accept(byte);
      return;
    }
    if (input & IFLAG.IXON) {
      if (is(characters, CC.START, byte)) return this.#resume();
      if (is(characters, CC.STOP, byte)) {
        this.#stopped = true;
        return;
      }
      if (this.#stopped && input & IFLAG.IXANY) this.#resume();
    }
    if (this.#local(LFLAG.ISIG)) {
      const signal = is(characters, CC.INTR, byte)
        ? SIG.INT
        : is(characters, CC.QUIT, byte)
          ? SIG.QUIT
          : is(characters, CC.SUSP, byte)
            ? SIG.TSTP
            : 0;
      if (signal) return this.#signal(signal, byte);
    }
    if (byte === RETURN) {
      if (input & IFLAG.IGNCR) return;
      if (input & IFLAG.ICRNL) byte = NEWLINE;
    } else if (byte === NEWLINE && input & IFLAG.INLCR) byte = RETURN;
    if (this.#canonical && this.#edits(byte)) return;
    this.#accept(byte);
  }

  #signal(signal: number, byte: number): void {
    this.#resume();
    if (!this.#local(LFLAG.NOFLSH)) this.#flushInput();
    if (this.#local(LFLAG.ECHO)) this.#echo(byte);
    if (this.foreground) this.services.jobs.signalGroup(this.foreground, signal);
  }

  /** Whether `byte` was an editing character, which is done then. */
  #edits(byte: number): boolean {
    const { characters } = this.termios;
    const extended = this.#local(LFLAG.IEXTEN);
    if (is(characters, CC.ERASE, byte)) this.#erase();
    else if (extended && is(characters, CC.WERASE, byte)) this.#eraseWord();
    else if (is(characters, CC.KILL, byte)) this.#kill(byte);
    else if (extended && is(characters, CC.LNEXT, byte)) {
      this.#literalNext = true;
      if (this.#local(LFLAG.ECHO) && this.#local(LFLAG.ECHOCTL)) this.#emit('^\b');
    } else if (extended && this.#local(LFLAG.ECHO) && is(characters, CC.REPRINT, byte)) {
      this.#echo(byte);
      this.#newline();
      this.#editColumn = this.#column;
      for (const each of this.#edit) this.#echo(each);
    } else if (is(characters, CC.EOF, byte)) this.#finishLine();
    else if (byte === NEWLINE) {
      if (this.#local(LFLAG.ECHO) || this.#local(LFLAG.ECHONL)) this.#newline();
      this.#edit.push(byte);
      this.#finishLine();
    } else if (is(characters, CC.EOL, byte) || (extended && is(characters, CC.EOL2, byte))) {
      if (this.#local(LFLAG.ECHO)) this.#echo(byte);
      this.#edit.push(byte);
      this.#finishLine();
    } else return false;
    return true;
  }

  #accept(byte: number): void {
    if (this.#pending >= INPUT_BYTES_MAX - (this.#canonical ? 1 : 0)) {
      if (this.termios.input & IFLAG.IMAXBEL) this.#out.push(BELL);
      return;
    }
    if (this.#canonical) {
      if (this.#edit.length === 0) this.#editColumn = this.#column;
      this.#edit.push(byte);
    } else this.#raw.push(byte);
    if (this.#local(LFLAG.ECHO)) this.#echo(byte);
    else if (byte === NEWLINE && this.#canonical && this.#local(LFLAG.ECHONL)) this.#newline();
  }

  get #pending(): number {
    return this.#edit.length + this.#raw.length + this.#lines.reduce((sum, line) => sum + line.length, 0);
  }

  #finishLine(): void {
    this.#lines.push(Uint8Array.from(this.#edit));
    this.#edit = [];
  }

  // ── Echo and editing ──

  #echo(byte: number): void {
    if (byte === NEWLINE && !this.#canonical) this.#process(byte, this.#out);
    else if (this.#shownWithCaret(byte)) this.#emit(`^${String.fromCharCode(byte ^ 0x40)}`);
    else this.#process(byte, this.#out);
  }

  #shownWithCaret(byte: number): boolean {
    return this.#local(LFLAG.ECHOCTL) && (byte < 32 || byte === DELETE) && byte !== TAB && byte !== NEWLINE;
  }

  #emit(text: string): void {
    for (let i = 0; i < text.length; i++) this.#process(text.charCodeAt(i), this.#out);
  }

  #newline(): void {
    this.#process(NEWLINE, this.#out);
  }

  #flushEcho(): void {
    if (this.#out.length === 0) return;
    this.send(Uint8Array.from(this.#out));
    this.#out.length = 0;
  }

  /** Takes the last character (all bytes of it) from the line being typed, and from the screen. */
  #erase(): void {
    if (this.#edit.length === 0) return;
    const gone = [this.#edit.pop() as number];
    if (this.termios.input & IFLAG.IUTF8) {
      while (isContinuation(gone[0] as number) && this.#edit.length > 0) gone.unshift(this.#edit.pop() as number);
    }
    if (!this.#local(LFLAG.ECHO)) return;
    const byte = gone[0] as number;
    if (!this.#local(LFLAG.ECHOE)) {
      this.#echo(this.termios.characters[CC.ERASE] as number);
      return;
    }
    if (byte === TAB) {
      const target = this.#columnAfterEdit();
      while (this.#column > target) {
        this.#out.push(8);
        this.#column--;
      }
      return;
    }
    const width = this.#shownWithCaret(byte) ? 2 : byte < 32 || byte === DELETE ? 0 : 1;
    for (let i = 0; i < width; i++) {
      this.#out.push(8, 32, 8);
      this.#column = Math.max(0, this.#column - 1);
    }
  }

  #columnAfterEdit(): number {
    let column = this.#editColumn;
    for (const byte of this.#edit) {
      if (byte === TAB) column = (column | 7) + 1;
      else if (this.#shownWithCaret(byte)) column += 2;
      else if (byte >= 32 && !isContinuation(byte)) column++;
    }
    return column;
  }

  #eraseWord(): void {
    const last = (): number | undefined => this.#edit[this.#edit.length - 1];
    while (last() === 32 || last() === TAB) this.#erase();
    while (this.#edit.length > 0 && last() !== 32 && last() !== TAB) this.#erase();
  }

  #kill(byte: number): void {
    if (this.#local(LFLAG.ECHO) && !(this.#local(LFLAG.ECHOK) && this.#local(LFLAG.ECHOKE) && this.#local(LFLAG.ECHOE))) {
      this.#edit = [];
      this.#echo(byte);
      if (this.#local(LFLAG.ECHOK)) this.#newline();
      return;
    }
    while (this.#edit.length > 0) this.#erase();
  }

  // ── To the wire ──

  /** Output processing of one byte; appends what goes out. */
  #process(byte: number, out: number[]): void {
    const { output } = this.termios;
    if (!(output & OFLAG.OPOST)) {
      out.push(byte);
      return;
    }
    switch (byte) {
      case NEWLINE:
        if (output & OFLAG.ONLCR) out.push(RETURN);
        if (output & (OFLAG.ONLCR | OFLAG.ONLRET)) this.#column = 0;
        out.push(NEWLINE);
        return;
      case RETURN:
        if (output & OFLAG.ONOCR && this.#column === 0) return;
        if (output & OFLAG.OCRNL) {
          out.push(NEWLINE);
          return;
        }
        this.#column = 0;
        out.push(RETURN);
        return;
      case TAB: {
        const next = (this.#column | 7) + 1;
        if ((output & OFLAG.TABDLY) === OFLAG.XTABS) for (let i = this.#column; i < next; i++) out.push(32);
        else out.push(TAB);
        this.#column = next;
        return;
      }
      case 8:
        if (this.#column > 0) this.#column--;
        out.push(8);
        return;
      default: {
        const shown = output & OFLAG.OLCUC && byte >= 97 && byte <= 122 ? byte - 32 : byte;
        if (shown >= 32 && shown !== DELETE && !isContinuation(shown)) this.#column++;
        out.push(shown);
      }
    }
  }

  #resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.changed.wakeAll();
  }

  write(source: Uint8Array, io: IoContext, nonblocking: boolean): Maybe<number> {
    if (this.hungUp) throw new Errno(E.IO);
    if (this.#local(LFLAG.TOSTOP)) this.#checkBackground(io, SIG.TTOU);
    this.services.charge(transferCost(source.length));
    if (!this.#stopped && this.room() >= 2 * source.length) return this.#print(source);
    if (nonblocking) {
      const fits = this.#stopped ? 0 : Math.min(source.length, this.room() >> 1);
      if (fits === 0) throw new Errno(E.AGAIN);
      return this.#print(source.subarray(0, fits));
    }
    return this.#writeLater(source);
  }

  #print(source: Uint8Array): number {
    const out: number[] = [];
    for (const byte of source) this.#process(byte, out);
    this.send(Uint8Array.from(out));
    return source.length;
  }

  *#writeLater(source: Uint8Array): Blocking<number> {
    let done = 0;
    for (;;) {
      if (this.hungUp) throw new Errno(E.IO);
      const fits = this.#stopped ? 0 : Math.min(source.length - done, Math.floor(this.room() / 2));
      if (fits > 0) done += this.#print(source.subarray(done, done + fits));
      if (done === source.length) return done;
      if ((yield* sleep(this.queues)) === 'interrupted') {
        if (done > 0) return done;
        throw new Errno(E.RESTARTSYS);
      }
    }
  }

  // ── Reading ──

  read(target: Uint8Array, io: IoContext, nonblocking: boolean): Maybe<number> {
    if (this.hungUp) return 0;
    this.#checkBackground(io, SIG.TTIN);
    if (target.length === 0) return 0;
    if (this.#canonical ? this.#lines.length > 0 : this.#raw.length >= Math.max(1, this.#min) && this.#min > 0) return this.#take(target);
    if (nonblocking) {
      if (!this.#canonical && this.#raw.length > 0) return this.#take(target);
      throw new Errno(E.AGAIN);
    }
    return this.#readLater(target, io);
  }

  get #min(): number {
    return this.termios.characters[CC.MIN] as number;
  }
  /** VTIME in cycles; 0 for none. */
  get #time(): number {
    return ((this.termios.characters[CC.TIME] as number) * this.services.hertz) / 10;
  }

  *#readLater(target: Uint8Array, io: IoContext): Blocking<number> {
    // VTIME counts from the start without VMIN, else from byte to byte.
    let deadline = this.#min === 0 ? this.services.now() + this.#time : Number.POSITIVE_INFINITY;
    let seen = this.#raw.length;
    for (;;) {
      if (this.hungUp) return 0;
      this.#checkBackground(io, SIG.TTIN);
      if (this.#canonical) {
        if (this.#lines.length > 0) return this.#take(target);
        deadline = Number.POSITIVE_INFINITY;
      } else {
        const enough = Math.min(Math.max(1, this.#min), target.length);
        if (this.#raw.length >= enough) return this.#take(target);
        if (this.#min === 0 && this.#time === 0) return this.#take(target);
        if (
          this.#min > 0 &&
          this.#time > 0 &&
          this.#raw.length > 0 &&
          (this.#raw.length !== seen || deadline === Number.POSITIVE_INFINITY)
        ) {
          deadline = this.services.now() + this.#time;
        }
        seen = this.#raw.length;
      }
      const reason = yield* sleep(this.queues, { deadline });
      if (reason === 'timeout' && !this.#canonical) return this.#take(target);
      if (reason === 'interrupted') {
        if (!this.#canonical && this.#raw.length > 0) return this.#take(target);
        if (this.#canonical && this.#lines.length > 0) continue;
        throw new Errno(E.RESTARTSYS);
      }
    }
  }

  #take(target: Uint8Array): number {
    let count: number;
    if (this.#canonical) {
      const line = this.#lines[0] as Uint8Array;
      count = Math.min(line.length, target.length);
      target.set(line.subarray(0, count));
      if (count === line.length) this.#lines.shift();
      else this.#lines[0] = line.subarray(count);
    } else {
      count = Math.min(this.#raw.length, target.length);
      target.set(this.#raw.splice(0, count));
    }
    this.services.charge(transferCost(count));
    return count;
  }

  get readable(): number {
    return this.#canonical ? this.#lines.reduce((sum, line) => sum + line.length, 0) : this.#raw.length;
  }

  poll(): number {
    if (this.hungUp) return POLL.IN | POLL.OUT | POLL.ERR | POLL.HUP | POLL.RDNORM | POLL.WRNORM;
    const enough = this.#canonical ? this.#lines.length > 0 : this.#raw.length >= (this.#time === 0 ? Math.max(1, this.#min) : 1);
    return (enough ? POLL.IN | POLL.RDNORM : 0) | (!this.#stopped && this.room() > 1 ? POLL.OUT | POLL.WRNORM : 0);
  }

  #flushInput(): void {
    this.#lines = [];
    this.#edit = [];
    this.#raw = [];
    this.#literalNext = false;
  }

  // ── Job control ──

  /** Stops a background group that reads (SIGTTIN) or changes the terminal (SIGTTOU). */
  #checkBackground(io: IoContext, signal: number): void {
    const { jobs } = this.services;
    if (this.session === 0 || this.foreground === 0 || jobs.sessionOf(io.pid) !== this.session) return;
    const group = jobs.groupOf(io.pid);
    if (group === this.foreground) return;
    const shielded = (io.shield & (signal === SIG.TTIN ? SHIELD_TTIN : SHIELD_TTOU)) !== 0;
    if (signal === SIG.TTOU && shielded) return;
    if (shielded || jobs.isOrphanedGroup(group)) throw new Errno(E.IO);
    jobs.signalGroup(group, signal);
    throw new Errno(E.RESTARTSYS);
  }

  /** Makes this the controlling terminal of the opener, if it leads a session that has none (`taken`: has one already). */
  adopt(io: IoContext, sessionHasTerminal: boolean): void {
    const session = this.services.jobs.sessionOf(io.pid);
    if (session !== io.pid || this.session !== 0 || sessionHasTerminal) return;
    this.session = session;
    this.foreground = this.services.jobs.groupOf(io.pid);
  }

  /** The line went dead: whoever leads the session learns it, readers see the end. */
  hangup(): void {
    if (this.hungUp) return;
    this.hungUp = true;
    if (this.foreground) {
      this.services.jobs.signalGroup(this.foreground, SIG.HUP);
      this.services.jobs.signalGroup(this.foreground, SIG.CONT);
    }
    if (this.session && this.session !== this.foreground) this.services.jobs.signalGroup(this.session, SIG.HUP);
    this.leave();
    this.#flushInput();
    this.changed.wakeAll();
  }

  /** The session gives the terminal up: its leader exited, or asked for it. */
  leave(): void {
    this.session = 0;
    this.foreground = 0;
  }

  resize(columns: number, rows: number): void {
    if (this.size.columns === columns && this.size.rows === rows) return;
    this.size = { ...this.size, columns, rows };
    if (this.foreground) this.services.jobs.signalGroup(this.foreground, SIG.WINCH);
  }

  ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): Maybe<number> {
    const { jobs } = this.services;
    switch (command) {
      case IOCTL.TCGETS:
      case IOCTL.TCGETS2:
        encodeTermios(this.termios, data);
        return 0;
      case IOCTL.TCSETS:
      case IOCTL.TCSETSW:
      case IOCTL.TCSETSF:
      case IOCTL.TCSETS2:
      case IOCTL.TCSETSW2:
      case IOCTL.TCSETSF2:
        this.#checkBackground(io, SIG.TTOU);
        if (command === IOCTL.TCSETSF || command === IOCTL.TCSETSF2) this.#flushInput();
        this.#setTermios(decodeTermios(data, this.termios));
        return 0;
      case IOCTL.TIOCGWINSZ:
        data.set([
          this.size.rows,
          this.size.rows >> 8,
          this.size.columns,
          this.size.columns >> 8,
          this.size.xPixels,
          this.size.xPixels >> 8,
          this.size.yPixels,
          this.size.yPixels >> 8,
        ]);
        return 0;
      case IOCTL.TIOCSWINSZ: {
        const [rows, columns, xPixels, yPixels] = [0, 2, 4, 6].map(at => (data[at] as number) | ((data[at + 1] as number) << 8)) as [
          number,
          number,
          number,
          number,
        ];
        this.size = { ...this.size, xPixels, yPixels };
        this.resize(columns, rows);
        return 0;
      }
      case IOCTL.TIOCSCTTY: {
        const session = jobs.sessionOf(io.pid);
        if (this.session === session && session === io.pid) return 0;
        if (session !== io.pid || (this.session !== 0 && argument !== 1)) throw new Errno(E.PERM);
        this.session = session;
        this.foreground = jobs.groupOf(io.pid);
        return 0;
      }
      case IOCTL.TIOCNOTTY: {
        if (this.session === 0 || jobs.sessionOf(io.pid) !== this.session) throw new Errno(E.NOTTY);
        if (this.session === io.pid) {
          const { foreground } = this;
          this.leave();
          if (foreground) for (const signal of [SIG.HUP, SIG.CONT]) jobs.signalGroup(foreground, signal);
        }
        return 0;
      }
      case IOCTL.TIOCGPGRP:
        this.#checkMine(io);
        setU32(data, this.foreground);
        return 0;
      case IOCTL.TIOCSPGRP: {
        this.#checkMine(io);
        this.#checkBackground(io, SIG.TTOU);
        const group = u32At(data) | 0;
        if (group <= 0) throw new Errno(E.INVAL);
        // A group is named after a process that may be gone; while it is there it has to be of this session.
        const session = jobs.sessionOf(group);
        if (session !== 0 && session !== this.session) throw new Errno(E.PERM);
        this.foreground = group;
        this.changed.wakeAll();
        return 0;
      }
      case IOCTL.TIOCGSID:
        this.#checkMine(io);
        setU32(data, this.session);
        return 0;
      case IOCTL.TCFLSH:
        this.#checkBackground(io, SIG.TTOU);
        if (argument < 0 || argument > 2) throw new Errno(E.INVAL);
        if (argument !== 1) this.#flushInput();
        return 0;
      case IOCTL.TCXONC:
        this.#checkBackground(io, SIG.TTOU);
        if (argument === 0) this.#stopped = true;
        else if (argument === 1) this.#resume();
        else if (argument !== 2 && argument !== 3) throw new Errno(E.INVAL);
        return 0;
      case IOCTL.TCSBRK:
      case IOCTL.TCSBRKP:
      case IOCTL.TIOCEXCL:
      case IOCTL.TIOCNXCL:
        return 0;
      case IOCTL.TIOCOUTQ:
      case IOCTL.TIOCGETD:
        setU32(data, 0);
        return 0;
      case IOCTL.FIONREAD:
        setU32(data, this.readable);
        return 0;
      case IOCTL.TIOCSTI:
        this.input(data);
        return 0;
      default:
        throw new Errno(E.NOTTY);
    }
  }

  #checkMine(io: IoContext): void {
    if (this.session === 0 || this.services.jobs.sessionOf(io.pid) !== this.session) throw new Errno(E.NOTTY);
  }

  #setTermios(next: Termios): void {
    const before = this.#canonical;
    this.termios = next;
    if (before && !this.#canonical) {
      for (const line of this.#lines) this.#raw.push(...line);
      this.#raw.push(...this.#edit);
      this.#lines = [];
      this.#edit = [];
    } else if (!before && this.#canonical && this.#raw.length > 0) {
      this.#lines.push(Uint8Array.from(this.#raw));
      this.#raw = [];
    }
    if (!(next.input & IFLAG.IXON)) this.#resume();
    this.changed.wakeAll();
  }
}

/** Whether `byte` is the special character at `place`; 0 there switches it off. */
function is(characters: Uint8Array, place: number, byte: number): boolean {
  return characters[place] === byte && byte !== 0;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;
