/** Calls about the system as a whole. */
import { E, Errno } from '../abi/errno.ts';
import { type Kernel, latin1 } from '../kernel.ts';
import { int64 } from '../mm/user-memory.ts';
import { PAGE_SIZE } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });

export const RELEASE = '6.1.0-popcorn';
export const VERSION = '#1 SMP';
const UTS_FIELD = 65;
const SYSLOG = { READ: 2, READ_ALL: 3, READ_CLEAR: 4, CLEAR: 5, SIZE_UNREAD: 9, SIZE_BUFFER: 10 } as const;
const LOG_BYTES = 1 << 18;

export function systemCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  let cleared = 0;

  function syslog(ctx: SyscallContext, type: number, address: number, length: number): number {
    const text = (): Uint8Array =>
      latin1(
        kernel.logBook.lines
          .slice(Math.max(0, cleared - kernel.logBook.dropped))
          .map(line => `<${line.level}>${kernel.logBook.format(line)}\n`)
          .join(''),
      );
    switch (type) {
      case SYSLOG.READ:
      case SYSLOG.READ_ALL:
      case SYSLOG.READ_CLEAR: {
        const bytes = text();
        const part = bytes.subarray(Math.max(0, bytes.length - length));
        ctx.user.write(address, part);
        if (type === SYSLOG.READ_CLEAR) cleared = kernel.logBook.dropped + kernel.logBook.lines.length;
        return part.length;
      }
      case SYSLOG.CLEAR:
        cleared = kernel.logBook.dropped + kernel.logBook.lines.length;
        return 0;
      case SYSLOG.SIZE_UNREAD:
        return text().length;
      case SYSLOG.SIZE_BUFFER:
        return LOG_BYTES;
      default:
        return 0;
    }
  }

  return {
    116: partial('syslog', syslog, 'READ does not wait for new lines.'),
    142: partial(
      'reboot',
      ctx => {
        if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
        kernel.at(kernel.now, () => kernel.spawn(kernel.lifecycle.halt()));
        return 0;
      },
      'Whatever is asked, the kernel halts.',
    ),
    160: full('uname', (ctx, address) => {
      const fields = ['Linux', kernel.hostname, RELEASE, VERSION, 'riscv64', '(none)'];
      ctx.user.write(address, latin1(fields.map(field => field.padEnd(UTS_FIELD, '\0')).join('')));
      return 0;
    }),
    161: full('sethostname', (ctx, address, length) => {
      if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
      if (length < 0 || length > 64) throw new Errno(E.INVAL);
      kernel.hostname = String.fromCharCode(...ctx.user.read(address, length));
      return 0;
    }),
    179: full('sysinfo', (ctx, address) => {
      const bytes = new Uint8Array(112);
      const view = new DataView(bytes.buffer);
      bytes.set(int64(Math.floor(kernel.now / kernel.hertz)), 0);
      bytes.set(int64(kernel.frames.own.total * PAGE_SIZE), 32);
      bytes.set(int64(kernel.frames.own.free * PAGE_SIZE), 40);
      view.setUint16(80, kernel.processes.size, true);
      view.setUint32(104, 1, true);
      ctx.user.write(address, bytes);
      return 0;
    }),
  };
}
