/** What an archive is, by its first bytes. Apart from what reads them, which is loaded only when there is one. */
export type ArchiveKind = 'gzip' | 'xz' | 'cpio' | 'tar' | 'ar';

/** The mark of each kind, and where it stands. */
const MARKS: Readonly<Record<ArchiveKind, readonly [string, number]>> = {
  gzip: ['\x1f\x8b', 0],
  xz: ['\xfd7zXZ\0', 0],
  cpio: ['07070', 0],
  tar: ['ustar', 257],
  ar: ['!<arch>\n', 0],
};

/** Null: none that is read here. */
export function archiveKind(bytes: Uint8Array): ArchiveKind | null {
  for (const [kind, [mark, at]] of Object.entries(MARKS))
    if ([...mark].every((c, i) => bytes[at + i] === c.charCodeAt(0))) return kind as ArchiveKind;
  return null;
}
