/**
 * Which code is translated, what there is of it, and where it is entered. One for each host, shared by all its kernels.
 *
 * What always holds:
 * - What is translated, and when, decides how fast something goes, never what happens or what it costs.
 * - A record leads from a decoded entry into translated code only while the frame holds the bytes that the code was made from: the frame
 *   is kept as the cache of decoded instructions keeps it (hart.ts), and dropped with it.
 * - Records, functions and the pages compared with are bounded; whole modules go, the oldest first.
 */
import type { InstructionCosts } from '../isa/instruction.ts';
import { ENTER, type Translation } from '../interpreter.ts';
import { ENTRY_BYTES, entry as field, JUMP_COUNTERS, Outcome, PAGE_SIZE, RECORD_BYTES, record, state } from '../layout.ts';
import { engine, type FunctionTable, type Memory } from '../wasm/engine.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import { RegionEmitter, type Site } from './emit.ts';
import { createGoOn, type DecodeCache } from './go-on.ts';
import { CodePages } from './pages.ts';
import { type CodeSource, findRegion, type Region } from './region.ts';

export interface TranslateOptions {
  /** Where the records and counters lie, below `lowLimit`. */
  readonly base: number;
  readonly bytes: number;
  /** Jumps to an address before it is translated. */
  readonly threshold?: number;
  /** Bytes of WebAssembly that are kept at most, but for the last module. */
  readonly codeBytes?: number;
  /** Whether followed lines are looked for in the first-level cache. */
  readonly caches?: boolean;
}

/** What the translator asks of the processor. */
export interface CodeCache {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly decodeCache: DecodeCache;
  entryOf(physical: number): number;
  forgetEntry(physical: number): void;
  fetchedFrame(hart: number, va: number): number;
  identify(frame: number, identity: number): void;
}

export interface TranslatorStatistics {
  readonly modules: number;
  readonly functions: number;
  readonly bytes: number;
  readonly pageBytes: number;
  readonly records: number;
}

/** Bytes that the translation area has at least: the counters and some records. */
export const TRANSLATION_BYTES_MIN = 65536;
const THRESHOLD = 3000;
/** Where something is known of where a jump goes, the next look is so many thresholds away: what is there may be another program by then. */
const THRESHOLDS_AGAIN = 4;
/** Regions that wait before they are compiled together. */
const BATCH_MAX = 8;
const FUNCTIONS_MAX = 2048;
/** Bytes of WebAssembly. The engine makes about ten times as much of them, see README. */
const CODE_BYTES_MAX = 4 << 20;
const PAGES_BYTES_MAX = 4 << 20;
const MODULES_MAX = 320;

interface Translated {
  readonly index: number;
  readonly entries: readonly number[];
  /** Addresses of its instructions. */
  readonly covered: Float64Array;
  readonly sites: readonly Site[];
  /** Identity of each page. */
  readonly pages: ReadonlyMap<number, number>;
  /** Physical addresses that have records of it. */
  readonly attached: Set<number>;
}
interface Compiled {
  readonly bytes: number;
  readonly regions: readonly Translated[];
}
interface Pending {
  readonly region: Region;
  readonly pages: ReadonlyMap<number, number>;
}

export class Translator {
  readonly #memory: Memory;
  readonly #costs: InstructionCosts;
  readonly #cache: CodeCache;
  readonly #threshold: number;
  readonly #codeBytes: number;
  readonly #caches: boolean;
  readonly #counters: number;
  readonly #table: FunctionTable;
  /** Null: the engine has no tail calls. */
  readonly #goOn: unknown;
  readonly #pages: CodePages;
  readonly #freeRecords: number[] = [];
  readonly #freeIndexes: number[] = [];
  readonly #modules: Compiled[] = [];
  readonly #byIndex: (Translated | undefined)[] = [];
  /** What there is on pages with an identity. */
  readonly #byPage = new Map<number, Set<Translated>>();
  /** Addresses of the records for a physical address, in the order in which they lead to one another. */
  readonly #records = new Map<number, number[]>();
  readonly #recordsOfFrame = new Map<number, Set<number>>();
  #pending: Pending[] = [];
  #bytes = 0;

