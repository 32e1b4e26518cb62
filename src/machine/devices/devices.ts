/**
 * The devices of a machine that one kernel has at a time: a disk, a network card, and the card's virtual functions. Each is wired to a node.
 *
 * Always holds: the list follows from the topology alone, so a device's place in it means the same to all kernels.
 */
import type { Topology } from '../topology/topology.ts';

export type DeviceKind = 'disk' | 'nic' | 'nic-vf';

export interface MachineDevice {
  /** `disk0`, `nic0`; a virtual function has its card's name and its number: `nic0.1`. */
  readonly name: string;
  readonly kind: DeviceKind;
  /** The node it is wired to, as a position in topology.nodes. */
  readonly node: number;
}

/** What one port of an Intel 82599 offers at most (its datasheet: 64 pools, one of them the physical function's). */
const FUNCTIONS_MAX = 63;

/** The devices of a machine: the I/O hub hangs off the first node with cores; of virtual functions there is one for each further core. */
export function machineDevices({ nodes, cores }: Topology): readonly MachineDevice[] {
  const node = Math.max(
    0,
    nodes.findIndex(each => each.cores.length > 0),
  );
  const functions = Math.min(FUNCTIONS_MAX, cores.length - 1);
  return [
    { name: 'disk0', kind: 'disk', node },
    { name: 'nic0', kind: 'nic', node },
    ...Array.from({ length: functions }, (_, i): MachineDevice => ({ name: `nic0.${i + 1}`, kind: 'nic-vf', node })),
  ];
}

/** Of those the ones that a plan gives to its first kernel where it names none. Virtual functions are nobody's until they are given to somebody. */
export const usualDevices = (topology: Topology): readonly string[] =>
  machineDevices(topology).flatMap(({ name, kind }) => (kind === 'nic-vf' ? [] : [name]));

/** Functions of the machine's network card, the physical one among them. */
export const cardFunctions = (topology: Topology): number => machineDevices(topology).filter(({ kind }) => kind !== 'disk').length;

/** Of the machine's network card. */
export const functionName = (number: number): string => (number === 0 ? 'nic0' : `nic0.${number}`);

/** Names of devices as people write them, `nic0.1-3` for three. Null: the text is no name of a device. */
export function namesOf(text: string): readonly string[] | null {
  const match = /^([a-z]+\d{1,2})(?:\.(\d{1,3})(?:-(\d{1,3}))?)?$/.exec(text);
  if (match === null) return null;
  const [, card = '', first, last = first] = match;
  if (first === undefined) return [card];
  const count = Number(last) - Number(first) + 1;
  return count < 1 ? null : Array.from({ length: count }, (_, i) => `${card}.${Number(first) + i}`);
}

/** The other way round: names as texts that `namesOf` reads, virtual functions that follow each other in one. */
export function deviceTexts(names: readonly string[]): readonly string[] {
  const texts: { card: string; first: number; last: number }[] = [];
  for (const name of names) {
    const [card = '', number] = name.split('.');
    const before = texts.at(-1);
    if (number !== undefined && before?.card === card && before.last === Number(number) - 1) before.last++;
    else texts.push({ card, first: Number(number ?? Number.NaN), last: Number(number ?? Number.NaN) });
  }
  return texts.map(({ card, first, last }) =>
    Number.isNaN(first) ? card : first === last ? `${card}.${first}` : `${card}.${first}-${last}`,
  );
}
