/** Frames in words. They are dissected once, when they are looked at. */
import { type Dissection, dissect } from '../../lab/dissect.ts';
import type { PacketRow } from '../../lab/trace/network.ts';

const known = new WeakMap<Uint8Array, Dissection>();

export function dissected({ frame }: PacketRow): Dissection {
  let found = known.get(frame);
  if (found === undefined) {
    found = dissect(frame);
    known.set(frame, found);
  }
  return found;
}
