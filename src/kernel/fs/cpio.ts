/**
 * Reading a cpio archive in "newc" format (the format of an initramfs), strictly.
 *
 *     110 bytes  "070701", then 13 numbers of 8 hexadecimal digits
 *     name       with a final NUL, then padding to a multiple of 4
 *     contents   then padding to a multiple of 4                     … until a file named TRAILER!!!
 *
 * Always holds: contents are views of the archive, never copies.
 */
import { fromBytes } from './bytes.ts';

export interface CpioEntry {
  readonly name: string;
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly content: Uint8Array;
}

/** An archive that isn't one; `message` says what is wrong and where. */
export class CpioError extends Error {}

const HEADER_BYTES = 110;
const NAME_BYTES_MAX = 4096;
const FIELDS = 13;

const pad4 = (at: number): number => (at + 3) & ~3;

export function* cpioEntries(archive: Uint8Array): Generator<CpioEntry> {
  let at = 0;
  for (;;) {
    // Archives may follow one another, with zeros between them.
    if (at + HEADER_BYTES > archive.length) throw new CpioError(`cpio: the archive ends at byte ${archive.length}, before its TRAILER!!!`);
    const magic = fromBytes(archive.subarray(at, at + 6));
    if (magic !== '070701' && magic !== '070702')
      throw new CpioError(`cpio: no newc header at byte ${at}: '${magic.replace(/[^ -~]/g, '?')}'`);
    const [ino, mode, uid, gid, links, mtime, size, deviceMajor, deviceMinor, rdevMajor, rdevMinor, nameBytes] = header(archive, at) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const nameAt = at + HEADER_BYTES;
    if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX) throw new CpioError(`cpio: a name of ${nameBytes} bytes at byte ${at}`);
    const contentAt = pad4(nameAt + nameBytes);
    if (contentAt + size > archive.length) throw new CpioError(`cpio: the entry at byte ${at} reaches beyond the archive's end`);
    if (archive[nameAt + nameBytes - 1] !== 0) throw new CpioError(`cpio: the name at byte ${nameAt} has no end`);
    const name = fromBytes(archive.subarray(nameAt, nameAt + nameBytes - 1));
    if (name.includes('\0')) throw new CpioError(`cpio: the name at byte ${nameAt} has a NUL in it`);
    if (name === 'TRAILER!!!') return;
    yield {
      name: cleanName(name, at),
      ino,
      mode,
      uid,
      gid,
      links,
      mtime,
      deviceMajor,
      deviceMinor,
      rdevMajor,
      rdevMinor,
      content: archive.subarray(contentAt, contentAt + size),
    };
    at = pad4(contentAt + size);
  }
}

function header(archive: Uint8Array, at: number): number[] {
  const fields: number[] = [];
  for (let field = 0; field < FIELDS; field++) {
    const digits = fromBytes(archive.subarray(at + 6 + 8 * field, at + 14 + 8 * field));
    if (!/^[0-9a-fA-F]{8}$/.test(digits))
      throw new CpioError(`cpio: field ${field} of the header at byte ${at} is not a number: '${digits.replace(/[^ -~]/g, '?')}'`);
    fields.push(Number.parseInt(digits, 16));
  }
  return fields;
}

/** Relative to the root, without '.' components; '' is the root itself. */
function cleanName(name: string, at: number): string {
  const parts = name.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..')) throw new CpioError(`cpio: the name '${name}' at byte ${at} leads out of the archive`);
  return parts.join('/');
}
