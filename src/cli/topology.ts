/** `lab topology FILE.xml|MACHINE [--of xml]`: a machine as the lab sees it. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { readHwloc, writeHwloc } from '../machine/topology/hwloc.ts';
import { PRESETS, preset } from '../machine/topology/presets.ts';
import { describe } from '../machine/topology/text.ts';
import type { Topology } from '../machine/topology/topology.ts';

/** A preset's name or the path of an hwloc XML file. @throws Error */
export function machineNamed(name: string): { topology: Topology; xml: string | null } {
  if (Object.hasOwn(PRESETS, name)) return { topology: preset(name), xml: null };
  let xml: string;
  try {
    xml = readFileSync(name, 'utf8');
  } catch {
    throw new Error(`${name} is neither a machine (${Object.keys(PRESETS).join(', ')}) nor a file that can be read`);
  }
  return { topology: readHwloc(xml, basename(name)), xml };
}

/** @returns the exit status */
export function topology(args: readonly string[]): number {
  const [file, option, form, ...rest] = args;
  if (file === undefined || rest.length > 0 || (option !== undefined && (option !== '--of' || (form !== 'xml' && form !== 'console')))) {
    process.stderr.write('usage: lab topology FILE.xml|MACHINE [--of xml]\n');
    return 2;
  }
  try {
    const { topology: found } = machineNamed(file);
    process.stdout.write(form === 'xml' ? writeHwloc(found) : describe(found));
    return 0;
  } catch (error) {
    process.stderr.write(`topology: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}
