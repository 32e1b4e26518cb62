/**
 * The control and status registers that user mode has: fflags, frm, fcsr; cycle, time and instret, which tell virtual time and the
 * count of instructions as of the instruction's own beginning, and which cannot be written. Any other is illegal.
 */

const FFLAGS = 1;
const FRM = 2;
const FCSR = 3;
const CYCLE = 0xc00;
const TIME = 0xc01;
const INSTRET = 0xc02;

export interface CsrState {
  fcsr: number;
  readonly cycles: number;
  readonly instructions: number;
}

/** The value, or −1: there is no such register here. */
export function readCsr(number: number, from: CsrState): number {
  switch (number) {
    case FFLAGS:
      return from.fcsr & 31;
    case FRM:
      return from.fcsr >>> 5;
    case FCSR:
      return from.fcsr;
    case CYCLE:
    case TIME:
      return from.cycles;
    case INSTRET:
      return from.instructions;
    default:
      return -1;
  }
}

/** False: it may not be written. Bits that the register has not are dropped. */
export function writeCsr(number: number, value: number, to: CsrState): boolean {
  switch (number) {
    case FFLAGS:
      to.fcsr = (to.fcsr & 0xe0) | (value & 31);
      return true;
    case FRM:
      to.fcsr = (to.fcsr & 31) | ((value & 7) << 5);
      return true;
    case FCSR:
      to.fcsr = value & 0xff;
      return true;
    default:
      return false;
  }
}
