/**
 * A disk: sectors in memory of its own, and one arm. What a request costs follows from where the arm and the platter are when it is given: the way
 * to its track, the turn to its sector, and the sectors' way under the head. The track that was read last is in the disk's buffer.
 *
 *     0     f64 the time at which it is done with what it has been given
 *     8     u32 track of the arm       12  u32 track in the buffer, plus 1; 0: none       16  u32 sectors that it has
 *     4096  the sectors
 *
 * All of it lies in the machine's memory, below the nodes, so that whichever kernel owns the disk finds it as it was left.
 *
 * Always holds: a request's bytes are moved at its end, all at once; what a kernel that dies has under way is not done at all. As the memory is
 * scaled, so is the capacity: seeks across these few tracks take what they take across the whole of a real disk.
 */
import { DISK_COSTS } from '../costs.ts';
import type { PhysicalMemory } from '../memory.ts';

export const SECTOR_BYTES = 512;
/** The most that a disk holds. */
export const DISK_BYTES = 64 << 20;
/** What a drive without a disk takes. */
export const DISK_REGISTER_BYTES = 4096;
/** What the machine's memory gives it. */
export const DISK_AREA_BYTES = DISK_REGISTER_BYTES + DISK_BYTES;
/** 1 MiB: at 7200 turns a minute this is 126 MB/s. */
const TRACK_SECTORS = 2048;
const TRACKS = DISK_BYTES / SECTOR_BYTES / TRACK_SECTORS;

/** A piece of memory that takes part in a request: physical address and bytes, a multiple of a sector. */
export interface Piece {
  readonly address: number;
  readonly bytes: number;
}

export class Disk {
  readonly #memory: PhysicalMemory;
  readonly #base: number;

  constructor(memory: PhysicalMemory, base: number) {
    this.#memory = memory;
    this.#base = base;
  }

  get sectors(): number {
    return Math.min(this.#memory.view.getUint32(this.#base + 16, true), DISK_BYTES / SECTOR_BYTES);
  }

  /** Puts an image in: what the machine finds at power-on. Beyond it all is zero. @throws RangeError when it is larger than a disk */
  insert(image: Uint8Array, bytes: number): void {
    if (bytes > DISK_BYTES || image.length > bytes) throw new RangeError(`a disk has ${DISK_BYTES >>> 20} MiB at most`);
    this.#memory.view.setUint32(this.#base + 16, Math.floor(bytes / SECTOR_BYTES), true);
    this.#memory.u8.set(image.subarray(0, this.sectors * SECTOR_BYTES), this.#base + DISK_REGISTER_BYTES);
  }
  /** A copy of what is on it. */
  image(): Uint8Array {
    return this.#memory.u8.slice(this.#base + DISK_REGISTER_BYTES, this.#base + DISK_REGISTER_BYTES + this.sectors * SECTOR_BYTES);
  }

  /** Gives it a request at time `now` (cycles), after all others. @returns when it is done */
  start(now: number, sector: number, count: number, write: boolean): number {
    const { view } = this.#memory;
    const base = this.#base;
    const from = Math.max(now, view.getFloat64(base, true)) + DISK_COSTS.command.value;
    const first = Math.floor(sector / TRACK_SECTORS);
    const last = Math.floor((sector + count - 1) / TRACK_SECTORS);
    const bus = count * DISK_COSTS.busPerSector.value;
    let end = from + bus;
    if (write || first !== last || view.getUint32(base + 12, true) !== first + 1) {
      const turn = DISK_COSTS.revolution.value;
      const there = from + seekTime(Math.abs(first - view.getUint32(base + 8, true)));
      const angle = ((sector % TRACK_SECTORS) * turn) / TRACK_SECTORS;
      const wait = (angle - (there % turn) + turn) % turn;
      end = Math.ceil(Math.max(from + bus, there + wait + (count * turn) / TRACK_SECTORS));
      view.setUint32(base + 8, last, true);
      view.setUint32(base + 12, write ? 0 : last + 1, true);
    }
    view.setFloat64(base, end, true);
    return end;
  }

  /** Moves the bytes of a request that is done. */
  finish(sector: number, pieces: readonly Piece[], write: boolean): void {
    const { u8 } = this.#memory;
    let at = this.#base + DISK_REGISTER_BYTES + sector * SECTOR_BYTES;
    for (const { address, bytes } of pieces) {
      if (write) u8.copyWithin(at, address, address + bytes);
      else u8.copyWithin(address, at, at + bytes);
      at += bytes;
    }
  }
}

/** Between tracks, cycles: the usual curve, steep for the first few. */
function seekTime(tracks: number): number {
  if (tracks === 0) return 0;
  const { trackSeek, fullSeek } = DISK_COSTS;
  return Math.round(trackSeek.value + (fullSeek.value - trackSeek.value) * Math.sqrt(tracks / TRACKS));
}
