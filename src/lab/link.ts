/** A scenario in a link: JSON, deflated, in URL-safe base64 behind the #. */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import { readFile, type Scenario, writeFile } from './scenario.ts';

const PREFIX = 'lab=';
const INFLATED_MAX = 32 << 20;

/** The fragment (without #) of a link that opens this scenario. */
export function toFragment(scenario: Scenario): string {
  let binary = '';
  for (const byte of deflateSync(strToU8(writeFile(scenario)), { level: 9 })) binary += String.fromCharCode(byte);
  return PREFIX + btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * The scenario of a link's fragment; null when the fragment is none of ours.
 * @throws Error when it is, but broken
 */
export function fromFragment(fragment: string): Scenario | null {
  const text = fragment.replace(/^#/, '');
  if (!text.startsWith(PREFIX)) return null;
  let json: string;
  try {
    const packed = Uint8Array.from(atob(text.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
    json = strFromU8(inflateSync(packed, { out: new Uint8Array(Math.min(INFLATED_MAX, packed.length * 60 + 4096)) }));
  } catch {
    throw new Error('the link is damaged: its scenario can’t be unpacked');
  }
  const file = readFile(json);
  if (file.kind !== 'scenario') throw new Error('the link holds a recording; only scenarios fit in a link');
  return file;
}
