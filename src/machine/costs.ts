/**
 * The cost table: every modelled cost, with its unit and where it comes from. Nothing else in the project holds such a number.
 *
 * Always holds: all values are cycles of the reference clock (whatever its frequency), integers; instruction classes are 1 … 255.
 */
import type { InstructionCosts } from './hart/hart.ts';

export interface Cost {
  /** Cycles. */
  readonly value: number;
  readonly what: string;
  readonly source: string;
}

const DEFAULTS = 'defaults proposed for a 2.2 GHz Opteron 6200 from the published figures on Popcorn and on this processor family';
const cost = (value: number, what: string, source = DEFAULTS): Cost => ({ value, what, source });

const PIPE = 'AMD family 15h optimization guide (latencies of the Bulldozer pipeline), throughput-oriented';

/** Cycles of one instruction, by class. */
export const INSTRUCTION_COSTS: Readonly<Record<keyof InstructionCosts, Cost>> = {
  alu: cost(1, 'integer arithmetic', PIPE),
  mul: cost(4, 'integer multiplication', PIPE),
  div: cost(22, 'integer division', PIPE),
  load: cost(2, 'load that hits the first-level cache', PIPE),
  store: cost(1, 'store into the write buffer', PIPE),
  branch: cost(1, 'conditional branch, predicted', PIPE),
  jump: cost(1, 'jump, predicted', PIPE),
  amo: cost(20, 'atomic memory operation on a line held alone', PIPE),
  fence: cost(10, 'memory fence', PIPE),
  csr: cost(10, 'read or write of a control register', PIPE),
  system: cost(1, 'ecall and ebreak, without the trap', PIPE),
  fpMove: cost(1, 'floating-point move, compare, sign', PIPE),
  fpAdd: cost(5, 'floating-point addition', PIPE),
  fpMul: cost(5, 'floating-point multiplication', PIPE),
  fpFma: cost(6, 'fused multiply-add', PIPE),
  fpDiv: cost(27, 'floating-point division', PIPE),
  fpSqrt: cost(33, 'floating-point square root', PIPE),
  fpConvert: cost(4, 'conversion between formats', PIPE),
};

/** Cycles for one cache line to come from another core, by how far that core is. */
export const LINE_COSTS = {
  sharedL2: cost(40, 'two cores that share a second-level cache'),
  sharedL3: cost(85, 'same die, through the shared third-level cache'),
  samePackage: cost(160, 'another die of the same package'),
  /** Between packages: value at distance 16, and the slope to 22 gives 255. */
  remoteBase: cost(175, 'another package at distance 16'),
  remotePerDistance: cost(13, 'for each unit of distance beyond 16'),
} as const;

/** Cycles for a load or store to be served from beyond the first-level cache. */
export const MEMORY_COSTS = {
  secondLevel: cost(20, 'second-level cache', 'AMD family 15h optimization guide: load to use'),
  thirdLevel: cost(65, 'third-level cache of the die', 'published measurements of Bulldozer servers, 60 to 70 cycles'),
  memoryPerDistance: cost(
    22,
    'memory, for each unit of distance: 220 cycles (100 ns) at distance 10',
    'SLIT scaled to 100 ns of local DRAM',
  ),
} as const;

const DRIVE = 'data sheets of 7200/min SATA disks of 2011 (1 TB class), at 2.2 GHz';

/** What a disk's mechanics cost. */
export const DISK_COSTS = {
  command: cost(220_000, 'from the register write until the drive begins (0.1 ms)', 'order of magnitude of SATA command overhead'),
  revolution: cost(18_333_333, 'one turn at 7200 a minute (8.33 ms)', DRIVE),
  trackSeek: cost(1_760_000, 'to the next track (0.8 ms)', DRIVE),
  fullSeek: cost(35_200_000, 'across all tracks (16 ms): 8.5 ms on the average', DRIVE),
  busPerSector: cost(3755, 'one sector over a SATA link of 300 MB/s', 'SATA 3 Gbit/s, 8b/10b'),
} as const;

