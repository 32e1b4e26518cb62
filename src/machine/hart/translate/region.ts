/**
 * What is translated together: the basic blocks that can be reached from a hot address by branches, jumps and calls, as long as they
 * lie on pages that the hart's own fetches have reached and cannot be entered in translated code already. Addresses are virtual, as numbers.
 *
 * Always holds: a block's steps are executed one after the other whatever happens, unless one of them leaves; only the last may jump.
 * A block without steps stands for an instruction that is left to the interpreter.
 */
import { type Decoded, decode, lengthOf } from '../isa/decode.ts';
import { PAGE_SIZE } from '../layout.ts';

export interface Step {
  readonly decoded: Decoded;
  readonly va: number;
}

/** How a block ends. Addresses in it need not be in the region. */
export type BlockEnd =
  | { readonly kind: 'jump'; readonly to: number }
  | { readonly kind: 'branch'; readonly taken: number; readonly otherwise: number }
  /** By a register's value. */
  | { readonly kind: 'indirect' }
  /** The next instruction is one for the interpreter. */
  | { readonly kind: 'interpret'; readonly at: number };

export interface Block {
  readonly va: number;
  readonly steps: readonly Step[];
  readonly end: BlockEnd;
}

export interface Region {
  readonly head: number;
  /** In order of address. */
  readonly blocks: readonly Block[];
  /** Where it may be entered from outside, the head among them: behind calls, and behind what was left to the interpreter. */
  readonly entries: readonly number[];
  /** Virtual addresses of the pages that it lies on. */
  readonly pages: readonly number[];
}

/** What is there to be read. Each address is even. */
export interface CodeSource {
  /** The halfword at an address; −1 on a page that is not to be had. */
  halfword(va: number): number;
  /** Whether it is worth its while: an address that has never been executed is not. */
  wanted(va: number): boolean;
  /** Whether translated code can be entered there already. */
  isTranslated(va: number): boolean;
}

export const REGION_STEPS_MAX = 400;
/** A block is cut off here, so that what it costs stays small beside a piece of fuel. */
const BLOCK_STEPS_MAX = 64;
/** Beyond, addresses are not those of user programs. */
const ADDRESS_END = 2 ** 38;

/** What the interpreter does by itself: control registers, traps, anything illegal. */
const isInterpreted = (decoded: Decoded | undefined): boolean =>
  decoded === undefined || decoded.row.name === 'ecall' || decoded.row.name === 'ebreak' || decoded.row.cost === 'csr';

const pageOf = (va: number): number => va - (va % PAGE_SIZE);
const lastByte = ({ va, decoded }: Step): number => va + decoded.length - 1;
/** Whether an instruction lies across two pages: it depends on both. */
export const isCrossing = (step: Step): boolean => pageOf(step.va) !== pageOf(lastByte(step));

/** @returns undefined where the instruction at `head` itself is none that can be translated */
export function findRegion(head: number, source: CodeSource): Region | undefined {
  const steps = new Map<number, Step | undefined>();
  const leaders = new Set<number>([head]);
  const entries = new Set<number>([head]);
  const queue = [head];
  let room = REGION_STEPS_MAX;

  const read = (va: number): Step | undefined => {
    if (va < 0 || va >= ADDRESS_END) return undefined;
    const low = source.halfword(va);
    if (low < 0) return undefined;
    const high = lengthOf(low) === 4 ? source.halfword(va + 2) : 0;
    if (high < 0) return undefined;
    const decoded = decode(low | (high << 16));
    return decoded === undefined || isInterpreted(decoded) ? undefined : { decoded, va };
  };
  const lead = (va: number): void => {
    if (leaders.has(va) || !source.wanted(va) || source.isTranslated(va)) return;
    leaders.add(va);
    queue.push(va);
  };

  for (let start = queue.shift(); start !== undefined; start = queue.shift()) {
    let va = start;
    let first = start;
    for (let length = 0; !steps.has(va); length++) {
      if (room <= 0) break;
      if (length === BLOCK_STEPS_MAX || pageOf(va) !== pageOf(first)) {
        leaders.add(va);
        length = 0;
        first = va;
      }
      room--;
      const step = read(va);
      steps.set(va, step);
      if (step === undefined) {
        if (va >= 0 && va < ADDRESS_END && source.halfword(va) >= 0) {
          // Back again behind it. What follows a return or an illegal instruction is hardly ever executed, hence never wanted.
          const next = va + lengthOf(source.halfword(va));
          lead(next);
          if (leaders.has(next)) entries.add(next);
        }
        break;
      }
      const { row, imm, rd, length: bytes } = step.decoded;
      const next = va + bytes;
      if (row.format === 'B') {
        lead(va + imm);
        lead(next);
        break;
      }
      if (row.name === 'jal' || row.name === 'jalr') {
        if (row.name === 'jal') lead(va + imm);
        if (rd !== 0) {
          lead(next);
          if (leaders.has(next)) entries.add(next);
        }
        break;
      }
      va = next;
    }
  }

  const blocks: Block[] = [];
  for (const start of [...leaders].sort((a, b) => a - b)) {
    if (!steps.has(start)) continue;
    blocks.push(blockAt(start, steps, leaders));
  }
  if (steps.get(head) === undefined) return undefined;
  const translated = new Set(blocks.filter(block => block.steps.length > 0).map(block => block.va));
  // An instruction across two pages can only be a block's last.
  const pages = new Set(blocks.flatMap(({ va, steps: own }) => [va, ...own.slice(-1).map(lastByte)].map(pageOf)));
  return { head, blocks, entries: [...entries].filter(va => translated.has(va)).sort((a, b) => a - b), pages: [...pages] };
}

function blockAt(start: number, all: ReadonlyMap<number, Step | undefined>, leaders: ReadonlySet<number>): Block {
  const steps: Step[] = [];
  let va = start;
  for (;;) {
    if (va !== start && leaders.has(va)) return { va: start, steps, end: { kind: 'jump', to: va } };
    const step = all.get(va);
    if (step === undefined) return { va: start, steps, end: all.has(va) ? { kind: 'interpret', at: va } : { kind: 'jump', to: va } };
    steps.push(step);
    const { row, imm, length } = step.decoded;
    const next = va + length;
    if (row.format === 'B') return { va: start, steps, end: { kind: 'branch', taken: va + imm, otherwise: next } };
    if (row.name === 'jal') return { va: start, steps, end: { kind: 'jump', to: va + imm } };
    if (row.name === 'jalr') return { va: start, steps, end: { kind: 'indirect' } };
    va = next;
  }
}
