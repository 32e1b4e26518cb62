/** A folder of this computer as a cpio archive (newc), for `exec --root`. Read, never written. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const BYTES_MAX = 1 << 30;

/** @throws Error when it can't be read or is too large */
export function archiveOf(folder: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  let ino = 1;
  const links = new Map<string, number>();
  const pad = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);
  const push = (bytes: Uint8Array): void => {
    parts.push(bytes);
    total += bytes.length;
    if (total > BYTES_MAX) throw new Error(`${folder}: more than ${BYTES_MAX >> 20} MiB`);
  };
  const entry = (
    name: string,
    mode: number,
    data: Uint8Array,
    more: { uid?: number; gid?: number; mtime?: number; ino?: number; nlink?: number } = {},
  ): void => {
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    const path = Buffer.from(`${name}\0`, 'latin1');
    const fields = [
      more.ino ?? ino++,
      mode,
      more.uid ?? 0,
      more.gid ?? 0,
      more.nlink ?? 1,
      more.mtime ?? 0,
      data.length,
      0,
      0,
      0,
      0,
      path.length,
      0,
    ];
    const head = Buffer.from(`070701${fields.map(hex).join('')}`, 'latin1');
    push(head);
    push(path);
    push(pad(head.length + path.length));
    push(data);
    push(pad(data.length));
  };
  const walk = (path: string, name: string): void => {
    const names = readdirSync(path, { encoding: 'latin1' }).sort();
    for (const each of names) {
      const full = join(path, Buffer.from(each, 'latin1').toString());
      const inside = name === '' ? each : `${name}/${each}`;
      const stat = lstatSync(full);
      const common = { uid: stat.uid, gid: stat.gid, mtime: Math.floor(stat.mtimeMs / 1000) };
      if (stat.isDirectory()) {
        entry(inside, stat.mode, new Uint8Array(0), common);
        walk(full, inside);
      } else if (stat.isSymbolicLink()) entry(inside, stat.mode, Buffer.from(readlinkSync(full)), common);
      else if (stat.isFile()) {
        const key = `${stat.dev}:${stat.ino}`;
        const known = stat.nlink > 1 ? links.get(key) : undefined;
        const number = known ?? ino++;
        if (stat.nlink > 1) links.set(key, number);
        entry(inside, stat.mode, readFileSync(full), { ...common, ino: number });
      }
    }
  };
  walk(folder, '');
  entry('TRAILER!!!', 0, new Uint8Array(0), { ino: 0 });
  const archive = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
