/**
 * What is used of the host's WebAssembly, stated here because this room is compiled with neither the DOM's types nor Node's.
 * A real `WebAssembly.Memory` is a `Memory`.
 */
export interface Memory {
  readonly buffer: ArrayBufferLike;
}
/** A table of functions; `set` without one empties the place. */
export interface FunctionTable {
  set(index: number, value: unknown): void;
}
interface Engine {
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Table: new (limits: { element: 'anyfunc'; initial: number }) => FunctionTable;
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => Memory;
}
export const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
