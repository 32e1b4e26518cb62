/**
 * ext2 against a model: random operations on a disk in memory do what they do to a plain map of names, also after everything has been written and
 * mounted again; and e2fsck finds nothing. Then disks that somebody has scribbled on.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { E, Errno } from '../../abi/errno.ts';
import { O } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import { type Blocking, isBlocking, type Maybe, PAGE_SIZE } from '../../types.ts';
import type { IoContext } from '../file.ts';
import type { Inode } from '../inode.ts';
import { FsLab } from '../testing.ts';
import type { BlockDevice, Piece } from './buffers.ts';
import { Ext2 } from './ext2.ts';
import { makeExt2 } from './mkfs.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext2-'));
afterAll(() => rmSync(folder, { recursive: true }));
const E2FSCK = ['/usr/sbin/e2fsck', '/sbin/e2fsck'].find(path => existsSync(path));
const IO: IoContext = { pid: 1, tid: 1, uid: 0, gid: 0, shield: 0 };

/** Nothing sleeps here: the disk answers at once. */
function now<T>(value: Maybe<T>): T {
  if (!isBlocking(value)) return value;
  const next = value.next();
  if (next.done !== true) throw new Error('it sleeps');
  return next.value;
}

class MemoryDisk implements BlockDevice {
  constructor(
    readonly lab: FsLab,
    readonly content: Uint8Array,
  ) {}
  get bytes(): number {
    return this.content.length;
  }
  *transfer(from: number, pieces: readonly Piece[], write: boolean): Blocking<void> {
    let at = from;
    for (const { address, bytes } of pieces) {
      if (at + bytes > this.content.length) throw new Errno(E.IO);
      const memory = this.lab.frameBytes(Math.floor(address / PAGE_SIZE)).subarray(address % PAGE_SIZE, (address % PAGE_SIZE) + bytes);
      if (write) this.content.set(memory, at);
      else memory.set(this.content.subarray(at, at + bytes));
      at += bytes;
    }
  }
}

function mounted(content: Uint8Array): { lab: FsLab; fs: Ext2; frames: number } {
  const lab = new FsLab();
  const frames = lab.frames.size;
  return { lab, frames, fs: now(Ext2.mount(lab, new MemoryDisk(lab, content), 9, () => {})) };
}
function disk(bytes: number, blockBytes: 1024 | 4096): Uint8Array {
  const content = new Uint8Array(bytes);
  content.set(makeExt2(bytes, blockBytes));
  return content;
}
const made = (mode: number, target = ''): { mode: number; uid: number; gid: number; rdev: number; target: string } => ({
  mode,
  uid: 0,
  gid: 0,
  rdev: 0,
  target,
});

/** What a tree should look like: contents of files, targets of links, null for directories. */
type Model = Map<string, { bytes: Uint8Array } | { target: string } | null>;

type Step =
  | { readonly kind: 'write'; readonly name: number; readonly at: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly name: number; readonly size: number }
  | { readonly kind: 'mkdir' | 'remove' | 'symlink' | 'sync'; readonly name: number }
  | { readonly kind: 'rename'; readonly name: number; readonly to: number };

const NAMES = ['a', 'b', `${'long'.repeat(30)}`, 'd/a', 'd/b', 'd/e/c', 'd', 'd/e', 'x'];
const errnoOf = (work: () => void): number => {
  try {
    work();
  } catch (error) {
    if (error instanceof Errno) return error.errno;
    throw error;
  }
  return 0;
};

function place(fs: Ext2, path: string): { parent: Inode; name: string } {
  const parts = path.split('/');
  let parent: Inode = fs.root;
  for (const part of parts.slice(0, -1)) parent = now(parent.lookup(part));
  return { parent, name: parts.at(-1) as string };
}

function perform(fs: Ext2, model: Model, step: Step, salt: number): void {
  const path = NAMES[step.name] as string;
  const known = model.get(path);
  const parentOf = (of: string): boolean => !of.includes('/') || model.get(of.slice(0, of.lastIndexOf('/'))) === null;
  if (!parentOf(path) || ('to' in step && !parentOf(NAMES[step.to] as string))) return;
  const { parent, name } = place(fs, path);
  switch (step.kind) {
    case 'write': {
      if (known === null || (known !== undefined && 'target' in known)) return;
      const inode = known === undefined ? now(parent.create(name, made(S.IFREG | 0o644))) : now(parent.lookup(name));
      const file = now(inode.open(O.RDWR, IO));
      const bytes = Uint8Array.from({ length: step.length }, (_, i) => (i * 7 + salt) & 0xff);
      expect(now(file.pwrite(bytes, step.at, IO))).toBe(step.length);
      now(file.release());
      const old = known?.bytes ?? new Uint8Array(0);
      const grown = new Uint8Array(step.length === 0 ? old.length : Math.max(old.length, step.at + step.length));
      grown.set(old);
      grown.set(bytes, step.length === 0 ? 0 : step.at);
      model.set(path, { bytes: grown });
      return;
    }
    case 'truncate': {
      if (known === undefined || known === null || 'target' in known) return;
      now(now(parent.lookup(name)).truncate(step.size));
      const cut = new Uint8Array(step.size);
      cut.set(known.bytes.subarray(0, step.size));
      model.set(path, { bytes: cut });
      return;
    }
    case 'mkdir':
      expect(errnoOf(() => now(parent.create(name, made(S.IFDIR | 0o755))))).toBe(known === undefined ? 0 : E.EXIST);
      if (known === undefined) model.set(path, null);
      return;
    case 'symlink': {
      const target = 't'.repeat(1 + ((salt * 13) % 150));
      if (known !== undefined) return;
      now(parent.create(name, made(S.IFLNK | 0o777, target)));
      model.set(path, { target });
      return;
    }
    case 'remove': {
      const isFull = [...model.keys()].some(other => other.startsWith(`${path}/`));
      const want = known === undefined ? E.NOENT : isFull ? E.NOTEMPTY : 0;
      expect(errnoOf(() => now(known === null ? parent.rmdir(name) : parent.unlink(name)))).toBe(want);
      if (want === 0) model.delete(path);
      return;
    }
    case 'rename': {
      const to = NAMES[step.to] as string;
      if (known === undefined || known === null || model.get(to) === null) return;
      const target = place(fs, to);
      now(parent.rename(name, target.parent, target.name, 0));
      if (to === path) return;
      model.delete(path);
      model.set(to, known);
      return;
    }
    case 'sync':
      now(fs.flush());
  }
}

