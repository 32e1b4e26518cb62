/**
 * Plans as people write them:
 *
 *     [federation:][flat: or numa:] smp | clustered | partitioned [+vf]
 *     [federation:][flat: or numa:] 0-7@0+disk0+nic0;8-15@1,16M@0;16-63@2-7    cores @ nodes + devices, kernel by kernel
 *
 * `16M@0` is so much of node 0; who names a node alone shares what is left of that. Without nodes a kernel's memory goes by the rule, `numa` unless
 * another is named. Without any device the disk and the card
 * go to the first kernel; all else that is not named is nobody's. `+vf` behind a name: the disk and the card go to the first kernel, a virtual
 * function to each other.
 */
import type { ImageMode } from '../kernel/boot/parameters.ts';
import { machineDevices, namesOf, usualDevices } from '../machine/devices/devices.ts';
import type { Topology } from '../machine/topology/topology.ts';

const MEBIBYTE = 1 << 20;

/** What is wrong with a plan, and where in its text. */
export class PlanError extends Error {
  constructor(
    message: string,
    readonly position: number | null = null,
  ) {
    super(message);
  }
}

/**
 * How memory is chosen for a kernel. `flat`: one chunk of the whole memory after the other, in proportion to cores, and all windows for
 * messages in one area at the top. `numa`: from the nodes of its cores, its window among them.
 */
export type MemoryRule = 'flat' | 'numa';

export interface WantedMemory {
  /** Position in topology.nodes. */
  readonly node: number;
  /** A multiple of a mebibyte; null: a share of what others have left of it. */
  readonly bytes: number | null;
}

export interface WantedKernel {
  readonly cores: readonly number[];
  /** No node twice; null: by the rule. */
  readonly memory: readonly WantedMemory[] | null;
  readonly devices: readonly string[];
}

export interface WantedPlan {
  readonly mode: ImageMode;
  readonly rule: MemoryRule;
  readonly kernels: readonly WantedKernel[];
}

/** The words before the kernels: `federation:flat:`, and what follows them. */
export function prefixOf(text: string): {
  readonly mode: ImageMode;
  readonly rule: MemoryRule;
  readonly body: string;
  readonly at: number;
} {
  const match = /^\s*(?:(single|federation)\s*:)?\s*(?:(flat|numa)\s*:)?/.exec(text) as RegExpExecArray;
  const at = match[0].length;
  return {
    mode: match[1] === 'federation' ? 'federation' : 'single',
    rule: match[2] === 'flat' ? 'flat' : 'numa',
    body: text.slice(at),
    at,
  };
}

/** The same plan with another mode, rule or kernels. */
export function withPrefix(
  text: string,
  change: { readonly mode?: ImageMode; readonly rule?: MemoryRule; readonly body?: string },
): string {
  const { mode, rule, body } = { ...prefixOf(text), ...change };
  return `${mode === 'federation' ? 'federation:' : ''}${rule === 'flat' ? 'flat:' : ''}${body}`;
}

/** @throws PlanError naming what is wrong */
export function readPlan(text: string, topology: Topology): WantedPlan {
  const { mode, rule, body, at } = prefixOf(text);
  return { mode, rule, kernels: named(body.trim(), topology) ?? explicit(body, at, topology) };
}

function named(text: string, topology: Topology): WantedKernel[] | null {
  const [name = '', suffix, ...rest] = text.split('+').map(part => part.trim());
  const kernels = coresOf(name, topology);
  if (kernels === null) return null;
  if (rest.length > 0 || (suffix !== undefined && suffix !== 'vf'))
    throw new PlanError(`${name} takes +vf and no other devices: write the plan kernel by kernel`);
  const all = machineDevices(topology);
  const devices = (kernel: number): string[] => {
    if (kernel === 0) return [...usualDevices(topology)];
    return suffix === undefined ? [] : all.flatMap(each => (each.name === `nic0.${kernel}` ? [each.name] : []));
  };
  return kernels.map((cores, kernel) => ({ cores, memory: null, devices: devices(kernel) }));
}

function coresOf(name: string, { cores, nodes }: Topology): (readonly number[])[] | null {
  switch (name) {
    case 'smp':
      return [cores.map(core => core.id)];
    case 'partitioned':
      return cores.map(({ id }) => [id]);
    case 'clustered':
      return nodes.flatMap(each => (each.cores.length > 0 ? [each.cores] : []));
    case 'kvm':
      throw new PlanError('the plan kvm (a host kernel and guests) is not there yet');
    default:
      return null;
  }
}

