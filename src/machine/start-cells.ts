/**
 * How a core that no kernel runs on is started (INIT and SIPI on a PC): for each kernel that may be, a cell in the hardware's low memory that
 * says where its boot parameters are and when its first core starts.
 *
 *     0    i32  bells: one bit a kernel (4 words), set after its cell is written
 *     64 + 32·k    i32 count of starts, u32 bytes, f64 physical address, f64 arrival
 *
 * Always holds: a cell is written only while the kernel is off, by the one that starts it.
 */
import type { PhysicalMemory } from './memory.ts';

const CELL_BYTES = 32;
const CELLS = 64;
/** Behind the words by which hosts agree on time (layout.ts). */
const BASE = 4096;

export interface StartRequest {
  /** Of this kernel number so far, this one included. */
  readonly count: number;
  /** Physical address of the parameters, and their length. */
  readonly address: number;
  readonly bytes: number;
  /** Cycles. */
  readonly arrival: number;
}

export class StartCells {
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  request(kernel: number, address: number, bytes: number, arrival: number): void {
    const { view, i32 } = this.#memory;
    const at = this.#cell(kernel);
    view.setUint32(at + 4, bytes, true);
    view.setFloat64(at + 8, address, true);
    view.setFloat64(at + 16, arrival, true);
    Atomics.add(i32, at >>> 2, 1);
    Atomics.or(i32, (BASE >>> 2) + (kernel >> 5), 1 << (kernel & 31));
  }

  /** The last one; null: it has never been started. */
  read(kernel: number): StartRequest | null {
    const { view, i32 } = this.#memory;
    const at = this.#cell(kernel);
    const count = Atomics.load(i32, at >>> 2);
    if (count === 0) return null;
    return { count, bytes: view.getUint32(at + 4, true), address: view.getFloat64(at + 8, true), arrival: view.getFloat64(at + 16, true) };
  }

  /** Whether a kernel has ever been started. */
  isStarted(kernel: number): boolean {
    return (Atomics.load(this.#memory.i32, (BASE >>> 2) + (kernel >> 5)) & (1 << (kernel & 31))) !== 0;
  }
  /** 32 of these bits. */
  bells(word: number): number {
    return Atomics.load(this.#memory.i32, (BASE >>> 2) + word);
  }

  #cell(kernel: number): number {
    return BASE + CELLS + CELL_BYTES * kernel;
  }
}
