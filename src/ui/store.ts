/**
 * What the page knows: the plan being drawn, the session that runs, what is selected. Everything about the run itself is read from the
 * session's trace; `tick` only says that there is news in it.
 */
import { create } from 'zustand';
import { machineOf } from '../lab/machine.ts';
import { PlanError } from '../lab/plan-text.ts';
import { type MemoryMove, resolvePlan, withCores, withDevice, withMemory } from '../lab/plan.ts';
import type { DebugCommand } from '../kernel/debug/watch.ts';
import type { ResolvedPlan } from '../kernel/boot/parameters.ts';
import { type Recording, readFile, type Scenario, scenarioOf, writeFile } from '../lab/scenario.ts';
import { partitionsNow } from '../lab/partitions.ts';
import { Debugger } from '../lab/debugger.ts';
import type { Session, SessionStatus, StepKind } from '../lab/session.ts';
import { fromFragment, toFragment } from '../lab/link.ts';
import { namesOnly, withArchive } from '../lab/roots.ts';
import { M } from '../kernel/message/catalog.ts';
import { clientMachine } from '../machine/topology/presets.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { Consoles } from './console/consoles.ts';
import { archiveKind } from '../lab/archive/kinds.ts';
import { toCpio } from '../lab/archive/file.ts';
import { checkDropped } from './drop.ts';
import { kernelName } from './kernels.ts';
import type { MemoryPart } from './machine/memory.ts';
import { atIntervals } from './news.ts';
import { startInBrowser } from './engine.ts';

export type ConsoleTab = 'shell' | 'log' | 'messages' | 'network' | 'processor' | 'wall';
export type Theme = 'system' | 'light' | 'dark';

export interface Notice {
  readonly text: string;
  readonly bad: boolean;
}

/** Virtual seconds per wall second; 0 stands for as fast as possible. */
export const SPEEDS: readonly { readonly label: string; readonly rate: number }[] = [
  { label: '1 s = 1 µs', rate: 1e-6 },
  { label: '1 s = 10 µs', rate: 1e-5 },
  { label: '1 s = 100 µs', rate: 1e-4 },
  { label: '1 s = 1 ms', rate: 1e-3 },
  { label: '1 s = 10 ms', rate: 1e-2 },
  { label: '1 s = 100 ms', rate: 0.1 },
  { label: '1 s = 1 s', rate: 1 },
  { label: 'full speed', rate: 0 },
];
const SPEED_REAL = 6;
export const STEPS: readonly StepKind[] = ['event', 'message', 'quantum'];

/** A number of a kernel being typed: whose console to show, or where a process or a device goes. */
export interface Prompt {
  readonly kind: 'console' | 'move' | 'device' | 'memory';
  /** That goes there. */
  readonly device?: string;
  readonly memory?: MemoryPart;
}

interface State {
  scenario: Scenario;
  topology: Topology;
  /** Null while the plan's text makes no sense. */
  plan: ResolvedPlan | null;
  planError: string | null;
  session: Session | null;
  /** The session's. */
  inspector: Debugger | null;
  starting: boolean;
  status: SessionStatus | null;
  /** Of the trace, when `plan` was made from it. */
  sharesVersion: number;
  /** Changes when there is something new in the trace. */
  tick: number;
  speed: number;
  kernel: number;
  pid: number | null;
  /** Id of the selected message. */
  message: number | null;
  /** Whether heartbeats, which every kernel sends its neighbour all the time, are shown among the messages. */
  heartbeats: boolean;
  /** Whether packets are shown below consoles, as they pass. */
  packets: boolean;
  /** A lane for each core rather than for each kernel. */
  byCore: boolean;
  stepKind: StepKind;
  prompt: Prompt | null;
  /** MiB of memory that go at a time; null: a part of the node (machine/memory.ts). */
  block: number | null;
  /** Plans before the present one. */
  history: readonly string[];
  /** Cores picked out for a partition of their own. */
  picked: ReadonlySet<number>;
  tab: ConsoleTab;
  theme: Theme;
  projector: boolean;
  help: boolean;
  notice: Notice | null;

