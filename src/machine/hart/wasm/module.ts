/**
 * Puts functions together into the bytes of a WebAssembly module. Imports come first in the numbering of functions, in the order in
 * which they are declared; the one memory is imported as `env.memory` and is shared, a table of functions as `env.table`.
 */
import { type Code, type Local, type Value, type ValueTypeName, flatten, local, unsigned, valueType } from './code.ts';

interface Signature {
  readonly parameters: readonly ValueTypeName[];
  readonly results: readonly ValueTypeName[];
}

/** The locals of one function: parameters first, then as they are asked for. */
export class Locals {
  readonly #types: ValueTypeName[] = [];
  readonly #parameters: number;
  constructor(parameters: readonly ValueTypeName[]) {
    this.#types.push(...parameters);
    this.#parameters = parameters.length;
  }
  parameter<T extends Value>(index: number): Local<T> {
    return local<T>(index);
  }
  add<T extends Value>(type: ValueTypeName): Local<T> {
    this.#types.push(type);
    return local<T>(this.#types.length - 1);
  }
  encode(): number[] {
    const own = this.#types.slice(this.#parameters);
    return [...unsigned(own.length), ...own.flatMap(type => [1, valueType[type]])];
  }
}

const text = (name: string): number[] => [...unsigned(name.length), ...[...name].map(c => c.charCodeAt(0))];
const section = (id: number, entries: readonly Code[]): Code => {
  const body = flatten([unsigned(entries.length), ...entries]);
  return [id, unsigned(body.length), body];
};

export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functions: { type: number; body: Uint8Array }[] = [];
  readonly #exports: number[][] = [];
  #importCount = 0;

  /** The memory's declared limits must contain those of the memory that will be given. */
  constructor(maximumPages: number) {
    this.#imports.push([...text('env'), ...text('memory'), 0x02, 0x03, ...unsigned(0), ...unsigned(maximumPages)]);
  }

  importFunction(name: string, parameters: readonly ValueTypeName[], results: readonly ValueTypeName[]): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions');
    this.#imports.push([...text('env'), ...text(name), 0x00, ...unsigned(this.#type({ parameters, results }))]);
    return this.#importCount++;
  }

  importTable(): void {
    this.#imports.push([...text('env'), ...text('table'), 0x01, 0x70, 0x00, ...unsigned(0)]);
  }

  /** The number of a signature, for calls through the table. */
  signature(parameters: readonly ValueTypeName[], results: readonly ValueTypeName[]): number {
    return this.#type({ parameters, results });
  }

  function(
    parameters: readonly ValueTypeName[],
    results: readonly ValueTypeName[],
    build: (locals: Locals) => Code,
    exportedAs?: string,
  ): number {
    const locals = new Locals(parameters);
    const code = build(locals);
    const body = flatten([locals.encode(), code, 0x0b]);
    const index = this.#importCount + this.#functions.length;
    this.#functions.push({ type: this.#type({ parameters, results }), body });
    if (exportedAs !== undefined) this.#exports.push([...text(exportedAs), 0x00, ...unsigned(index)]);
    return index;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const types = this.#functions.map(({ type }) => unsigned(type));
    const bodies = this.#functions.map(({ body }) => [unsigned(body.length), body]);
    const sections = [
      section(1, this.#typeBytes),
      section(2, this.#imports),
      section(3, types),
      section(7, this.#exports),
      section(10, bodies),
    ];
    return flatten([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, ...sections]);
  }

  #type({ parameters, results }: Signature): number {
    const key = `${parameters.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const list = (types: readonly ValueTypeName[]) => [...unsigned(types.length), ...types.map(t => valueType[t])];
    this.#typeBytes.push([0x60, ...list(parameters), ...list(results)]);
    return this.#types.push(key) - 1;
  }
}
