/**
 * Archives that people have: tar and cpio, plain or packed by gzip or xz, and Debian's packages. What one is follows from its bytes, not from
 * its name. They are hostile: all that they can claim is bounded before it is believed.
 */
import { Gunzip } from 'fflate';
import { unpackTar } from 'modern-tar';
import { type ArchiveFile, cpioFiles, type FileType, toCpio } from './file.ts';
import { archiveKind } from './kinds.ts';

/** Bytes that an archive may have, unpacked. */
export const UNPACKED_MAX = 512 << 20;
const ENTRIES_MAX = 200_000;
/** A .tar.gz is two deep; no good archive is deeper than three. */
const DEPTH_MAX = 3;

/**
 * The files of an archive, in its order.
 * @param name for what is said when it is broken
 * @throws Error naming the archive and what is wrong with it
 */
export async function unpack(name: string, bytes: Uint8Array): Promise<ArchiveFile[]> {
  try {
    return await opened(bytes, name, 0);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * What a kernel's root is made of: a root's archive, and over it the files of others.
 * @param root cpio
 * @throws Error naming the archive that is broken
 */
export async function rootWith(
  root: Uint8Array,
  parts: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Promise<Uint8Array> {
  if (parts.length === 0) return root;
  const files = cpioFiles(root, 'root');
  for (const { name, bytes } of parts) files.push(...laidOver(files, await unpack(name, bytes), name));
  return toCpio(files, UNPACKED_MAX);
}

/** What the other files become over those: where a link to a folder stands (/bin, in a root of today), they go where it leads. */
function laidOver(under: readonly ArchiveFile[], files: readonly ArchiveFile[], source: string): ArchiveFile[] {
  const known = new Map(under.map(file => [file.name, file]));
  return files.flatMap(file => {
    const { type } = known.get(file.name) ?? {};
    if (type === 'symlink' && file.type === 'directory') return [];
    if (type === 'directory' && file.type !== 'directory') throw new Error(`${source}: ${file.name} is a folder already`);
    const [top = '', ...rest] = file.name.split('/');
    const above = known.get(top);
    if (rest.length === 0 || above?.type !== 'symlink') return file;
    return { ...file, name: [text(above.content).replace(/^\/+/, ''), ...rest].join('/') };
  });
}

async function opened(bytes: Uint8Array, source: string, depth: number): Promise<ArchiveFile[]> {
  if (depth > DEPTH_MAX) throw new Error('an archive in an archive in an archive');
  switch (archiveKind(bytes)) {
    case 'gzip':
      return opened(gunzipped(bytes), source, depth + 1);
    case 'xz':
      return opened(await unxz(bytes), source, depth + 1);
    case 'ar':
      return opened(dataOf(bytes), source, depth + 1);
    case 'cpio':
      return cpioFiles(bytes, source);
    case 'tar':
      return tarFiles(bytes, source);
    case null:
      throw new Error('this is no archive: not tar, cpio or .deb, nor one of these packed by gzip or xz');
  }
}

function gunzipped(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  const stream = new Gunzip(part => {
    parts.push(part);
    total += part.length;
    if (total > UNPACKED_MAX) throw new Error(`more than ${UNPACKED_MAX >> 20} MiB, unpacked`);
  });
  const PIECE = 1 << 16;
  for (let at = 0; at < bytes.length; at += PIECE) stream.push(bytes.subarray(at, at + PIECE), at + PIECE >= bytes.length);
  return joined(parts, total);
}

/** The package is CommonJS: Node has what it exports under `default` alone, a bundler where its types say. Loaded when it is needed. */
async function unxz(bytes: Uint8Array): Promise<Uint8Array> {
  const module: typeof import('xz-decompress') & { default?: typeof import('xz-decompress') } = await import('xz-decompress');
  const { XzReadableStream } = module.default ?? module;
  return collected(new XzReadableStream(streamOf(bytes)));
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

async function collected(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(parts, total);
    // The decoder uses its buffer again.
    parts.push(value.slice());
    total += value.length;
    if (total > UNPACKED_MAX) throw new Error(`more than ${UNPACKED_MAX >> 20} MiB, unpacked`);
  }
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The `data.tar…` of a Debian package (deb(5)), which is an ar archive:
 *
 *     8 bytes    "!<arch>\n"
 *     60 bytes   name 16, time 12, owner 6, group 6, mode 8, size 10, "`\n"; then the contents, padded to an even number; and so on
 */
function dataOf(bytes: Uint8Array): Uint8Array {
  for (let at = 8; at + 60 <= bytes.length; ) {
    const name = text(bytes.subarray(at, at + 16))
      .trim()
      .replace(/\/$/, '');
    const size = Number(text(bytes.subarray(at + 48, at + 58)).trim());
    const content = at + 60;
    if (!Number.isInteger(size) || size < 0 || content + size > bytes.length)
      throw new Error(`the part at byte ${at} reaches beyond the end`);
    if (name.startsWith('data.tar')) {
      const data = bytes.subarray(content, content + size);
      if (name.endsWith('.zst')) throw new Error(`${name}: packed by zstd, which is not read here`);
      return data;
    }
    at = content + size + (size % 2);
  }
  throw new Error('an ar archive, but no Debian package: it has no data.tar');
}

const TAR_TYPES: Readonly<Record<string, FileType>> = {
  file: 'file',
  link: 'file',
  symlink: 'symlink',
  directory: 'directory',
  'character-device': 'character',
  'block-device': 'block',
  fifo: 'fifo',
};

async function tarFiles(bytes: Uint8Array, source: string): Promise<ArchiveFile[]> {
  const entries = await unpackTar(bytes, { strict: true });
  if (entries.length > ENTRIES_MAX) throw new Error(`more than ${ENTRIES_MAX} files`);
  const linked = new Set(entries.filter(({ header }) => header.type === 'link').map(({ header }) => cleaned(header.linkname ?? '')));
  /** A cpio archive has an inode's contents with its last name, tar with its first. */
  const contents = new Map<string, Uint8Array>();
  return entries.flatMap(({ header, data }) => {
    const name = cleaned(header.name);
    const type = TAR_TYPES[header.type ?? 'file'];
    if (name === '' || type === undefined) return [];
    const target = header.type === 'link' ? cleaned(header.linkname ?? '') : null;
    const key = target ?? (linked.has(name) ? name : null);
    if (type === 'file' && target === null && key !== null) contents.set(key, data ?? new Uint8Array(0));
    if (target !== null && !contents.has(target)) throw new Error(`${name} is another name of ${target}, which is not there`);
    return {
      name,
      type,
      mode: (header.mode ?? 0o644) & 0o7777,
      uid: header.uid ?? 0,
      gid: header.gid ?? 0,
      mtime: Math.max(0, Math.floor((header.mtime?.getTime() ?? 0) / 1000)),
      content:
        type === 'symlink'
          ? new TextEncoder().encode(header.linkname ?? '')
          : type === 'file'
            ? ((key === null ? data : contents.get(key)) ?? new Uint8Array(0))
            : new Uint8Array(0),
      inode: key === null ? null : `${source}:${key}`,
    };
  });
}

/** A name as bytes, relative to the root. @throws Error when it leads out of the archive */
function cleaned(name: string): string {
  const parts = text(new TextEncoder().encode(name))
    .split('/')
    .filter(part => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`the name '${name}' leads out of the archive`);
  if (parts.join('/').length >= 4096 || parts.some(part => part.length > 255 || part.includes('\0')))
    throw new Error('a name is too long, or has a NUL');
  return parts.join('/');
}

function text(bytes: Uint8Array): string {
  let result = '';
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}
