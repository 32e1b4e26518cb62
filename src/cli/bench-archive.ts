/** One file out of a cpio archive (newc). */
export function parseArchive(archive: Uint8Array, wanted: string): Uint8Array | null {
  const text = (at: number, length: number): string => Buffer.from(archive.subarray(at, at + length)).toString('latin1');
  const aligned = (at: number): number => (at + 3) & ~3;
  for (let at = 0; at + 110 <= archive.length; ) {
    const field = (index: number): number => Number.parseInt(text(at + 6 + 8 * index, 8), 16);
    const [size, nameLength] = [field(6), field(11)];
    const name = text(at + 110, nameLength - 1);
    const data = aligned(at + 110 + nameLength);
    if (name === 'TRAILER!!!') return null;
    if (name === wanted && size > 0) return archive.slice(data, data + size);
    at = aligned(data + size);
  }
  return null;
}