/** What the kernel's own work costs. */
export const KERNEL_COSTS = {
  syscall: cost(180, 'trap into the kernel and back (a null system call)'),
  contextSwitch: cost(1800, 'switch between tasks, caches warm'),
  minorFault: cost(1500, 'page fault served from memory'),
  pageZero: cost(600, 'clearing a frame', 'derived: 4 KiB at about 7 bytes a cycle'),
  pageCopy: cost(900, 'copying a frame', 'derived: 4 KiB at about 4.5 bytes a cycle'),
  timerInterrupt: cost(1000, 'local timer interrupt and scheduler tick'),
  rescheduleIpi: cost(1800, 'waking an idle core of the same kernel by interrupt'),
  schedLatency: cost(13_200_000, 'period in which each ready task runs once (6 ms)', 'Linux CFS sched_latency_ns'),
  schedGranularity: cost(1_650_000, 'smallest time slice (0.75 ms)', 'Linux CFS sched_min_granularity_ns'),
  interruptEntry: cost(500, 'entering an interrupt handler'),
  messageDispatch: cost(650, 'softirq: reading a slot and calling its handler'),
  messageSend: cost(500, 'writing a slot (one line transfer + 100) and raising the interrupt (400)'),
  mcastMember: cost(400, 'raising the interrupt of each further member of a group: the payload is written once'),
  queueSend: cost(150, 'writing a message to the registers of a hardware queue'),
  queueDelivery: cost(1450, 'from these registers to the receiver’s handler, whichever core that is on'),
  queueDispatch: cost(400, 'softirq: reading a message out of a hardware queue and calling its handler'),
  ipiSend: cost(400, 'raising an interrupt on another core'),
  softirq: cost(500, 'from the interrupt handler to the softirq that does its work'),
  ringLine: cost(
    45,
    'moving 64 bytes of a packet between a core and a ring that another core uses',
    'derived: a line from another core takes 85 to 255 cycles, and about four are under way at once',
  ),
  nicDescriptor: cost(
    250,
    'writing or reading a descriptor of a network card, and its register',
    'order of magnitude: an uncached write to PCIe',
  ),
  nicDma: cost(
    2200,
    'from the register of a network card to the first bit on the wire: descriptor and frame by DMA (1 µs)',
    'order of magnitude: two reads over PCIe of about 500 ns',
  ),
  ipiDelivery: cost(1400, 'from the sender’s register write to the receiver’s handler'),
  fork: cost(60_000, 'copying a task without its pages', 'order of magnitude of lmbench fork on this family, less page work'),
  exec: cost(120_000, 'replacing an image without reading its pages', 'order of magnitude of lmbench exec, less page work'),
  exit: cost(30_000, 'tearing a task down without its pages'),
  mapPage: cost(60, 'writing one page-table entry'),
  signalDelivery: cost(2600, 'building a signal frame'),
  migrateStop: cost(6000, 'stopping a task and reading its state (one context switch of Popcorn)'),
  migratePage: cost(790, 'sending one page mapping (0.36 µs)', 'import figures of the SFMA 2014 poster, split evenly'),
  migrateImportBase: cost(440_000, 'making the task at the target (0.2 ms)', 'SFMA 2014 poster, intercept'),
  migrateImportPage: cost(790, 'importing one page mapping (0.36 µs)', 'SFMA 2014 poster, slope'),
  bootKernel: cost(
    11_000_000,
    'from the start of the first core to the first line of the kernel: the mandated delays of INIT and SIPI, 5 ms',
    'order of magnitude; 200–500 µs a SIPI is mandated',
  ),
  bootPerFrame: cost(12, 'initializing one frame descriptor'),
  diskRequest: cost(
    6600,
    'block layer and driver: from a request to the register write (3 µs)',
    'order of magnitude of the Linux 3 block layer',
  ),
  lookup: cost(150, 'finding a name in a directory that is in memory'),
  transfer: cost(200, 'fixed part of one read or write of an open file'),
  copyLine: cost(12, 'moving 64 bytes between a file and a buffer'),
  archivePage: cost(2500, 'bringing one page of the root archive into memory'),
  packetSend: cost(
    2400,
    'a packet on its way down: TCP or UDP, IP, neighbour, queue of the device',
    'order of magnitude: 1 Hz for 1 bit/s (Foong et al., ISPASS 2003), less interrupts, copies and calls, which have rows of their own',
  ),
  packetReceive: cost(
    3000,
    'a packet on its way up: IP, TCP or UDP, lookup of the socket, queue, wake-up',
    'as packetSend; receiving is the dearer half there too',
  ),
  checksumLine: cost(8, 'summing 64 bytes of a packet (none on loopback)', 'derived: 8 bytes a cycle, one add with carry each'),
} as const;
export type KernelCost = keyof typeof KERNEL_COSTS;

export const instructionCosts = (): InstructionCosts => {
  const costs: Record<string, number> = {};
  for (const [name, entry] of Object.entries(INSTRUCTION_COSTS)) costs[name] = entry.value;
  return costs as unknown as InstructionCosts;
};
