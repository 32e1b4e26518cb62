/** Runs the oracle's cases on the interpreter, or translated. */
import { ExitKind } from '../hart.ts';
import { Bench, USER_RWX } from '../harness.ts';
import { state } from '../layout.ts';
import { BOUNDARY, CODE, type Case, codeLength, type End, initialWindow, outcome, WINDOW } from './cases.ts';

const PAGE = 4096;
/** `ecall` as qemu's user mode answers it for a number that is no system call. */
const ENOSYS = -38n;

export class Replay {
  readonly #bench: Bench;
  readonly #codeAt: number;
  readonly #window: readonly [number, number];
  readonly #initial: Int32Array;

  /** @param threshold as Bench has it */
  constructor(threshold = 0) {
    const bench = new Bench({ threshold });
    this.#bench = bench;
    this.#codeAt = bench.map(CODE - PAGE, 3) * PAGE;
    const upper = bench.map(BOUNDARY, 1, USER_RWX) * PAGE;
    bench.frame();
    const lower = bench.map(BOUNDARY - PAGE, 1, USER_RWX) * PAGE;
    this.#window = [lower + PAGE - WINDOW, upper];
    initialWindow.forEach((value, i) => {
      bench.view.setBigUint64(this.#physical(i), value, true);
    });
    this.#initial = this.#words().slice();
  }

  /** Where the window's i-th doubleword lies. */
  #physical(i: number): number {
    const half = WINDOW / 8;
    return i < half ? this.#window[0] + i * 8 : this.#window[1] + (i - half) * 8;
  }

  run(start: Case): string {
    const bench = this.#bench;
    const { hart } = bench;
    bench.code(this.#codeAt + start.pc - CODE + PAGE, start.code);
    start.x.forEach((value, i) => {
      hart.setXBig(i, value);
    });
    start.f.forEach((value, i) => {
      hart.setF(i, value);
    });
    hart.fcsr = start.fcsr;
    hart.pc = start.pc;
    hart.breakReservation();
    let event = '';
    for (let step = 0; step < start.code.length && event === ''; step++) event = this.#step();
    const memory = this.#changes();
    bench.code(
      this.#codeAt + start.pc - CODE + PAGE,
      Array.from({ length: codeLength(start.code) / 2 }, () => 0x9002),
    );
    const end: End = {
      event,
      pc: new DataView(hart.regs.buffer, hart.base).getBigUint64(state.pc, true),
      x: start.x.map((_, i) => BigInt.asUintN(64, hart.xBig(i))),
      f: start.f.map((_, i) => hart.f(i)),
      fcsr: hart.fcsr,
      memory,
    };
    return outcome(start, end);
  }

  /** Both halves of the window, one after the other. */
  #words(): Int32Array {
    const words = new Int32Array((2 * WINDOW) / 4);
    this.#window.forEach((at, half) => {
      words.set(this.#bench.processor.i32.subarray(at / 4, (at + WINDOW) / 4), (half * WINDOW) / 4);
    });
    return words;
  }
  /** What changed in the window; puts it back. */
  #changes(): [offset: number, value: bigint][] {
    const changes: [number, bigint][] = [];
    const words = this.#words();
    for (let i = 0; i < words.length; i += 2) {
      if (words[i] === this.#initial[i] && words[i + 1] === this.#initial[i + 1]) continue;
      const at = this.#physical(i / 2);
      const { view } = this.#bench;
      changes.push([i * 4, view.getBigUint64(at, true)]);
      view.setBigUint64(at, initialWindow[i / 2] ?? 0n, true);
    }
    return changes;
  }

  #step(): string {
    const { hart } = this.#bench;
    const kind = hart.run(1);
    switch (kind) {
      case ExitKind.Fuel:
        return '';
      case ExitKind.Ebreak:
        return 'ebreak';
      case ExitKind.IllegalInstruction:
        return 'illegal';
      case ExitKind.Misaligned:
        return 'misaligned';
      case ExitKind.PageFault:
        return `fault ${BigInt.asUintN(64, BigInt(hart.faultAddress)).toString(16)}`;
      case ExitKind.Ecall:
        hart.setXBig(10, ENOSYS);
        hart.pc += 4;
        return '';
    }
  }
}
