/**
 * Messages between two kernels, each on its own host (a thread): a program on kernel 1 reads a file of kernel 0 byte by byte, and each read is
 * a request and its answer, so this is the rate of a conversation in which each side waits for the other.
 */
import { scenarioOf } from '../../lab/scenario.ts';
import { TRACE_RECORD_BYTES, TraceKind } from '../../kernel/trace.ts';
import { start } from '../session.ts';

const LINES = 3000;

/** @returns messages per wall second, start-up left out */
export async function messageRate(hosts: number): Promise<number> {
  const script = `seq ${LINES} > /tmp/f; while read -r line; do :; done < /tmp/f`;
  const session = await start(
    scenarioOf({
      machine: { preset: 'laptop' },
      plan: 'partitioned',
      boot: [0, 1],
      exec: { kernel: 1, argv: ['sh', '-c', script], env: ['PATH=/usr/bin:/bin'], migrateEvery: 0 },
    }),
    { hosts },
  );
  let messages = 0;
  session.listen({
    records: bytes => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += TRACE_RECORD_BYTES) if (view.getUint16(at + 8, true) === TraceKind.MessageSend) messages++;
    },
  });
  const from = performance.now();
  await session.finished();
  const seconds = (performance.now() - from) / 1000;
  session.close();
  if (messages < 8 * LINES) throw new Error(`only ${messages} messages for ${LINES} lines`);
  return messages / seconds;
}