  setMachine(machine: Scenario['machine']): void;
  setPlan(text: string): void;
  /** The same as a step that can be undone. */
  changePlan(text: string): void;
  /** Whether there is a client machine at the other end of the network cable. */
  setClient(client: boolean): void;
  pick(cores: readonly number[], add: boolean): void;
  /** The picked cores become a kernel of their own, or part of one that is there; what is left of others stays theirs. */
  partitionPicked(kernel?: number): void;
  undoPlan(): void;
  start(source: Scenario | Recording, bootAll: boolean): Promise<void>;
  powerOff(): void;
  bootAll(): Promise<void>;
  boot(kernel: number): Promise<void>;
  /** To the kernels (kernel/partition/control.ts), by the lowest that is up. */
  order(text: string): void;
  migrate(pid: number, to: number): void;
  /** By order while it runs, in the plan before. */
  giveDevice(device: string, to: number): void;
  giveMemory(move: MemoryMove): void;
  /** To the chosen process. */
  debug(order: DebugCommand): void;
  togglePause(): void;
  step(kind?: StepKind): void;
  setSpeed(index: number): void;
  select(
    part: Partial<
      Pick<
        State,
        | 'kernel'
        | 'pid'
        | 'message'
        | 'tab'
        | 'theme'
        | 'projector'
        | 'help'
        | 'notice'
        | 'heartbeats'
        | 'packets'
        | 'byCore'
        | 'stepKind'
        | 'prompt'
        | 'block'
      >
    >,
  ): void;
  openFile(file: File): Promise<void>;
  /** Lays an archive's files over the root: of what runs, or of the next power-on. @throws Error */
  openArchive(name: string, bytes: Uint8Array): Promise<void>;
  /** Before power-on: without that archive. */
  dropArchive(name: string): void;
  saveRecording(): void;
  copyLink(): Promise<void>;
}

const first = initialScenario();