  constructor(memory: Memory, lowLimit: number, costs: InstructionCosts, options: TranslateOptions, cache: CodeCache) {
    const { base, bytes, threshold = THRESHOLD, codeBytes = CODE_BYTES_MAX } = options;
    this.#codeBytes = codeBytes;
    this.#caches = options.caches ?? false;
    if (base % RECORD_BYTES !== 0 || bytes < TRANSLATION_BYTES_MIN || base + bytes > lowLimit) {
      throw new Error('the records of translated code must lie, aligned, below the memory that guests may have, and have 64 KiB at least');
    }
    this.#memory = memory;
    this.#costs = costs;
    this.#cache = cache;
    this.#threshold = threshold;
    this.#counters = base;
    this.#table = new engine.Table({ element: 'anyfunc', initial: FUNCTIONS_MAX });
    this.#goOn = createGoOn(memory, this.#table, cache.decodeCache);
    this.#pages = new CodePages(cache.u8);
    const firstRecord = base + JUMP_COUNTERS * 4;
    for (let at = base + bytes - RECORD_BYTES; at >= firstRecord; at -= RECORD_BYTES) this.#freeRecords.push(at);
    for (let index = FUNCTIONS_MAX - 1; index >= 0; index--) this.#freeIndexes.push(index);
    cache.i32.fill(threshold, base >>> 2, firstRecord >>> 2);
  }

  /** The interpreter's part of it. */
  get forInterpreter(): Translation {
    return {
      counters: this.#counters,
      imports: {
        table: this.#table,
        hot: hart => this.#hot(hart >>> 0),
        settle: (hart, index, outcome) => this.#settle(hart >>> 0, index, outcome),
      },
    };
  }

