/**
 * Classic BPF (McCanne and Jacobson 1993; Linux: net/core/filter.c): the little programs by which tcpdump and ss say which packets they
 * want. A program has an accumulator A, an index X and sixteen words of memory; it returns how many bytes of the packet are wanted.
 *
 * Always holds: a program that was let in ends: it only jumps forward, within itself, and its last instruction returns. A load from
 * beyond the packet returns 0.
 */

export interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly k: number;
}
export type Filter = readonly Instruction[];

const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, RET: 6, MISC: 7 } as const;
const MODE = { IMM: 0, ABS: 0x20, IND: 0x40, MEM: 0x60, LEN: 0x80, MSH: 0xa0 } as const;
const WORDS = 16;
const INSTRUCTIONS_MAX = 4096;
/** Loads from here on are Linux's own (SKF_AD_OFF): of a packet's protocol, its type, its interface. */
const ANCILLARY = 0xfffff000;

/** Reads a program of eight bytes an instruction; null if it is not to be let in. */
export function parseFilter(bytes: Uint8Array): Filter | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.length / 8;
  if (!Number.isInteger(count) || count === 0 || count > INSTRUCTIONS_MAX) return null;
  const filter: Instruction[] = [];
  for (let i = 0; i < count; i++) {
    const [code, ifTrue, ifFalse, k] = [
      view.getUint16(8 * i, true),
      view.getUint8(8 * i + 2),
      view.getUint8(8 * i + 3),
      view.getUint32(8 * i + 4, true),
    ];
    const kind = code & 7;
    const left = count - i - 1;
    if (kind === CLASS.JMP && ((code & 0xf0) === 0 ? k >= left : Math.max(ifTrue, ifFalse) >= left)) return null;
    if ((kind === CLASS.ST || kind === CLASS.STX || (kind <= CLASS.LDX && (code & 0xe0) === MODE.MEM)) && k >= WORDS) return null;
    const divides = (code & 0xf0) === 0x30 || (code & 0xf0) === 0x90;
    if (kind === CLASS.ALU && divides && (code & 8) === 0 && k === 0) return null;
    filter.push({ code, ifTrue, ifFalse, k });
  }
  return ((filter[count - 1] as Instruction).code & 7) === CLASS.RET ? filter : null;
}

/** How many bytes of `packet` are wanted; 0: it is not. `ancillary` gives what Linux has beside the packet, null for nothing. */
export function runFilter(filter: Filter, packet: Uint8Array, ancillary: (offset: number) => number | null = () => null): number {
  const memory = new Uint32Array(WORDS);
  let a = 0;
  let x = 0;
  const load = (at: number, size: number): number | null => {
    if (at >= ANCILLARY) return ancillary(at - ANCILLARY);
    if (at + size > packet.length) return null;
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (packet[at + i] as number);
    return value;
  };
  for (let pc = 0; pc < filter.length; pc++) {
    const { code, ifTrue, ifFalse, k } = filter[pc] as Instruction;
    const operand = code & 8 ? x : k;
    switch (code & 7) {
      case CLASS.LD: {
        const size = [4, 2, 1, 4][(code >>> 3) & 3] as number;
        const mode = code & 0xe0;
        let value: number | null = k;
        if (mode === MODE.ABS) value = load(k, size);
        else if (mode === MODE.IND) value = load((x + k) >>> 0, size);
        else if (mode === MODE.MEM) value = memory[k] as number;
        else if (mode === MODE.LEN) value = packet.length;
        if (value === null) return 0;
        a = value;
        break;
      }
      case CLASS.LDX: {
        const mode = code & 0xe0;
        let value: number | null = k;
        if (mode === MODE.MEM) value = memory[k] as number;
        else if (mode === MODE.LEN) value = packet.length;
        else if (mode === MODE.MSH) {
          const byte = load(k, 1);
          value = byte === null ? null : (byte & 15) * 4;
        }
        if (value === null) return 0;
        x = value;
        break;
      }
      case CLASS.ST:
        memory[k] = a;
        break;
      case CLASS.STX:
        memory[k] = x;
        break;
      case CLASS.ALU: {
        const result = compute(code & 0xf0, a, operand);
        if (result === null) return 0;
        a = result;
        break;
      }
      case CLASS.JMP: {
        const kind = code & 0xf0;
        if (kind === 0) pc += k;
        else pc += holds(kind, a, operand) ? ifTrue : ifFalse;
        break;
      }
      case CLASS.RET:
        return (code & 0x18) === 0x10 ? a : k;
      default:
        if (code & 0x80) a = x;
        else x = a;
    }
  }
  return 0;
}

function compute(operation: number, a: number, b: number): number | null {
  switch (operation) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? null : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return b > 31 ? 0 : (a << b) >>> 0;
    case 0x70:
      return b > 31 ? 0 : a >>> b;
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return b === 0 ? null : a % b;
    case 0xa0:
      return (a ^ b) >>> 0;
    default:
      return null;
  }
}

function holds(comparison: number, a: number, b: number): boolean {
  switch (comparison) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    default:
      return (a & b) !== 0;
  }
}