export const useLab = create<State>((set, get) => ({
  ...planned(first.scenario),
  session: null,
  inspector: null,
  starting: false,
  status: null,
  sharesVersion: 0,
  tick: 0,
  speed: SPEED_REAL,
  kernel: 0,
  pid: null,
  message: null,
  picked: new Set(),
  tab: 'shell',
  theme: 'system',
  projector: false,
  help: false,
  heartbeats: false,
  packets: false,
  byCore: false,
  stepKind: 'message',
  prompt: null,
  block: null,
  history: [],
  notice: first.notice,

  setMachine: machine => {
    try {
      set({ ...planned({ ...get().scenario, machine, plan: 'clustered' }), picked: new Set(), kernel: 0, notice: null, history: [] });
    } catch (error) {
      set({ notice: { text: messageOf(error), bad: true } });
    }
  },
  changePlan: plan => {
    const { scenario, history } = get();
    get().setPlan(plan);
    set({ history: [...history, scenario.plan].slice(-100) });
  },
  setPlan: plan => set({ ...planned({ ...get().scenario, plan }), picked: new Set(), kernel: 0 }),
  setClient: client => set(planned({ ...get().scenario, network: { ...get().scenario.network, client } })),
  pick: (cores, add) => {
    const picked = new Set(add ? get().picked : []);
    for (const core of cores) {
      if (add && get().picked.has(core)) picked.delete(core);
      else picked.add(core);
    }
    set({ picked });
  },
  partitionPicked: kernel => {
    const { topology, picked, scenario } = get();
    if (picked.size > 0) get().changePlan(withCores(scenario.plan, [...picked], kernel ?? null, topology));
  },
  undoPlan: () => {
    const { history, session } = get();
    const last = history.at(-1);
    if (last === undefined || session !== null) return;
    get().setPlan(last);
    set({ history: history.slice(0, -1) });
  },

  start: async (source, bootAll) => {
    if (get().starting) return;
    get().session?.close();
    set({ starting: true, notice: null });
    try {
      const rate = SPEEDS[get().speed]?.rate ?? 1;
      const scenario = source.kind === 'recording' ? source.scenario : source;
      const { topology } = planned(scenario);
      const session = await startInBrowser(source, rate === 0 ? Number.POSITIVE_INFINITY : rate * topology.hertz);
      consoles.attach(session);
      session.listen(
        atIntervals((status, traced) =>
          set({
            status,
            ...(traced ? { tick: get().tick + 1, ...sharesOf(session, get()) } : {}),
            ...(status.failure === null
              ? {}
              : { notice: { text: `A host failed (kernels ${status.failure.kernels.join(', ')}): ${status.failure.message}`, bad: true } }),
          }),
        ),
      );
      set({
        ...planned(scenario),
        session,
        inspector: new Debugger(session, () => set({ tick: get().tick + 1 })),
        starting: false,
        kernel: scenario.exec?.kernel ?? 0,
        pid: null,
        message: null,
        prompt: null,
        tab: 'shell',
        status: session.status,
        sharesVersion: 0,
      });
      if (bootAll && source.kind === 'scenario')
        for (const { kernel } of session.plan.partitions) if (kernel !== 0) session.input(0, { kind: 'boot', kernel });
    } catch (error) {
      set({ starting: false, notice: { text: messageOf(error), bad: true } });
    }
  },
  powerOff: () => {
    get().session?.close();
    consoles.clear();
    set({
      ...planned(get().scenario),
      session: null,
      inspector: null,
      status: null,
      pid: null,
      message: null,
      tab: 'shell',
      tick: get().tick + 1,
    });
  },
  bootAll: async () => {
    const { session, plan, scenario } = get();
    if (session === null) {
      if (plan !== null) await get().start({ ...scenario, boot: [0] }, true);
      return;
    }
    for (const { kernel, cores } of plan?.partitions ?? []) if (!isOn(session, kernel) && cores.length > 0) get().order(`boot ${kernel}`);
  },
  boot: async kernel => {
    if (get().session === null) await get().start({ ...get().scenario, boot: [0] }, false);
    const { session } = get();
    if (session !== null && session.status.now > 0 && !isOn(session, kernel)) get().order(`boot ${kernel}`);
    else if (session !== null && kernel !== 0) session.input(0, { kind: 'boot', kernel });
    set({ kernel });
  },
  order: text => {
    const { session } = get();
    const up = [...(session?.trace.kernels ?? [])].filter(([, { state }]) => state === 2).map(([kernel]) => kernel);
    if (session === null || up.length === 0) {
      set({ notice: { text: 'no kernel is up that could carry it out', bad: true } });
      return;
    }
    const by = Math.min(...up);
    const refused = `popcorn: ${text}: `;
    const stop = session.listen({
      output: (kernel, port, _time, bytes) => {
        const line = port === 3 && kernel === by ? new TextDecoder('latin1').decode(bytes) : '';
        const at = line.indexOf(refused);
        if (at < 0) return;
        set({ notice: { text: `${text}: ${line.slice(at + refused.length).trim()}`, bad: true } });
        stop();
      },
    });
    setTimeout(stop, REFUSAL_WAIT);
    if (!session.input(by, { kind: 'order', text })) set({ notice: { text: 'a recording is playing: it can’t be changed', bad: true } });
    else set({ notice: null });
  },
  migrate: (pid, to) => {
    const { session } = get();
    const row = session?.trace.processes.get(pid);
    if (session === null || row === undefined) return;
    if (row.kernel === to) return;
    if (session.plan.mode === 'federation') {
      set({ notice: { text: 'in a federation no process moves to another kernel', bad: true } });
      return;
    }
    if ((session.trace.kernels.get(to)?.state ?? 0) !== 2) {
      set({ notice: { text: `${kernelName(to)} is not up: boot it first`, bad: true } });
      return;
    }
    if (!session.input(row.kernel, { kind: 'migrate', pid, to }))
      set({ notice: { text: 'a recording is playing: it can’t be changed', bad: true } });
    else set({ pid });
  },
  giveDevice: (device, to) => {
    const { session, scenario, topology, plan } = get();
    const isThere = plan?.partitions.some(({ kernel, devices }) => kernel === to && devices.includes(device));
    if (plan === null || isThere) return;
    if (session !== null) get().order(`mv-dev ${device} ${to}`);
    else get().changePlan(withDevice(scenario.plan, device, to, topology));
  },
  giveMemory: move => {
    const { session, scenario, topology } = get();
    const { node, bytes, from, to } = move;
    if (from === to) return;
    if (session !== null) {
      get().order(`mv-mem ${bytes >>> 20}M@${topology.nodes[node]?.id} ${from ?? 'free'} ${to}`);
      return;
    }
    try {
      get().changePlan(withMemory(scenario.plan, move, topology));
      set({ notice: null });
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      set({ notice: { text: error.message, bad: true } });
    }
  },
  debug: order => {
    const { inspector, pid } = get();
    if (inspector === null || pid === null) return;
    set({ tab: 'processor' });
    if (!inspector.order(pid, order)) set({ notice: { text: 'a recording is playing: it can’t be changed', bad: true } });
  },
  togglePause: () => {
    const { session, status } = get();
    if (status?.paused) session?.resume();
    else session?.pause();
  },
  step: kind => {
    if (kind !== undefined) set({ stepKind: kind });
    get().session?.step(get().stepKind);
  },
  setSpeed: speed => {
    const rate = SPEEDS[speed]?.rate ?? 1;
    const pace = rate === 0 ? Number.POSITIVE_INFINITY : rate * get().topology.hertz;
    get().session?.setSpeed(pace);
    set({ speed });
  },
  select: part => set(part),
  openFile: async file => {
    const { session, kernel } = get();
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const start = String.fromCharCode(...bytes.subarray(0, 300)).trimStart();
      if (start.startsWith('<?xml') || start.startsWith('<topology')) {
        if (session !== null) throw new Error('the machine can’t be changed while it runs: power it off, then open the file');
        get().setMachine({ name: file.name.replace(/\.xml$/, ''), xml: new TextDecoder().decode(bytes) });
        return;
      }
      if (start.startsWith('{') && file.name.endsWith('.json')) {
        const read = readFile(new TextDecoder().decode(bytes));
        if (read.kind === 'recording') await get().start(read, false);
        else {
          get().powerOff();
          set(planned(read));
        }
        return;
      }
      if (archiveKind(bytes) !== null) {
        await get().openArchive(file.name, bytes);
        return;
      }
      checkDropped(file.name, bytes);
      if (session === null || session.trace.kernels.get(0)?.state !== 2)
        throw new Error(`${file.name}: boot kernel 0 first; then files dropped here are in its /mnt`);
      // The tree is one: its owner takes the file, every console finds it.
      if (!session.input(0, { kind: 'file', name: file.name, bytes })) throw new Error('a recording is playing: it can’t be changed');
      set({
        notice: { text: `${file.name} is in /mnt of every kernel; on the console of kernel ${kernel}: /mnt/${file.name}`, bad: false },
      });
    } catch (error) {
      set({ notice: { text: messageOf(error), bad: true } });
    }
  },
  openArchive: async (name, bytes) => {
    const { session, scenario } = get();
    const { unpack } = await import('../lab/archive/unpack.ts');
    const files = await unpack(name, bytes);
    if (session === null) {
      const { where, ...laid } = withArchive(scenario, { name, bytes });
      set({ ...laid, notice: { text: `${name}: ${files.length} files will be in ${where} when kernels boot`, bad: false } });
      return;
    }
    if (session.trace.kernels.get(0)?.state !== 2) throw new Error(`${name}: boot kernel 0 first; then its files are laid over the root`);
    if (!session.input(0, { kind: 'files', name, archive: toCpio(files, DROPPED_MAX) }))
      throw new Error('a recording is playing: it can’t be changed');
    set({ notice: { text: `${name}: ${files.length} files are in the root of every kernel`, bad: false } });
  },
  dropArchive: name => {
    const { scenario } = get();
    const root = (scenario.root ?? []).filter(each => each.name !== name);
    const { root: _, ...rest } = scenario;
    set({ scenario: root.length === 0 ? rest : { ...rest, root } });
  },
  saveRecording: () => {
    const { session } = get();
    if (session === null) return;
    session.pause();
    void session.fingerprint().then(() => {
      const url = URL.createObjectURL(new Blob([writeFile(session.recording())], { type: 'application/json' }));
      const link = Object.assign(document.createElement('a'), { href: url, download: 'popcorn-recording.json' });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
      set({ notice: { text: 'Recording saved; the run is paused.', bad: false } });
    });
  },
  copyLink: async () => {
    const url = new URL(location.href);
    // Archives are too large for a link: their names go along.
    url.hash = toFragment({ ...namesOnly(get().scenario), title: 'shared' });
    history.replaceState(null, '', url);
    try {
      await navigator.clipboard.writeText(url.href);
      set({ notice: { text: 'A link to this machine and plan is in the clipboard.', bad: false } });
    } catch {
      set({ notice: { text: 'The link is in the address bar.', bad: false } });
    }
  },
}));

