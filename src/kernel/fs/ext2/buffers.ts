/**
 * Blocks of a device in memory: those that hold a file system's own books. Contents of files have pages of their own (file.ts).
 *
 * Always holds: a block is here once at most; one that has been given to a file's contents, or is free, is not here. Between `get` and the
 * end of an operation no buffer goes: `trim` is called before one begins.
 */
import { PAGE_SIZE, type Blocking, type Maybe, type Pfn } from '../../types.ts';
import type { FsServices } from '../services.ts';

/** A piece of physical memory. */
export interface Piece {
  readonly address: number;
  readonly bytes: number;
}

/** What a file system lies on. */
export interface BlockDevice {
  readonly bytes: number;
  /** Moves whole sectors between the device, from byte `at` on, and memory. May fail with EIO. */
  transfer(at: number, pieces: readonly Piece[], write: boolean): Blocking<void>;
}

export interface Buffer {
  readonly block: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  dirty: boolean;
}

const BUFFERS_MAX = 2048;
/** Pieces of one request. */
const PIECES_MAX = 64;

export class Buffers {
  readonly #services: FsServices;
  readonly #device: BlockDevice;
  readonly #blockBytes: number;
  /** The one used first stands first. */
  readonly #buffers = new Map<number, Buffer>();
  readonly #frames: Pfn[] = [];
  /** Addresses in frames that are not in use. */
  readonly #slots: number[] = [];

  constructor(services: FsServices, device: BlockDevice, blockBytes: number) {
    this.#services = services;
    this.#device = device;
    this.#blockBytes = blockBytes;
  }

  /** The block, read if it is not here. */
  get(block: number): Maybe<Buffer> {
    return this.#buffers.get(block) ?? this.#read(block);
  }
  *#read(block: number): Blocking<Buffer> {
    const buffer = this.#make(block);
    try {
      yield* this.#device.transfer(block * this.#blockBytes, [{ address: buffer.address, bytes: this.#blockBytes }], false);
    } catch (error) {
      this.forget(block);
      throw error;
    }
    return buffer;
  }

  /** The block as zeros, whatever was there. */
  fresh(block: number): Buffer {
    const buffer = this.#buffers.get(block) ?? this.#make(block);
    buffer.bytes.fill(0);
    buffer.dirty = true;
    return buffer;
  }

  /** It is no block of books any more: what is to be written of it is not. */
  forget(block: number): void {
    const buffer = this.#buffers.get(block);
    if (buffer === undefined) return;
    this.#buffers.delete(block);
    this.#slots.push(buffer.address);
  }

  /** Writes what has changed, in the order of the disk. */
  *flush(): Blocking<void> {
    const dirty = [...this.#buffers.values()].filter(buffer => buffer.dirty).sort((a, b) => a.block - b.block);
    for (const buffer of dirty) buffer.dirty = false;
    yield* transferRuns(
      this.#device,
      dirty.map(({ block, address, bytes }) => ({ at: block * this.#blockBytes, address, bytes: bytes.length })),
      true,
    );
  }

  /** Lets go of what need not be kept. */
  trim(): void {
    for (const [block, { dirty }] of this.#buffers) {
      if (this.#buffers.size <= BUFFERS_MAX) return;
      if (!dirty) this.forget(block);
    }
  }

  /** Nothing is needed any more. */
  release(): void {
    this.#buffers.clear();
    this.#slots.length = 0;
    for (const pfn of this.#frames.splice(0)) this.#services.releaseFrame(pfn);
  }

  #make(block: number): Buffer {
    const address = this.#slots.pop() ?? this.#moreSlots();
    const offset = address % PAGE_SIZE;
    const bytes = this.#services.frameBytes(Math.floor(address / PAGE_SIZE)).subarray(offset, offset + this.#blockBytes);
    const buffer: Buffer = { block, address, bytes, dirty: false };
    this.#buffers.set(block, buffer);
    return buffer;
  }
  #moreSlots(): number {
    const pfn = this.#services.allocFrame();
    this.#frames.push(pfn);
    for (let at = PAGE_SIZE - this.#blockBytes; at > 0; at -= this.#blockBytes) this.#slots.push(pfn * PAGE_SIZE + at);
    return pfn * PAGE_SIZE;
  }
}

/** Something to be moved: to or from byte `at` of the device. */
export interface Run extends Piece {
  readonly at: number;
}

/** Moves runs; those that follow each other on the device in one request. */
export function* transferRuns(device: BlockDevice, runs: readonly Run[], write: boolean): Blocking<void> {
  for (let i = 0; i < runs.length; ) {
    const first = runs[i] as Run;
    const pieces: Piece[] = [];
    let end = first.at;
    while (i < runs.length && pieces.length < PIECES_MAX && (runs[i] as Run).at === end) {
      const { address, bytes } = runs[i++] as Run;
      pieces.push({ address, bytes });
      end += bytes;
    }
    yield* device.transfer(first.at, pieces, write);
  }
}
