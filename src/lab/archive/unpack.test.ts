/** Archives made by tar, cpio, gzip, xz and dpkg-deb are read; broken and hostile ones are told of. */
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchiveFile, cpioFiles, toCpio } from './file.ts';
import { rootWith, unpack } from './unpack.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const LONG = `a/${'long-'.repeat(30)}name`;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'archive-'));
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'a'), { recursive: true });
  mkdirSync(join(tree, 'bin'));
  writeFileSync(join(tree, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(tree, 'a/grün'), 'colour');
  writeFileSync(join(tree, LONG), 'x'.repeat(3000));
  writeFileSync(join(tree, 'a/one'), 'one inode');
  linkSync(join(tree, 'a/one'), join(tree, 'a/two'));
  symlinkSync('../a/one', join(tree, 'bin/link'));
  mkdirSync(join(tree, 'DEBIAN'));
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    'Package: thing\nVersion: 1\nArchitecture: riscv64\nMaintainer: a <a@b>\nDescription: none\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The file that a command makes of the tree; null where that command is not installed. */
function made(file: string, command: string): Uint8Array | null {
  const { status } = spawnSync('sh', ['-c', `cd tree && ${command.replace('FILE', `../${file}`)}`], { cwd: folder });
  return status === 0 ? new Uint8Array(readFileSync(join(folder, file))) : null;
}

const MAKERS: Readonly<Record<string, string>> = {
  'gnu.tar': 'tar --format=gnu --exclude=DEBIAN -cf FILE .',
  'pax.tar': 'tar --format=pax --exclude=DEBIAN -cf FILE .',
  'thing.tar.gz': 'tar --exclude=DEBIAN -czf FILE .',
  'thing.tar.xz': 'tar --exclude=DEBIAN -cJf FILE .',
  'thing.deb': 'dpkg-deb -Zxz -b . FILE',
  'gz.deb': 'dpkg-deb -Zgzip -b . FILE',
  'thing.cpio': 'find . -path ./DEBIAN -prune -o -print | cpio -o -H newc --quiet -O FILE',
};

describe('archives of others', () => {
  for (const [file, command] of Object.entries(MAKERS))
    it(`${file}, as ${command.split(' ').find(word => /^(tar|dpkg-deb|cpio)$/.test(word))} makes it`, async context => {
      const bytes = made(file, command);
      if (bytes === null) return context.skip();
      const files = new Map((await unpack(file, bytes)).map(each => [each.name, each]));
      const of = (name: string): ArchiveFile => files.get(name) as ArchiveFile;
      expect([...files.keys()].sort()).toEqual([LONG, 'a', 'a/gr\u00c3\u00bcn', 'a/one', 'a/two', 'bin', 'bin/link', 'bin/tool'].sort());
      expect(of('bin/tool')).toMatchObject({ type: 'file', mode: 0o755 });
      expect(text(of('bin/tool').content)).toBe('#!/bin/sh\n');
      expect(text(of('bin/link').content)).toBe('../a/one');
      expect(of(LONG).content.length).toBe(3000);
      expect(of('a/one').inode).toBe(of('a/two').inode);
      expect(of('a/one').inode).not.toBeNull();
      expect([of('a/one'), of('a/two')].map(({ content }) => text(content))).toContain('one inode');
      // And through the archive that a kernel reads.
      const again = new Map(cpioFiles(toCpio(files.values())).map(each => [each.name, each]));
      for (const [name, { type, mode, content }] of files)
        if (type === 'file' && files.get(name)?.inode === null)
          expect(again.get(name)).toMatchObject({ type, mode, content: new Uint8Array(content) });
    });

  it('what is broken is told of, by name', async () => {
    const tar = made('whole.tar', 'tar --exclude=DEBIAN -cf FILE .');
    if (tar === null) return;
    const bent = tar.slice();
    bent[0] = 0x7a;
    await expect(unpack('bent.tar', bent)).rejects.toThrow(/^bent\.tar: /);
    await expect(unpack('cut.tar', tar.subarray(0, 1500))).rejects.toThrow(/^cut\.tar: /);
    await expect(unpack('cut.tar.gz', gzipSync(tar).subarray(0, 200))).rejects.toThrow(/^cut\.tar\.gz: /);
    await expect(unpack('note.txt', new Uint8Array(600))).rejects.toThrow('no archive');
  });
  it('none leads out of its folder', async () => {
    const evil = toCpio([
      { name: 'x/../../etc/passwd', type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: new Uint8Array(1), inode: null },
    ]);
    await expect(unpack('evil.cpio', evil)).rejects.toThrow('leads out of the archive');
  });
  it('none unpacks without end', async () => {
    let bomb = gzipSync(new Uint8Array(1 << 20));
    for (let i = 0; i < 5; i++) bomb = gzipSync(bomb);
    await expect(unpack('bomb.gz', bomb)).rejects.toThrow('in an archive');
  });
});

describe('a root with archives over it', () => {
  const file = (name: string, content: string, type: ArchiveFile['type'] = 'file'): ArchiveFile => ({
    name,
    type,
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: 0,
    content: Buffer.from(content),
    inode: null,
  });
  const root = toCpio([
    file('usr', '', 'directory'),
    file('usr/bin', '', 'directory'),
    file('bin', 'usr/bin', 'symlink'),
    file('usr/bin/ls', 'ours'),
  ]);
  const namesOf = (archive: Uint8Array): string[] => cpioFiles(archive).map(({ name, content }) => `${name}=${text(content)}`);

  it('is what it was without any', async () => expect(await rootWith(root, [])).toBe(root));
  it('has the later file of a name last, and those of a linked folder where the link leads', async () => {
    const over = toCpio([file('bin', '', 'directory'), file('bin/ls', 'theirs'), file('bin/cat', 'new')]);
    expect(namesOf(await rootWith(root, [{ name: 'over.cpio', bytes: over }]))).toEqual([
      'usr=',
      'usr/bin=',
      'bin=usr/bin',
      'usr/bin/ls=ours',
      'usr/bin/ls=theirs',
      'usr/bin/cat=new',
    ]);
  });
  it('refuses a file where there is a folder', async () => {
    const over = toCpio([file('usr', 'flat')]);
    await expect(rootWith(root, [{ name: 'over.cpio', bytes: over }])).rejects.toThrow('over.cpio: usr is a folder already');
  });
});