/** The consoles' text lives outside React: bytes come often. */
export const consoles = new Consoles(
  (kernel, bytes) => useLab.getState().session?.input(kernel, { kind: 'console', bytes }),
  (kernel, columns, rows) => useLab.getState().session?.input(kernel, { kind: 'resize', columns, rows }),
);

/** Bytes of an archive's files that a running machine takes: they become part of the recording. */
const DROPPED_MAX = 48 << 20;

/** Wall milliseconds in which a refusal that appears in the log is shown as the answer to an order. */
const REFUSAL_WAIT = 5000;

const isOn = (session: Session, kernel: number): boolean => [1, 2].includes(session.trace.kernels.get(kernel)?.state ?? 0);

/** The plan as it is by now, where cores or memory have changed hands. */
function sharesOf(session: Session, { sharesVersion }: State): Partial<State> {
  const version = session.trace.sharesVersion;
  return version === sharesVersion ? {} : { plan: partitionsNow(session.plan, session.trace, session.topology), sharesVersion: version };
}

function planned(scenario: Scenario): Pick<State, 'scenario' | 'topology' | 'plan' | 'planError'> {
  const topology = machineOf(scenario);
  const client = scenario.network?.client === true ? clientMachine(topology.hertz) : null;
  try {
    return { scenario, topology, plan: resolvePlan(scenario.plan, topology, undefined, client), planError: null };
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return { scenario, topology, plan: null, planError: error.message };
  }
}

function initialScenario(): { scenario: Scenario; notice: Notice | null } {
  const standard = scenarioOf({ title: 'Eight kernels', plan: 'clustered' });
  try {
    return { scenario: fromFragment(location.hash) ?? standard, notice: null };
  } catch (error) {
    return { scenario: standard, notice: { text: messageOf(error), bad: true } };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const HEARTBEAT: number = M.HEARTBEAT.type;

/** Whether messages of this type are shown. */
export function isShown(type: number): boolean {
  return type !== HEARTBEAT || useLab.getState().heartbeats;
}