  /** What there is now. Bytes are those of WebAssembly. */
  get statistics(): TranslatorStatistics {
    const functions = this.#modules.reduce((sum, { regions }) => sum + regions.length, 0);
    const records = [...this.#records.values()].reduce((sum, list) => sum + list.length, 0);
    return { modules: this.#modules.length, functions, bytes: this.#bytes, pageBytes: this.#pages.bytes, records };
  }

  /** Whether the instruction at a virtual address that lies on this frame is part of translated code. */
  covers(frame: number, va: number): boolean {
    const here = [...(this.#byPage.get(this.#pages.identityOf(frame)) ?? [])];
    return here.some(({ covered }) => covered.includes(va));
  }

  identityOf(frame: number): number {
    return this.#pages.identityOf(frame);
  }

  /** An entry has been decoded anew: where there is translated code it leads there. */
  lead(entryAt: number, physical: number): void {
    const first = this.#records.get(physical)?.[0];
    if (first === undefined) return;
    const { u8, u16, i32 } = this.#cache;
    u8.copyWithin(first, entryAt, entryAt + ENTRY_BYTES);
    u16[(entryAt + field.op) >>> 1] = ENTER;
    i32[(entryAt + field.imm) >>> 2] = first;
  }

  /** A frame is about to hold something else. Its decoded entries go at the same time. */
  dropFrame(frame: number): void {
    if (this.#pages.identityOf(frame) === 0) return;
    this.#pages.drop(frame);
    this.#cache.identify(frame, 0);
    for (const physical of this.#recordsOfFrame.get(frame) ?? []) {
      for (const at of this.#records.get(physical) ?? []) {
        this.#byIndex[this.#cache.i32[(at + record.index) >>> 2] ?? -1]?.attached.delete(physical);
        this.#freeRecords.push(at);
      }
      this.#records.delete(physical);
    }
    this.#recordsOfFrame.delete(frame);
  }

  // --- what is hot -----------------------------------------------------------------------------------------------------------------

  #hot(hart: number): number {
    const pc = this.#pc(hart);
    const frame = this.#cache.fetchedFrame(hart, pc);
    if (frame < 0) return this.#threshold;
    const waiting = this.#pending.some(each => each.region.head === pc);
    if (!waiting && !this.#leadsFrom(frame, pc) && this.#add(hart, pc, frame)) {
      if (this.#pending.length >= BATCH_MAX || this.#threshold === 1) this.#flush();
      return Math.max(1, this.#threshold >> 2);
    }
    // It, or what it belongs to, is still hot: time for what waits.
    this.#flush();
    return this.#threshold * THRESHOLDS_AGAIN;
  }

  /** At once what is at a hart's pc, its page being known to the hart's fetches. */
  translate(hart: number): boolean {
    const pc = this.#pc(hart);
    const frame = this.#cache.fetchedFrame(hart, pc);
    if (frame < 0) return false;
    if (!this.#leadsFrom(frame, pc) && this.#add(hart, pc, frame)) this.#flush();
    return this.#leadsFrom(frame, pc);
  }

  #pc(hart: number): number {
    const { i32 } = this.#cache;
    const at = (hart + state.pc) >>> 2;
    return (i32[at + 1] ?? 0) * 4294967296 + ((i32[at] ?? 0) >>> 0);
  }

  /** Puts the region of an address on the list of those to be compiled. */
  #add(hart: number, pc: number, frame: number): boolean {
    const region = findRegion(pc, this.#source(hart));
    if (!region) return false;
    // The same bytes may have been translated elsewhere.
    const pages = new Map(region.pages.map(page => [page, this.#identify(this.#cache.fetchedFrame(hart, page))]));
    if (this.#leadsFrom(frame, pc)) return false;
    this.#pending.push({ region, pages });
    return true;
  }

  #source(hart: number): CodeSource {
    const cache = this.#cache;
    const physical = (va: number): number => {
      const frame = cache.fetchedFrame(hart, va);
      return frame < 0 ? -1 : frame * PAGE_SIZE + (va % PAGE_SIZE);
    };
    return {
      halfword: va => {
        const at = physical(va);
        return at < 0 ? -1 : (cache.u16[at >>> 1] ?? 0);
      },
      isTranslated: va => {
        const frame = cache.fetchedFrame(hart, va);
        return frame >= 0 && this.#leadsFrom(frame, va);
      },
      wanted: va => {
        if (va < 0) return false;
        const at = physical(va);
        return at >= 0 && (this.#threshold === 1 || cache.entryOf(at) !== 0);
      },
    };
  }

  #leadsFrom(frame: number, va: number): boolean {
    return this.#records.get(frame * PAGE_SIZE + (va % PAGE_SIZE))?.some(at => this.#vaOf(at) === va) ?? false;
  }
  #vaOf(at: number): number {
    const { i32 } = this.#cache;
    const word = (at + record.va) >>> 2;
    return (i32[word + 1] ?? 0) * 4294967296 + ((i32[word] ?? 0) >>> 0);
  }

  /** The identity of a frame; one that is new to us leads at once to what was made of the same bytes elsewhere. */
  #identify(frame: number): number {
    const known = this.#pages.identityOf(frame);
    if (known !== 0) return known;
    const identity = this.#pages.identify(frame);
    this.#cache.identify(frame, identity);
    for (const translated of this.#byPage.get(identity) ?? []) this.#attach(translated, frame, identity);
    return identity;
  }

  // --- modules ---------------------------------------------------------------------------------------------------------------------

  #flush(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    while (this.#modules.length > 0 && this.#isFull(pending.length)) this.#evict();

    const module = new ModuleBuilder(65536);
    const goOn = this.#goOn === null ? null : module.importFunction('goOn', ['i32'], ['i32']);
    const regions = pending.map(({ region, pages }, i): Translated => {
      let sites: readonly Site[] = [];
      const identity = (page: number): number => pages.get(page) ?? 0;
      module.function(
        ['i32'],
        ['i32'],
        locals => {
          const emitter = new RegionEmitter(region, locals, { costs: this.#costs, caches: this.#caches, identity, goOn });
          const body = emitter.body();
          sites = emitter.sites;
          return body;
        },
        `r${i}`,
      );
      const index = this.#freeIndexes.pop() as number;
      const covered = Float64Array.from(region.blocks.flatMap(({ steps }) => steps.map(({ va }) => va)));
      return { index, entries: region.entries, covered, sites, pages, attached: new Set() };
    });
    const bytes = module.bytes();
    const { exports } = new engine.Instance(new engine.Module(bytes), {
      env: { memory: this.#memory, goOn: this.#goOn },
    });
    this.#modules.push({ bytes: bytes.length, regions });
    this.#bytes += bytes.length;
    for (const [i, translated] of regions.entries()) {
      this.#byIndex[translated.index] = translated;
      this.#table.set(translated.index, exports[`r${i}`]);
      for (const identity of new Set(translated.pages.values())) {
        const there = this.#byPage.get(identity) ?? new Set();
        this.#byPage.set(identity, there.add(translated));
        for (const frame of this.#pages.framesOf(identity)) this.#attach(translated, frame, identity);
      }
    }
  }

  #isFull(coming: number): boolean {
    return (
      this.#bytes >= this.#codeBytes ||
      this.#modules.length >= MODULES_MAX ||
      this.#freeIndexes.length < coming ||
      this.#freeRecords.length < PAGE_SIZE / 2 ||
      this.#pages.bytes >= PAGES_BYTES_MAX
    );
  }

  #evict(): void {
    const oldest = this.#modules.shift();
    if (!oldest) return;
    this.#bytes -= oldest.bytes;
    for (const translated of oldest.regions) {
      for (const physical of translated.attached) this.#detach(translated, physical);
      this.#byIndex[translated.index] = undefined;
      this.#table.set(translated.index, null);
      this.#freeIndexes.push(translated.index);
      for (const identity of translated.pages.values()) {
        this.#byPage.get(identity)?.delete(translated);
        this.#forgetUnused(identity);
      }
    }
  }

  #forgetUnused(identity: number): void {
    if ((this.#byPage.get(identity)?.size ?? 0) > 0) return;
    if (this.#pending.some(({ pages }) => [...pages.values()].includes(identity))) return;
    this.#byPage.delete(identity);
    for (const frame of this.#pages.forget(identity)) this.#cache.identify(frame, 0);
  }

  // --- records ---------------------------------------------------------------------------------------------------------------------

  /** Makes the records by which a region is entered on a frame. */
  #attach(translated: Translated, frame: number, identity: number): void {
    const { i32 } = this.#cache;
    for (const va of translated.entries) {
      if (translated.pages.get(va - (va % PAGE_SIZE)) !== identity) continue;
      const physical = frame * PAGE_SIZE + (va % PAGE_SIZE);
      // The first stays: it was made when this was hot by itself.
      if (this.#leadsFrom(frame, va)) continue;
      const at = this.#freeRecords.pop();
      if (at === undefined) return;
      const word = (at + record.va) >>> 2;
      i32[word] = va | 0;
      i32[word + 1] = Math.floor(va / 4294967296) | 0;
      i32[(at + record.index) >>> 2] = translated.index;
      this.#records.set(physical, [...(this.#records.get(physical) ?? []), at]);
      const here = this.#recordsOfFrame.get(frame) ?? new Set();
      this.#recordsOfFrame.set(frame, here.add(physical));
      translated.attached.add(physical);
      this.#link(physical);
    }
  }

  #detach(translated: Translated, physical: number): void {
    const { i32 } = this.#cache;
    const list = this.#records.get(physical) ?? [];
    const rest = list.filter(at => {
      const own = i32[(at + record.index) >>> 2] === translated.index;
      if (own) this.#freeRecords.push(at);
      return !own;
    });
    if (rest.length > 0) {
      this.#records.set(physical, rest);
    } else {
      this.#records.delete(physical);
      this.#recordsOfFrame.get(physical >>> 12)?.delete(physical);
    }
    this.#link(physical);
  }

  /** Joins the records of an address to a list, and has the decoded entry made anew so that it leads to them, or to none. */
  #link(physical: number): void {
    const list = this.#records.get(physical) ?? [];
    for (const [i, at] of list.entries()) this.#cache.i32[(at + record.next) >>> 2] = list[i + 1] ?? 0;
    this.#cache.forgetEntry(physical);
  }

  // --- leaving ---------------------------------------------------------------------------------------------------------------------

  #settle(hart: number, index: number, outcome: number): void {
    const site = this.#byIndex[index]?.sites[outcome - Outcome.FirstSite];
    if (!site) throw new Error(`translated code ${index} left by ${outcome}`);
    const { i32 } = this.#cache;
    const at = hart >>> 2;
    const { pc, cycles, instructions } = site;
    i32[at + (state.pc >>> 2)] = pc | 0;
    i32[at + (state.pc >>> 2) + 1] = Math.floor(pc / 4294967296) | 0;
    i32[at + (state.left >>> 2)] = (i32[at + (state.left >>> 2)] ?? 0) + cycles;
    i32[at + (state.retired >>> 2)] = (i32[at + (state.retired >>> 2)] ?? 0) - instructions;
  }
}
