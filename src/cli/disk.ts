/** The machine's disk as a file outside: read before the run, if it is there, and written after it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Session } from '../lab/session.ts';
import type { Scenario } from '../lab/scenario.ts';
import { DISK_BYTES, SECTOR_BYTES } from '../machine/devices/disk.ts';

const EMPTY_MEBIBYTES = 16;

/** @throws Error when the file is no image that a disk can hold */
export function diskFrom(path: string): NonNullable<Scenario['disk']> {
  if (!existsSync(path)) return { mebibytes: EMPTY_MEBIBYTES };
  const image = new Uint8Array(readFileSync(path));
  if (image.length > DISK_BYTES || image.length % SECTOR_BYTES !== 0)
    throw new Error(
      `--disk ${path}: ${image.length} bytes; a disk has whole sectors of ${SECTOR_BYTES} and ${DISK_BYTES >>> 20} MiB at most`,
    );
  return { image };
}

/** What is on the disk now, where the session stands still. */
export async function saveDisk(session: Session, path: string): Promise<void> {
  if (session.status.failure === null) writeFileSync(path, await session.diskImage());
}
