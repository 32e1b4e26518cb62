/**
 * What devices put out, gathered by a host and handed over with its trace: under load there are a hundred thousand frames of the network in a
 * second, and a message for each would cost more than all else.
 *
 *     0 time (f64)   8 kernel (u16)   10 port (u16)   12 length (u32)   16 the bytes, up to a multiple of eight
 *
 * Always holds: outputs come out as they went in, in their order.
 */
const HEADER = 16;
const ROOM = 1 << 16;

export interface Output {
  readonly kernel: number;
  readonly port: number;
  readonly time: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const padded = (length: number): number => (length + 7) & ~7;

export class OutputBatch {
  #buffer = new Uint8Array(ROOM);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  /** Takes a copy of the bytes. False: there is no room for more, and `take` is to be called before. */
  add(kernel: number, port: number, time: number, bytes: Uint8Array): boolean {
    const end = this.#length + HEADER + padded(bytes.length);
    if (end > this.#buffer.length) {
      if (this.#length > 0) return false;
      this.#buffer = new Uint8Array(end);
      this.#view = new DataView(this.#buffer.buffer);
    }
    const at = this.#length;
    this.#view.setFloat64(at, time, true);
    this.#view.setUint16(at + 8, kernel, true);
    this.#view.setUint16(at + 10, port, true);
    this.#view.setUint32(at + 12, bytes.length, true);
    this.#buffer.set(bytes, at + HEADER);
    this.#length = end;
    return true;
  }

  /** All there are, as `readOutputs` reads them; null: there are none. */
  take(): Uint8Array<ArrayBuffer> | null {
    if (this.#length === 0) return null;
    const all = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    return all;
  }
}

/** The outputs of a batch; their bytes are parts of it. */
export function readOutputs(batch: Uint8Array<ArrayBuffer>): Output[] {
  const outputs: Output[] = [];
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  for (let at = 0; at + HEADER <= batch.length; ) {
    const length = view.getUint32(at + 12, true);
    outputs.push({
      kernel: view.getUint16(at + 8, true),
      port: view.getUint16(at + 10, true),
      time: view.getFloat64(at, true),
      bytes: batch.subarray(at + HEADER, at + HEADER + length),
    });
    at += HEADER + padded(length);
  }
  return outputs;
}
