/** Outputs of devices on their way from a host: as they went in, whatever their sizes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Output, OutputBatch, readOutputs } from './outputs.ts';

it('come out as they went in', () => {
  const output = fc.record({
    kernel: fc.nat(127),
    port: fc.nat(5),
    time: fc.double({ min: 0, max: 2 ** 53, noNaN: true }),
    bytes: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(70_000).fill(7))),
  });
  fc.assert(
    fc.property(fc.array(output, { maxLength: 20 }), outputs => {
      const batch = new OutputBatch();
      const got: Output[] = [];
      const take = (): void => {
        const all = batch.take();
        if (all !== null) got.push(...readOutputs(all));
      };
      for (const { kernel, port, time, bytes } of outputs) {
        if (batch.add(kernel, port, time, bytes)) continue;
        take();
        expect(batch.add(kernel, port, time, bytes)).toBe(true);
      }
      take();
      expect(batch.take()).toBeNull();
      expect(got.map(each => ({ ...each, bytes: Buffer.from(each.bytes).toString('hex') }))).toEqual(
        outputs.map(each => ({ ...each, bytes: Buffer.from(each.bytes).toString('hex') })),
      );
    }),
    { numRuns: 60 },
  );
});
