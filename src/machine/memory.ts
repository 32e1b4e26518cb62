/**
 * Physical memory: one `WebAssembly.Memory`, seen through the views that the rest of the machine uses.
 *
 * Always holds: a physical address is a byte offset in it; the memory never grows, so the views stay valid.
 */
import { engine, type Memory } from './hart/wasm/engine.ts';

export const WASM_PAGE = 65536;

export class PhysicalMemory {
  readonly wasm: Memory;
  readonly buffer: ArrayBufferLike;
  readonly bytes: number;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly view: DataView;

  /** Sees a memory that exists already, perhaps made by another host. */
  constructor(wasm: Memory) {
    this.wasm = wasm;
    this.buffer = wasm.buffer;
    this.bytes = wasm.buffer.byteLength;
    this.u8 = new Uint8Array(wasm.buffer);
    this.u32 = new Uint32Array(wasm.buffer);
    this.i32 = new Int32Array(wasm.buffer);
    this.f64 = new Float64Array(wasm.buffer);
    this.i64 = new BigInt64Array(wasm.buffer);
    this.view = new DataView(wasm.buffer);
  }

  /**
   * Makes the memory of a machine.
   * @param bytes a multiple of 64 KiB, at most 4 GiB
   * @throws RangeError where the browser refuses so much
   */
  static create(bytes: number): PhysicalMemory {
    const pages = bytes / WASM_PAGE;
    return new PhysicalMemory(new engine.Memory({ initial: pages, maximum: pages, shared: true }));
  }
}
