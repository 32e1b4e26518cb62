/** Calls about the address space. */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { mayRead, mayWrite } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { fileBacking } from '../mm/file-backing.ts';
import { roundUpToPage, USER_END } from '../mm/page-table.ts';
import type { Sharing } from '../mm/sharing.ts';
import { MAP, PROT } from '../mm/vm-area.ts';
import type { Backing } from '../mm/vm-area.ts';
import { type Blocking, type Maybe, PAGE_SIZE } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { fileOf } from './file-common.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });

const MADV_DONTNEED = 4;
const MADV_LAST = 25;
const MREMAP = { MAYMOVE: 1, FIXED: 2 } as const;

export function memoryCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  const range = (address: number, length: number): void => {
    if (address % PAGE_SIZE !== 0) throw new Errno(E.INVAL);
    if (!(address >= 0 && length >= 0 && address + roundUpToPage(length) <= USER_END)) throw new Errno(E.NOMEM);
  };

  /** Does `change` to a range once no other kernel has a page of it. */
  function alone<T>(ctx: SyscallContext, start: number, end: number, change: () => T): Maybe<T> {
    const { sharing } = ctx.process.mm;
    return sharing === null ? change() : changeAlone(sharing, start, end, change);
  }
  function* changeAlone<T>(sharing: Sharing, start: number, end: number, change: () => T): Blocking<T> {
    yield* sharing.gatherRange(start, end);
    return change();
  }

  function* mmap(
    ctx: SyscallContext,
    hint: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): Blocking<number> {
    const { mm } = ctx.process;
    const type = flags & 3;
    if (type === 0 || !(length > 0) || offset % PAGE_SIZE !== 0 || offset < 0) throw new Errno(E.INVAL);
    const wanted = flags & (MAP.FIXED | MAP.FIXED_NOREPLACE) ? hint : Math.max(0, hint);
    const space = type === MAP.PRIVATE ? flags : (flags & ~3) | MAP.SHARED;
    let backing: Backing | null = null;
    if (!(flags & MAP.ANONYMOUS)) {
      const file = fileOf(ctx, fd);
      if (file.flags & O.PATH) throw new Errno(E.BADF);
      if (!mayRead(file)) throw new Errno(E.ACCES);
      if (type !== MAP.PRIVATE && protection & PROT.WRITE && !mayWrite(file)) throw new Errno(E.ACCES);
      // Memory of a device is one kernel's.
      if (file.owner !== kernel.id && type !== MAP.PRIVATE && file.kind !== 'file') throw new Errno(E.NODEV);
      if (file.kind !== 'file' && file.kind !== 'character') throw new Errno(E.NODEV);
      const [first, count] = [offset / PAGE_SIZE, roundUpToPage(length) / PAGE_SIZE];
      backing = yield* fileBacking(file, type !== MAP.PRIVATE, first, count, work => kernel.detach(work));
    }
    try {
      if (mm.sharing !== null && flags & MAP.FIXED) yield* mm.sharing.gatherRange(hint, hint + roundUpToPage(length));
      const start = mm.map(wanted, length, protection & 7, space, backing, backing === null ? 0 : offset);
      if (backing !== null) kernel.threads.lookAt(ctx.process);
      return start;
    } catch (error) {
      backing?.release();
      throw error;
    }
  }

  return {
    214: full('brk', (ctx, address) => {
      const { mm } = ctx.process;
      return alone(ctx, Math.max(0, address), mm.brk, () => mm.setBreak(address));
    }),
    215: full('munmap', (ctx, address, length) => {
      if (address % PAGE_SIZE !== 0 || !(length > 0) || address < 0 || address + length > USER_END) throw new Errno(E.INVAL);
      return alone(ctx, address, address + length, () => {
        ctx.process.mm.unmap(address, length);
        return 0;
      });
    }),
    216: full('mremap', (ctx, address, oldLength, newLength, flags, newAddress) => {
      if (flags & ~3 || (flags & MREMAP.FIXED && !(flags & MREMAP.MAYMOVE))) throw new Errno(E.INVAL);
      const { mm } = ctx.process;
      const fixed = flags & MREMAP.FIXED ? newAddress : null;
      // Both ends, and all between: it is rare, and the place that it goes to is not known yet.
      const remap = (): number => mm.remap(address, oldLength, newLength, (flags & MREMAP.MAYMOVE) !== 0, fixed);
      return alone(ctx, 0, USER_END, remap);
    }),
    222: partial('mmap', mmap, 'A device of another kernel is not mapped shared: ENODEV.'),
    226: full('mprotect', (ctx, address, length, protection) => {
      if (protection & ~0x0300_0007) throw new Errno(E.INVAL);
      range(address, length);
      return alone(ctx, address, address + length, () => {
        if (length > 0) ctx.process.mm.protect(address, length, protection & 7);
        return 0;
      });
    }),
    227: full('msync', (ctx, address, length) => {
      range(address, length);
      return ctx.process.mm.areas.overlapping(address, address + length).length === 0 && length > 0 ? fail(E.NOMEM) : 0;
    }),
    228: full('mlock', () => 0),
    229: full('munlock', () => 0),
    230: full('mlockall', () => 0),
    231: full('munlockall', () => 0),
    232: partial(
      'mincore',
      (ctx, address, length, vector) => {
        range(address, length);
        const bytes = new Uint8Array(roundUpToPage(length) / PAGE_SIZE);
        for (let i = 0; i < bytes.length; i++) bytes[i] = ctx.process.mm.table.get(address + i * PAGE_SIZE) & 1;
        ctx.user.write(vector, bytes);
        return 0;
      },
      'Pages of files count once they are mapped.',
    ),
    233: partial(
      'madvise',
      (ctx, address, length, advice) => {
        range(address, length);
        if (advice < 0 || advice > MADV_LAST) throw new Errno(E.INVAL);
        const end = address + roundUpToPage(length);
        if (advice !== MADV_DONTNEED) return 0;
        return alone(ctx, address, end, () => {
          ctx.process.mm.dropPages(address, end);
          return 0;
        });
      },
      'Advice other than MADV_DONTNEED changes nothing.',
    ),
    283: partial(
      'membarrier',
      (_ctx, command) => (command === 0 ? 0 : fail(E.INVAL)),
      'Cores of a kernel are interleaved: nothing to order.',
    ),
    259: full('riscv_flush_icache', () => 0),
  };
}

function fail(errno: number): never {
  throw new Errno(errno);
}
