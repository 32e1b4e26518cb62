/** A core as its kernel sees it: a hart with a clock, the task on it and those that wait for it. */
import type { Hart } from '../../machine/hart/hart.ts';
import type { Task } from '../task/task.ts';
import type { CoreId, Cycles } from '../types.ts';

export class Core {
  readonly id: CoreId;
  readonly hart: Hart;
  readonly node: number;
  /** Virtual time that this core has reached. While it is idle it stands still and is set forward when work comes. */
  clock: Cycles;
  current: Task | null = null;
  /** Ready tasks, not in order. */
  readonly queue: Task[] = [];
  /** End of the current task's slice, if someone waits. */
  sliceEnd: Cycles = 0;
  resched = false;
  /** A fault: it does nothing any more. */
  isStopped = false;
  minVruntime: Cycles = 0;
  idleCycles: Cycles = 0;
  userCycles: Cycles = 0;
  systemCycles: Cycles = 0;
  switches = 0;

  constructor(id: CoreId, hart: Hart, node: number, clock: Cycles) {
    this.id = id;
    this.hart = hart;
    this.node = node;
    this.clock = clock;
  }

  get busy(): boolean {
    return !this.isStopped && (this.current !== null || this.queue.length > 0);
  }

  /** Takes an idle core to `time`; a busy one is where it is. */
  advanceIdle(time: Cycles): void {
    if (!this.busy && this.clock < time) {
      this.idleCycles += time - this.clock;
      this.clock = time;
    }
  }
}
