/**
 * The trace: what a kernel says about itself as it runs. One record is 40 bytes:
 *
 *     0  f64  time in cycles
 *     8  u16  kind      10 u16 kernel      12 u32 core
 *    16  u32 a   20 u32 b   24 u32 c   28 u32 d     meaning by kind, below
 *    32  u32  sequence within the kernel            36 u32 zero
 *
 * Always holds: records of one kernel are in sequence order; their bytes are the run's fingerprint, so nothing in them depends on
 * the host, and every view of the page is drawn from them and from nothing else.
 */

export const TRACE_RECORD_BYTES = 40;

/** Kinds of record, and what a, b, c, d mean. */
export const TraceKind = {
  /** A kernel's state. a: 0 off, 1 booting, 2 up, 3 halted, 4 panicked; b: booted by kernel; c: number of cores; d: frames. */
  KernelState: 1,
  /** A task starts to run on the core. a: pid, b: tid, c: 1 when it is a migrated one, d: low 32 bits of a name hash (see TaskName). */
  TaskRun: 2,
  /** The task leaves the core. a: pid, b: tid, c: reason 0 preempted, 1 blocked, 2 exited, 3 migrating, 4 stopped. */
  TaskStop: 3,
  /** A task's name, 16 bytes in a…d after exec or prctl, preceded by nothing. The pid is in `core`'s place. */
  TaskName: 4,
  /** A task is born. a: pid, b: tid, c: parent pid, d: origin kernel. */
  TaskNew: 5,
  /** A task is gone. a: pid, b: tid, c: wait status. */
  TaskExit: 6,
  /** A message leaves. a: to << 16 | type, b: sequence in its lane, c: bytes of payload, d: cause (see Cause). */
  MessageSend: 10,
  /** A message is handled. a: from << 16 | type, b: sequence in its lane, c: queueing delay in cycles, d: 0. */
  MessageReceive: 11,
  /** 16 of the 64 bytes of the message sent just before, in a…d; four of them follow each MessageSend. */
  MessageBytes: 12,
  /** A message is sent again, as nothing was heard of it. a: to << 16 | type, b: sequence. */
  MessageResend: 13,
  /** A slot does not hold what was sent: its checksum is wrong. a: from << 16, b: sequence. */
  MessageBad: 14,
  /** A fault that was asked for. a: kind (FaultKind), b, c: by kind. */
  Fault: 15,
  /** A migration's step. a: pid, b: other kernel, c: step (see MigrateStep), d: count (areas, pages) or errno. */
  Migrate: 20,
  /** A thread computes on another kernel than its process. a: pid, b: tid, c: 0 it leaves, 1 it has come, 2 it goes home, 3 it is home; d: other kernel. */
  ThreadTrip: 21,
  /**
   * A page that several kernels use changes hands, as its home has it. a: pid of the process whose threads are spread and b: virtual page number,
   * or a: 2^31 + number of the shared memory at this home and b: page of it; c: 0 held by nobody, 1 shared,
   * 2 one may write it, 3 lost; d: who may write it, or the set of those below 32 who may read it; those from 32 up are a set in `core`'s place.
   */
  PageState: 22,
  /** A page fault that a handler served. a: pid, b: virtual page number, c: 0 anonymous, 1 file, 2 copy on write, 3 refused; d: pfn. */
  PageFault: 30,
  /** A system call that is not there was made the first time. a: pid, b: number. */
  MissingCall: 31,
  /** A signal is delivered. a: pid, b: signal, c: 0 default, 1 handler. */
  Signal: 32,
  /** A core comes to this kernel or leaves it. a: core, b: 1 comes, 0 leaves. */
  CoreOwner: 34,
  /** Memory comes to this kernel or leaves it. a: first frame, b: frames, c: node, d: 1 comes, 0 leaves. */
  MemoryOwner: 35,
  /**
   * A frame of the network (net/frame-trace.ts). a: what << 24 | device << 16 | port, b: packets in its ring, this one among them << 16 | bytes,
   * c: its id, d: ethertype << 16 | protocol of IP.
   */
  NetFrame: 40,
  /** A network device has interrupted. a: device, b: packets that wait. */
  NetInterrupt: 41,
  /** Packets were taken, one after the other. a: device, b: how many, c: 1 when the budget was used up. */
  NetPoll: 42,
  /** The virtual switch. a: version (its place in SWITCH_VERSIONS), b: slots, c: budget, d: kernel that is the hub (255: none). */
  NetSwitch: 43,
  /** The cable. a: 1 it is in, b: Mb/s, c: delay in nanoseconds, d: frames lost of a million. */
  NetLink: 44,
  /**
   * A TCP connection's state, its number at this kernel in `core`'s place. a: own address, b: the peer's, c: own port << 16 | the peer's,
   * d: errno with which it ended << 8 | TCP_STATE (net/tcp/endpoint.ts).
   */
  TcpState: 50,
  /**
   * What a connection knows of its path, its number in `core`'s place. a: round trip in ns, smoothed (0: not known), b: congestion window,
   * c: the peer's window, d: what is under way; these in bytes.
   */
  TcpPath: 51,
  /** A segment is sent again, the connection's number in `core`'s place. a: its first byte, counted from the stream's, b: bytes, c: 1 as the timer rang. */
  TcpResend: 52,
  /** A device comes to this kernel or leaves it. a: its place in the machine's list (machine/devices/devices.ts), b: 1 comes, 0 leaves. */
  DeviceOwner: 36,
  /** This kernel has taken over what one that halts has left. a: that kernel, b: files, c: 1 when the file tree is this kernel's from now on. */
  Inherit: 37,
  /** Frames in use now. a: free frames, b: all frames. */
  Memory: 33,
} as const;
export type TraceKind = (typeof TraceKind)[keyof typeof TraceKind];

/** How many of a, b, c are pids, from the first on. */
const PIDS: ReadonlyMap<TraceKind, number> = new Map<TraceKind, number>([
  [TraceKind.TaskRun, 2],
  [TraceKind.TaskStop, 2],
  [TraceKind.TaskNew, 3],
  [TraceKind.TaskExit, 2],
  [TraceKind.Migrate, 1],
  [TraceKind.PageFault, 1],
  [TraceKind.MissingCall, 1],
  [TraceKind.Signal, 1],
]);
/** In a federation pids are each kernel's own; in the trace they have its number in them, as they have in a single system. */
export const toldPid = (kernel: number, pid: number): number => (pid === 0 ? 0 : (kernel << 15) | pid);
export function toldPids(kernel: number, kind: TraceKind, a: number, b: number, c: number): readonly [number, number, number] {
  const pids = PIDS.get(kind) ?? 0;
  return [pids > 0 ? toldPid(kernel, a) : a, pids > 1 ? toldPid(kernel, b) : b, pids > 2 ? toldPid(kernel, c) : c];
}

export const FaultKind = { MessageLost: 1, MessageCorrupted: 2, CoreStopped: 3, MemoryTaken: 4, Deaf: 5 } as const;

export const MigrateStep = {
  Stopped: 0,
  AreasSent: 1,
  PagesSent: 2,
  RequestSent: 3,
  Arrived: 4,
  Imported: 5,
  Running: 6,
  ShadowLeft: 7,
  Failed: 8,
} as const;
