/** For tests: what Wireshark's dissectors make of captures, where Debian's `tshark` is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasTshark = spawnSync('tshark', ['--version']).status === 0;

/** Fields that say whether checksums are right: 0 bad, 1 good; empty where there is none, or it can't be told (of a fragment). */
export const CHECKSUMS = ['ip', 'tcp', 'udp', 'icmp'].map(protocol => `${protocol}.checksum.status`);
/** Fields that say that something went wrong with a stream. */
export const TROUBLE = ['retransmission', 'lost_segment', 'ack_lost_segment', 'out_of_order', 'duplicate_ack'].map(
  sign => `tcp.analysis.${sign}`,
);

/** One row of fields for each frame of a capture in one of the formats that tshark knows. */
export function dissect(capture: Uint8Array, fields: readonly string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'tshark-'));
  try {
    const file = join(folder, 'run');
    writeFileSync(file, capture);
    const checks = ['ip', 'tcp', 'udp'].flatMap(protocol => ['-o', `${protocol}.check_checksum:TRUE`]);
    const args = ['-n', '-r', file, ...checks, '-T', 'fields', '-E', 'separator=|', ...fields.flatMap(field => ['-e', field])];
    const text = execFileSync('tshark', args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => line.split('|'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