const digest = (bytes: Uint8Array): string => `${bytes.length}: ${createHash('md5').update(bytes).digest('hex')}`;

function compare(fs: Ext2, model: Model): void {
  const found = new Map<string, unknown>();
  const walk = (directory: Inode, before: string): void => {
    for (let cookie = 0; ; ) {
      const entries = now(directory.entries(cookie, 3));
      if (entries.length === 0) return;
      for (const { name, next } of entries) {
        cookie = next;
        if (name === 'lost+found') continue;
        const inode = now(directory.lookup(name));
        const path = before + name;
        if (inode.kind === 'directory') {
          found.set(path, null);
          walk(inode, `${path}/`);
        } else if (inode.kind === 'symlink') found.set(path, { target: now(inode.readlink(IO)) });
        else {
          const file = now(inode.open(O.RDONLY, IO));
          const bytes = new Uint8Array(now(inode.attributes()).size);
          expect(now(file.pread(bytes, 0, IO))).toBe(bytes.length);
          now(file.release());
          found.set(path, digest(bytes));
        }
      }
    }
  };
  walk(fs.root, '');
  const wanted = [...model].map(([path, what]) => [path, what !== null && 'bytes' in what ? digest(what.bytes) : what] as const);
  const sorted = (list: Iterable<readonly [string, unknown]>): unknown[] => [...list].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(sorted(found)).toEqual(sorted(wanted));
}

const name = fc.nat(NAMES.length - 1);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), name, at: fc.nat(400_000), length: fc.nat(9000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), name, size: fc.nat(400_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('mkdir' as const, 'remove' as const, 'symlink' as const, 'sync' as const), name }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), name, to: name }) },
);

describe('ext2', () => {
  it.skipIf(E2FSCK === undefined)('does what a plain map does, and e2fsck finds nothing', () => {
    const image = join(folder, 'image');
    fc.assert(
      fc.property(fc.array(steps, { minLength: 20, maxLength: 60 }), fc.constantFrom(1024 as const, 4096 as const), (list, blockBytes) => {
        const content = disk(6 << 20, blockBytes);
        const { fs, lab, frames } = mounted(content);
        const model: Model = new Map();
        for (const [i, step] of list.entries()) perform(fs, model, step, i);
        compare(fs, model);
        now(fs.unmount());
        expect(lab.frames.size).toBe(frames);
        writeFileSync(image, content);
        try {
          execFileSync(E2FSCK as string, ['-fn', image], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
        } catch (error) {
          throw new Error((error as { stdout: string }).stdout);
        }
        compare(mounted(content).fs, model);
      }),
      { numRuns: Number(process.env['EXT2_RUNS'] ?? 25), seed: 4 },
    );
  });

  it('has holes: what was never written takes no blocks and reads as zeros', () => {
    const { fs } = mounted(disk(2 << 20, 1024));
    const inode = now(fs.root.create('sparse', made(S.IFREG | 0o644)));
    const file = now(inode.open(O.RDWR, IO));
    now(file.pwrite(Uint8Array.of(1), 100_000_000, IO));
    expect(now(inode.attributes())).toMatchObject({ size: 100_000_001, blocks: 2 * 4 });
    const bytes = new Uint8Array(10);
    expect(now(file.pread(bytes, 99_999_995, IO))).toBe(6);
    expect([...bytes]).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    now(file.truncate(50));
    expect(now(inode.attributes())).toMatchObject({ size: 50, blocks: 0 });
  });

  it('survives whatever somebody has written on the disk: errors, but an end', () => {
    const content = disk(1 << 20, 1024);
    const { fs } = mounted(content);
    for (const path of ['one', 'two']) {
      const file = now(now(fs.root.create(path, made(S.IFREG | 0o644))).open(O.RDWR, IO));
      now(file.pwrite(new Uint8Array(100_000).fill(7), 0, IO));
      now(file.release());
    }
    now(fs.root.create('dir', made(S.IFDIR | 0o755)));
    now(fs.unmount());
    // All that is not zero or contents: the books.
    const books = [...content.keys()].filter(at => content[at] !== 0 && content[at] !== 7);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(books.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }), damage => {
        const copy = content.slice();
        for (const [at, value] of damage) copy[books[at] as number] = value;
        const attempt = (work: () => void): void => {
          try {
            work();
          } catch (error) {
            if (!(error instanceof Errno)) throw error;
          }
        };
        attempt(() => {
          const { fs: broken } = mounted(copy);
          for (const path of ['one', 'two', 'dir']) {
            attempt(() => {
              const inode = now(broken.root.lookup(path));
              if (inode.kind === 'file') now(now(inode.open(O.RDONLY, IO)).pread(new Uint8Array(200_000), 0, IO));
              else now(inode.entries(0, 100));
            });
            attempt(() => now(broken.root.unlink(path)));
            attempt(() => now(broken.root.create(`${path}2`, made(S.IFDIR | 0o755))));
          }
          attempt(() => now(broken.unmount()));
        });
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});
