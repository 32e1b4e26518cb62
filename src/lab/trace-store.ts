/**
 * The records of all kernels, in memory, indexed for views: by kernel in order of time, with running summaries. Views read it and never
 * write.
 */
export interface TraceRecord {
  readonly time: number;
  readonly kind: number;
  readonly kernel: number;
  readonly core: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly sequence: number;
}
