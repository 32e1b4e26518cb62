/**
 * How the virtual switch works: one of the talk's three versions, and its sizes. The kernel that has the network card decides; the others
 * are told when they join, and whenever it changes.
 */

/**
 * `user`: TUN/TAP, and a program carries the frames. `kernel`: the same within the kernel. `rings`: rings in shared memory, and NAPI. They
 * stand here in the order of the talk; the number of one is its place.
 */
export const SWITCH_VERSIONS = ['user', 'kernel', 'rings'] as const;
export type SwitchVersion = (typeof SWITCH_VERSIONS)[number];

export interface SwitchSettings {
  readonly version: SwitchVersion;
  /** Packets that a ring holds, in each direction (shmtun: 64). Another number holds for who joins from then on. */
  readonly slots: number;
  /** Packets that are taken in one poll before programs get a turn (NAPI's weight: 64). */
  readonly budget: number;
  /** Microseconds between two interrupts at least; 0: none is held back. */
  readonly coalesce: number;
}

export const DEFAULT_SWITCH: SwitchSettings = { version: 'rings', slots: 64, budget: 64, coalesce: 0 };

export const SWITCH_LIMITS = {
  slots: [1, 256],
  budget: [1, 1024],
  coalesce: [0, 100_000],
} as const;

/** What a version does with a packet. */
export interface VersionTraits {
  /** Packets under way from one kernel to another at most; null: as many as the ring has slots. */
  readonly underWay: 1 | null;
  /** After an interrupt the ring is polled, and interrupts are off meanwhile. Else each packet interrupts. */
  readonly polls: boolean;
  /** Packets go through the queue of a TAP device, which costs a copy and whoever takes it from there a wake-up. */
  readonly tap: boolean;
}

export const VERSIONS: Readonly<Record<SwitchVersion, VersionTraits>> = {
  user: { underWay: 1, polls: false, tap: true },
  kernel: { underWay: 1, polls: false, tap: true },
  rings: { underWay: null, polls: true, tap: false },
};

/** Packets that wait in the queue of a TAP device at most (Linux: tun's tx_queue_len). */
export const TAP_QUEUE = 500;
