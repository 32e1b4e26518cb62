/** Terminals as files, and which of them belongs to a session. */
import { E, Errno } from '../../abi/errno.ts';
import { O } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import type { KernelId, Maybe, Pid, WaitQueue } from '../../types.ts';
import { BaseFile, mayRead, mayWrite, plainAttributes, type FileKind, type IoContext } from '../file.ts';
import type { AttributeChange, Attributes, Inode } from '../inode.ts';
import type { Terminal } from './terminal.ts';

/** The terminals of one kernel. */
export class Terminals {
  readonly all = new Set<Terminal>();

  /** The controlling terminal of the session, if it is one of this kernel's. */
  ofSession(session: Pid): Terminal | null {
    if (session === 0) return null;
    for (const terminal of this.all) if (terminal.session === session) return terminal;
    return null;
  }

  /** A session's leader is gone: its terminal is free again, and the foreground group gets SIGHUP and SIGCONT. */
  leaderExited(session: Pid): void {
    const terminal = this.ofSession(session);
    if (!terminal) return;
    const { foreground } = terminal;
    terminal.leave();
    if (foreground) {
      terminal.services.jobs.signalGroup(foreground, 1);
      terminal.services.jobs.signalGroup(foreground, 18);
    }
  }

  open(terminal: Terminal, flags: number, io: IoContext): TtyFile {
    if (terminal.hungUp) throw new Errno(E.IO);
    if (!(flags & O.NOCTTY)) terminal.adopt(io, this.ofSession(terminal.services.jobs.sessionOf(io.pid)) !== null);
    return new TtyFile(terminal, flags);
  }
}

export class TtyFile extends BaseFile {
  readonly kind: FileKind = 'character';

  constructor(
    readonly terminal: Terminal,
    flags: number,
  ) {
    super(flags);
    terminal.opens++;
  }

  get owner(): KernelId {
    return this.terminal.services.kernel;
  }
  override get label(): string {
    return `/dev/${this.terminal.name}`;
  }
  override get queues(): readonly WaitQueue[] {
    return this.terminal.queues;
  }
  override get inode(): Inode | null {
    return this.dentry?.inode ?? null;
  }

  protected override closed(): void {
    this.terminal.opens--;
    this.terminal.changed.wakeAll();
  }

  override read(target: Uint8Array, io: IoContext): Maybe<number> {
    if (!mayRead(this)) throw new Errno(E.BADF);
    return this.terminal.read(target, io, this.nonblocking);
  }

  override write(source: Uint8Array, io: IoContext): Maybe<number> {
    if (!mayWrite(this)) throw new Errno(E.BADF);
    return this.terminal.write(source, io, this.nonblocking);
  }

  override poll(): number {
    return this.terminal.poll();
  }

  override ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): Maybe<number> {
    return this.terminal.ioctl(command, argument, data, io);
  }

  attributes(): Maybe<Attributes> {
    return this.inode?.attributes() ?? plainAttributes(5, 3, S.IFCHR | 0o620, { rdev: this.terminal.device });
  }

  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.inode?.setAttributes(change);
  }
}