function explicit(text: string, start: number, topology: Topology): WantedKernel[] {
  if (text.trim() === '') throw new PlanError('the plan is empty', start);
  const owner = new Map<number, number>();
  const deviceOwner = new Map<string, number>();
  let position = start;
  const kernels = text.split(';').map((part, kernel): WantedKernel => {
    const at = position;
    position += part.length + 1;
    const [share = '', ...deviceParts] = part.split('+');
    const [coreText = ''] = share.split('@', 1);
    const memoryText = share.length === coreText.length ? null : share.slice(coreText.length + 1);
    if (coreText.trim() === '') throw new PlanError(`kernel ${kernel} has no core`, at);
    const cores = numbers(coreText, at, `kernel ${kernel}`);
    for (const core of cores) {
      if (!topology.cores.some(({ id }) => id === core)) throw new PlanError(`kernel ${kernel}: the machine has no core ${core}`, at);
      claim(owner, core, kernel, `core ${core}`, at);
    }
    if (memoryText?.trim() === '') throw new PlanError(`kernel ${kernel} has no memory: no node stands behind the @`, at + coreText.length);
    const memory = memoryText === null ? null : memoryOf(memoryText, at + coreText.length + 1, kernel, topology);
    let deviceAt = at + share.length;
    const devices = deviceParts.flatMap(word => {
      const names = deviceNames(word, deviceAt, kernel, topology);
      for (const name of names) claim(deviceOwner, name, kernel, name, deviceAt);
      deviceAt += word.length + 1;
      return names;
    });
    return { cores, memory, devices };
  });
  if (deviceOwner.size > 0) return kernels;
  return kernels.map((each, kernel) => (kernel === 0 ? { ...each, devices: usualDevices(topology) } : each));
}

/** `1,16M@0` */
function memoryOf(text: string, start: number, kernel: number, topology: Topology): WantedMemory[] {
  const found: WantedMemory[] = [];
  let at = start;
  for (const piece of text.split(',')) {
    const amount = /^\s*(\d{1,6})M@(\d{1,4})\s*$/.exec(piece);
    if (amount === null && piece.includes('@')) throw new PlanError(`kernel ${kernel}: “${piece.trim()}” is no memory as in 16M@2`, at);
    if (Number(amount?.[1]) === 0) throw new PlanError(`kernel ${kernel}: “${piece.trim()}” is no memory`, at);
    const bytes = amount === null ? null : Number(amount[1]) * MEBIBYTE;
    for (const id of amount === null ? numbers(piece, at, `kernel ${kernel}`) : [Number(amount[2])]) {
      const node = topology.nodes.findIndex(each => each.id === id);
      if (node < 0) throw new PlanError(`kernel ${kernel}: the machine has no node ${id}`, at);
      if (found.some(each => each.node === node)) throw new PlanError(`kernel ${kernel}: node ${id} appears twice`, at);
      found.push({ node, bytes });
    }
    at += piece.length + 1;
  }
  return found;
}

/** Everything has one owner. */
function claim<T>(owners: Map<T, number>, thing: T, kernel: number, name: string, at: number): void {
  const other = owners.get(thing);
  if (other === kernel) throw new PlanError(`kernel ${kernel}: ${name} appears twice`, at);
  if (other !== undefined) throw new PlanError(`${name} is given to kernel ${other} and to kernel ${kernel}`, at);
  owners.set(thing, kernel);
}

function deviceNames(word: string, at: number, kernel: number, topology: Topology): readonly string[] {
  const names = namesOf(word.trim());
  if (names === null) throw new PlanError(`kernel ${kernel}: “${word.trim()}” is no device`, at);
  const known = machineDevices(topology);
  const strange = names.find(name => !known.some(each => each.name === name));
  if (strange !== undefined)
    throw new PlanError(`kernel ${kernel}: the machine has no ${strange}, but ${known[0]?.name}, ${known[1]?.name} and its functions`, at);
  return names;
}

/** `0-7,9` */
export function numbers(text: string, at: number, who: string): number[] {
  const found: number[] = [];
  for (const piece of text.split(',')) {
    const match = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(piece);
    if (match === null) throw new PlanError(`${who}: “${piece.trim()}” is no number or range of numbers`, at);
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first) throw new PlanError(`${who}: the range ${piece.trim()} runs backwards`, at);
    for (let n = first; n <= last; n++) found.push(n);
  }
  return found;
}
