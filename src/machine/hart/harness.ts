/** A machine of one processor and a few harts with an address space, for the tests and the bench of this room; no part of the lab. */
import { type Hart, Processor } from './hart.ts';
import { HART_STATE_BYTES } from './layout.ts';
import type { InstructionCosts } from './isa/instruction.ts';
import { engine, type Memory } from './wasm/engine.ts';

export const testCosts: InstructionCosts = {
  alu: 1,
  mul: 3,
  div: 20,
  load: 1,
  store: 1,
  branch: 1,
  jump: 1,
  amo: 6,
  fence: 2,
  csr: 4,
  system: 1,
  fpMove: 1,
  fpAdd: 5,
  fpMul: 5,
  fpFma: 6,
  fpDiv: 24,
  fpSqrt: 27,
  fpConvert: 4,
};
export const Pte = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;
export const USER_RWX = Pte.V | Pte.R | Pte.W | Pte.X | Pte.U;

/** Not 0, which as the address of a decoded entry means that there is none. */
const CACHE_BASE = 65536;
const CACHE_BYTES = 1 << 20;
const HARTS_BASE = CACHE_BASE + CACHE_BYTES;
const HARTS = 4;
const TRANSLATION_BASE = HARTS_BASE + HARTS * HART_STATE_BYTES;
const TRANSLATION_BYTES = 1 << 18;
export const LOW_LIMIT = TRANSLATION_BASE + TRANSLATION_BYTES;

export interface BenchOptions {
  readonly megabytes?: number;
  /** Jumps to an address before it is translated; 0: never, the interpreter alone; 1: wherever a run begins, too. */
  readonly threshold?: number;
  readonly codeBytes?: number;
  /** What a line costs that the first-level cache has not; without it there are no caches. */
  readonly miss?: (physical: number) => number;
}

export class Bench {
  readonly memory: Memory;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly processor: Processor;
  readonly harts: readonly Hart[];
  readonly root: number;
  #nextFrame = LOW_LIMIT / 4096;

  constructor({ megabytes = 16, threshold = 0, codeBytes, miss }: BenchOptions = {}) {
    this.memory = new engine.Memory({ initial: megabytes * 16, maximum: megabytes * 16, shared: true });
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.processor = new Processor({
      memory: this.memory,
      decodeCacheBase: CACHE_BASE,
      decodeCacheBytes: CACHE_BYTES,
      lowLimit: LOW_LIMIT,
      costs: testCosts,
      caches: miss !== undefined,
      ...(threshold > 0
        ? { translate: { base: TRANSLATION_BASE, bytes: TRANSLATION_BYTES, threshold, ...(codeBytes ? { codeBytes } : {}) } }
        : {}),
    });
    this.root = this.frame();
    this.harts = Array.from({ length: HARTS }, (_, i) => this.processor.hart(HARTS_BASE + i * HART_STATE_BYTES));
    for (const hart of this.harts) {
      hart.setAddressSpace(this.root);
      hart.miss = miss ?? null;
      if (threshold !== 1) continue;
      const run = hart.run.bind(hart);
      hart.run = fuel => {
        // A run that only waits fetches nothing.
        if (hart.waits === 0) hart.translateHere();
        return run(fuel);
      };
    }
  }
  get hart(): Hart {
    const [first] = this.harts;
    if (!first) throw new Error('no hart');
    return first;
  }
  /** A fresh frame. */
  frame(): number {
    return this.#nextFrame++;
  }
  pte(va: number, level = 0): number {
    let table = this.root;
    for (let at = 2; at > level; at--) {
      const entry = table * 4096 + (Math.floor(va / 4096 / 512 ** at) % 512) * 8;
      if ((this.view.getUint32(entry, true) & Pte.V) === 0) this.setPte(entry, this.frame(), Pte.V);
      table = Math.floor(this.view.getUint32(entry, true) / 1024);
    }
    return table * 4096 + (Math.floor(va / 4096 / 512 ** level) % 512) * 8;
  }
  setPte(entry: number, frame: number, flags: number): void {
    this.view.setBigUint64(entry, (BigInt(frame) << 10n) | BigInt(flags), true);
  }
  /** Maps pages to new or given frames; returns the first frame. */
  map(va: number, pages = 1, flags: number = USER_RWX, frame?: number): number {
    for (let i = 0; i < pages; i++) this.pte(va + i * 4096); // The tables first, so that new frames of one mapping lie together.
    const first = frame ?? this.#nextFrame;
    if (frame === undefined) this.#nextFrame += pages;
    for (let i = 0; i < pages; i++) this.setPte(this.pte(va + i * 4096), first + i, flags);
    for (const hart of this.harts) hart.flushTlb();
    return first;
  }
  /** Writes instruction words or bytes to physical memory, as a kernel does. */
  code(physical: number, words: readonly number[]): void {
    let at = physical;
    for (const word of words) {
      this.view.setUint16(at, word & 0xffff, true);
      if ((word & 3) === 3) this.view.setUint16(at + 2, word >>> 16, true);
      at += (word & 3) === 3 ? 4 : 2;
    }
    for (let frame = physical >>> 12; frame <= (at - 1) >>> 12; frame++) this.processor.invalidateFrame(frame);
  }
}
