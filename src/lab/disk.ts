/** The disk of a scenario, as the world is given it. */
import { makeExt2 } from '../kernel/fs/ext2/mkfs.ts';
import type { DiskImage } from '../world/protocol.ts';
import type { Scenario } from './scenario.ts';

const MEBIBYTES = 16;

export function diskOf({ disk = { mebibytes: MEBIBYTES } }: Pick<Scenario, 'disk'>): DiskImage | null {
  if (disk === null) return null;
  if ('image' in disk) return { image: disk.image, bytes: disk.image.length };
  const bytes = disk.mebibytes << 20;
  return { image: makeExt2(bytes), bytes };
}
