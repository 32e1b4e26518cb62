/**
 * Every kind of message between kernels: its number on the wire, its name (Popcorn's own where it had one), its fields, and the line
 * by which the inspector shows it.
 */
import { framesOf } from '../mm/runs.ts';
import type { Fields, Payload } from './codec.ts';

export interface MessageKind<F extends Fields = Fields> {
  readonly type: number;
  readonly name: string;
  readonly fields: F;
  /** Goes before what waits, at the sender and at the receiver. What is urgent fits in one slot, and no order with others is relied on. */
  readonly urgent: boolean;
  /** One line for people. */
  readonly show: (payload: Payload<F>) => string;
}

function kind<F extends Fields>(type: number, name: string, fields: F, show: (payload: Payload<F>) => string): MessageKind<F> {
  return { type, name, fields, urgent: false, show };
}
function urgent<F extends Fields>(entry: MessageKind<F>): MessageKind<F> {
  return { ...entry, urgent: true };
}

export const M = {
  // Kernels come and go.
  CHECKIN: kind(2, 'CHECKIN', { cores: 'u16', frames: 'u32' }, m => `I am up: ${m.cores} cores, ${m.frames} frames`),
  CHECKIN_ANSWER: kind(
    3,
    'CHECKIN_ANSWER',
    { cores: 'u16', frames: 'u32', tree: 'u8', heirs: 'numbers' },
    m => `welcome; I have ${m.cores} cores, ${m.frames} frames`,
  ),
  LEDGER_REQUEST: kind(
    5,
    'LEDGER_REQUEST',
    { request: 'u32', ask: 'u8', kernel: 'u8', cores: 'u32s', memory: 'numbers', devices: 'text' },
    m =>
      `${['', 'boot', 'gone:', 'give to', 'what is free to'][m.ask]} kernel ${m.kernel === 255 ? 'of any number' : m.kernel}, cores ${m.cores.join(',')} ${m.devices}`,
  ),
  LEDGER_RESPONSE: kind(6, 'LEDGER_RESPONSE', { request: 'u32', errno: 'i32', kernel: 'u8' }, m =>
    m.errno ? `errno ${m.errno}` : `noted by all: kernel ${m.kernel}`,
  ),
  LEDGER_UPDATE: kind(7, 'LEDGER_UPDATE', { request: 'u32', gone: 'u8', settled: 'u8', shares: 'numbers' }, m =>
    m.gone === 255
      ? `shares change: ${m.shares.length} numbers`
      : `kernel ${m.gone} is gone${['', ', as all know', ', and all is settled'][m.settled]}`,
  ),
  ESTATE: kind(
    66,
    'ESTATE',
    { request: 'u32', length: 'u32', frames: 'u32s' },
    m => `I halt: take over what I leave, ${m.length} bytes in ${m.frames.length} frames`,
  ),
  ESTATE_TAKEN: kind(67, 'ESTATE_TAKEN', { request: 'u32', errno: 'i32' }, m => (m.errno ? `errno ${m.errno}` : 'taken over')),
  HEIR: kind(
    68,
    'HEIR',
    { request: 'u32', of: 'u8', heir: 'u8', pids: 'u32', handles: 'u32', files: 'u8' },
    m => `kernel ${m.heir} has what was kernel ${m.of}'s: pids up to ${m.pids}${m.files ? `, files up to ${m.handles}` : ''}`,
  ),
  HEIR_NOTED: kind(69, 'HEIR_NOTED', { request: 'u32' }, () => 'noted'),
  ORPHANS: kind(28, 'ORPHANS', { request: 'u32', of: 'u8' }, m => `which processes of kernel ${m.of}, that is gone, are with you?`),
  ORPHANS_NAMED: kind(
    29,
    'ORPHANS_NAMED',
    { request: 'u32', here: 'u32s', leaving: 'u32s' },
    m =>
      `${m.here.length / 2}, and ${m.leaving.length / 2} that are leaving, each with its parent: ${[...m.here, ...m.leaving].join(', ')}`,
  ),
  TREE: kind(18, 'TREE', { request: 'u32' }, () => 'the file tree was lost: mine is the root from now on'),
  TREE_NOTED: kind(19, 'TREE_NOTED', { request: 'u32' }, () => 'mounted'),
  FRAMES_HELD: kind(9, 'FRAMES_HELD', { request: 'u32', gone: 'u8', frames: 'u32s' }, m => `I hold ${m.frames.length} of your frames`),
  FRAMES_NOTED: kind(15, 'FRAMES_NOTED', { request: 'u32' }, () => 'noted'),
  LEDGER_NOTED: kind(8, 'LEDGER_NOTED', { request: 'u32' }, () => 'noted'),
  /** One message to a group: `kind` and payload, of `length` bytes from frame `pfn` on or in `data`. Of kind 0: the group is opened, with the members in `data`. */
  MCAST: kind(16, 'MCAST', { group: 'u16', kind: 'u8', length: 'u32', pfn: 'u32', data: 'bytes' }, (m): string => {
    const group = m.group === 0xffff ? 'all' : m.group === 0xfffe ? 'some' : `group ${m.group >>> 8}/${m.group & 0xff}`;
    if (m.kind === 0) return `${group} is opened: kernels ${m.data.join(', ')}`;
    return `to ${group}: ${MESSAGE_NAMES.get(m.kind) ?? m.kind}, ${m.length} bytes${m.data.length === 0 ? ` in frame ${m.pfn}` : ''}`;
  }),
  MCAST_CLOSE: kind(17, 'MCAST_CLOSE', { group: 'u16' }, m => `group ${m.group >>> 8}/${m.group & 0xff} is closed`),
  HEARTBEAT: urgent(kind(4, 'HEARTBEAT', { beat: 'u32' }, m => `beat ${m.beat}`)),

  // Processes and their origins.
  ORIGIN_REQUEST: kind(
    10,
    'ORIGIN_REQUEST',
    { request: 'u32', pid: 'u32', operation: 'u8', args: 'numbers' },
    m => `${m.pid}: operation ${m.operation}(${m.args.join(', ')})`,
  ),
  ORIGIN_RESPONSE: kind(11, 'ORIGIN_RESPONSE', { request: 'u32', errno: 'i32', values: 'numbers' }, m =>
    m.errno ? `errno ${m.errno}` : `[${m.values.join(', ')}]`,
  ),
  REMOTE_SENDSIG: kind(
    12,
    'REMOTE_SENDSIG',
    { pid: 'u32', signal: 'u8', code: 'i32', sender: 'u32', uid: 'u32', status: 'i32' },
    m => `signal ${m.signal} for ${m.pid}`,
  ),
  SIGNAL_BOUNCED: kind(
    13,
    'SIGNAL_BOUNCED',
    { pid: 'u32', signal: 'u8', code: 'i32', sender: 'u32', uid: 'u32', status: 'i32' },
    m => `${m.pid} is not here (signal ${m.signal})`,
  ),
  CANCEL: kind(14, 'CANCEL', { request: 'u32' }, m => `request ${m.request} is no longer wanted`),

  // Migration (Popcorn's PROC_SRV_*).
  CLONE_REQUEST: kind(
    20,
    'CLONE_REQUEST',
    { clone: 'u32', pid: 'u32', length: 'u32', frames: 'u32s', registers: 'bytes' },
    m => `run ${m.pid} for me: ${m.registers.length} bytes of registers, ${m.length} bytes of state in frame ${m.frames.join(', ')}`,
  ),
  VMA_TRANSFER: kind(
    21,
    'VMA_TRANSFER',
    {
      clone: 'u32',
      start: 'number',
      end: 'number',
      protection: 'u8',
      flags: 'u8',
      page: 'number',
      owner: 'u8',
      handle: 'u32',
      path: 'text',
    },
    m => `area ${m.start.toString(16)}-${m.end.toString(16)} ${m.path}`,
  ),
  PTE_TRANSFER: kind(
    22,
    'PTE_TRANSFER',
    { clone: 'u32', entries: 'u32s' },
    m => `${m.entries.length / 3} pages from ${((m.entries[0] ?? 0) * 4096).toString(16)}`,
  ),
  CREATE_PROCESS_PAIRING: kind(23, 'CREATE_PROCESS_PAIRING', { clone: 'u32', pid: 'u32', errno: 'i32' }, m =>
    m.errno ? `${m.pid} can't come: errno ${m.errno}` : `${m.pid} runs here`,
  ),
  OBJECT_TRANSFER: kind(
    50,
    'OBJECT_TRANSFER',
    { clone: 'u32', object: 'u32', pages: 'u32s' },
    m => `${m.pages.length / 2} pages of shared memory ${m.object}`,
  ),
  MIGRATE_REQUEST: kind(24, 'MIGRATE_REQUEST', { request: 'u32', pid: 'u32', to: 'u8' }, m => `send ${m.pid} to kernel ${m.to}`),
  LOAD_REQUEST: kind(26, 'LOAD_REQUEST', { request: 'u32' }, () => 'how busy are you?'),
  LOAD_RESPONSE: kind(27, 'LOAD_RESPONSE', { request: 'u32', tasks: 'u16', cores: 'u16' }, m => `${m.tasks} tasks on ${m.cores} cores`),
  MIGRATE_RESPONSE: kind(25, 'MIGRATE_RESPONSE', { request: 'u32', errno: 'i32' }, m => (m.errno ? `errno ${m.errno}` : 'under way')),

  // Threads that compute away from their process, and the pages that they share with it.
  MIGRATE_THREAD: kind(
    51,
    'MIGRATE_THREAD',
    { request: 'u32', pid: 'u32', tid: 'u32', to: 'u8' },
    m => `send thread ${m.tid} to kernel ${m.to}`,
  ),
  THREAD_TRANSFER: kind(
    52,
    'THREAD_TRANSFER',
    { group: 'u32', pid: 'u32', tid: 'u32', core: 'u16', nice: 'i32', name: 'text', registers: 'bytes' },
    m => `compute for thread ${m.tid} of ${m.pid} ${m.name}`,
  ),
  THREAD_HOME: kind(
    53,
    'THREAD_HOME',
    {
      group: 'u32',
      tid: 'u32',
      why: 'u8',
      exit: 'u8',
      address: 'number',
      access: 'u8',
      core: 'u16',
      user: 'number',
      system: 'number',
      registers: 'bytes',
    },
    m => `thread ${m.tid} comes home${m.why === 1 ? ` with trap ${m.exit}` : ''}`,
  ),
  THREAD_RECALL: kind(54, 'THREAD_RECALL', { group: 'u32', tid: 'u32' }, m => `thread ${m.tid} is wanted at home`),
  PAGE_REQUEST: kind(
    55,
    'PAGE_REQUEST',
    { group: 'u32', page: 'u32', access: 'u8' },
    m => `page ${m.page.toString(16)} to ${['', 'read', 'write', 'execute'][m.access]}`,
  ),
  PAGE_GRANT: kind(
    56,
    'PAGE_GRANT',
    { group: 'u32', page: 'u32', right: 'u8', protection: 'u8', pfn: 'u32' },
    m => `page ${m.page.toString(16)}: ${['refused', 'you may read', 'you may write'][m.right]}${m.pfn ? ` (copy frame ${m.pfn})` : ''}`,
  ),
  PAGE_GRANTED: kind(57, 'PAGE_GRANTED', { group: 'u32', page: 'u32' }, m => `I have page ${m.page.toString(16)}`),
  PAGE_TAKE: kind(
    58,
    'PAGE_TAKE',
    { group: 'u32', page: 'u32', leave: 'u8' },
    m => `give up page ${m.page.toString(16)}${m.leave ? ' for writing' : ''}`,
  ),
  PAGE_TAKEN: kind(
    59,
    'PAGE_TAKEN',
    { group: 'u32', page: 'u32', pfn: 'u32' },
    m => `page ${m.page.toString(16)} is given up${m.pfn ? ` (written: frame ${m.pfn})` : ''}`,
  ),
  PAGE_COPIED: kind(60, 'PAGE_COPIED', { group: 'u32', pfn: 'u32' }, m => `I have copied frame ${m.pfn}`),
  OUTPOST_END: kind(61, 'OUTPOST_END', { group: 'u32', joins: 'u32' }, m => `group ${m.group} needs nothing here any more`),

  // Memory that processes on several kernels share: its home has the directory of pages, and who waits on a word of it.
  OBJECT_LEAVE: kind(62, 'OBJECT_LEAVE', { group: 'u32', joins: 'u32' }, m => `nobody here maps object ${m.group} any more`),
  FUTEX_REQUEST: kind(
    63,
    'FUTEX_REQUEST',
    {
      request: 'u32',
      operation: 'u8',
      group: 'u32',
      offset: 'number',
      value: 'u32',
      bits: 'u32',
      deadline: 'number',
      other: 'u32',
      target: 'number',
    },
    m => `${['wait', 'wake', 'requeue'][m.operation]} at ${m.offset.toString(16)} of object ${m.group}: ${m.value}`,
  ),
  FUTEX_RESPONSE: kind(64, 'FUTEX_RESPONSE', { request: 'u32', errno: 'i32', count: 'u32' }, m =>
    m.errno ? `errno ${m.errno}` : `${m.count} woken`,
  ),

  // Files of other kernels.
  FILE_REQUEST: kind(
    30,
    'FILE_REQUEST',
    { request: 'u32', operation: 'u8', handle: 'u32', pfn: 'u32', length: 'u16', parcel: 'u32', givenUp: 'u32s' },
    m => `operation ${m.operation} on ${m.handle}, arguments: ${m.parcel ? `parcel ${m.parcel}` : `${m.length} bytes in frame ${m.pfn}`}`,
  ),
  FILE_RESPONSE: kind(31, 'FILE_RESPONSE', { request: 'u32', errno: 'i32', length: 'u32', parcel: 'u32', serial: 'u32' }, m =>
    m.errno ? `errno ${m.errno}` : `${m.length} bytes${m.serial === 0 ? '' : `, to be remembered as ${m.serial}`}`,
  ),
  FILE_RECALL: kind(
    36,
    'FILE_RECALL',
    { request: 'u32', upTo: 'u32', handles: 'u32s' },
    m => `forget ${m.handles.join(', ')} as given up to ${m.upTo}`,
  ),
  FILE_RECALLED: kind(37, 'FILE_RECALLED', { request: 'u32' }, () => 'forgotten'),
  FILE_READY: kind(32, 'FILE_READY', { handle: 'u32' }, m => `${m.handle} may be ready`),
  FILE_RELEASE: kind(
    33,
    'FILE_RELEASE',
    { request: 'u32', handle: 'u32', references: 'u32', holder: 'u8' },
    m => `${m.handle} is closed here`,
  ),
  FILE_RELEASED: kind(35, 'FILE_RELEASED', { request: 'u32' }, () => 'closed'),
  FRAME_RETURN: kind(34, 'FRAME_RETURN', { runs: 'u32s' }, m => `${framesOf(m.runs).length} frames back`),

  // The virtual network switch.
  VNET_JOIN: kind(
    70,
    'VNET_JOIN',
    { request: 'u32', rings: 'number', slots: 'u16' },
    m => `my rings of ${m.slots} slots are at ${m.rings.toString(16)}`,
  ),
  VNET_WELCOME: kind(71, 'VNET_WELCOME', { request: 'u32', errno: 'i32', settings: 'numbers' }, m =>
    m.errno ? `errno ${m.errno}` : `you have a port; settings ${m.settings.join(', ')}`,
  ),
  VNET_SETTINGS: kind(72, 'VNET_SETTINGS', { settings: 'numbers' }, m => `the switch has settings ${m.settings.join(', ')}`),

  // The rest of the single system image.
  REMOTE_PROC_REQUEST: kind(40, 'REMOTE_PROC_REQUEST', { request: 'u32', what: 'u8', pid: 'u32' }, m => `table ${m.what} of ${m.pid}`),
  REMOTE_PROC_RESPONSE: kind(41, 'REMOTE_PROC_RESPONSE', { request: 'u32', errno: 'i32', data: 'bytes' }, m =>
    m.errno ? `errno ${m.errno}` : `${m.data.length} bytes`,
  ),
  CONTROL_REQUEST: kind(42, 'CONTROL_REQUEST', { request: 'u32', order: 'text' }, m => m.order),
  CONTROL_RESPONSE: kind(43, 'CONTROL_RESPONSE', { request: 'u32', errno: 'i32', reason: 'text' }, m =>
    m.errno ? `errno ${m.errno}: ${m.reason}` : 'done',
  ),
} as const;

/** Name of a type number, for views. */
export const MESSAGE_NAMES: ReadonlyMap<number, string> = new Map(Object.values(M).map(entry => [entry.type, entry.name]));
