/**
 * What stands for a process on a kernel where only threads of it compute: a page table with copies of the pages that its home has granted, and
 * the threads. It has no areas, no files and no signals; all that is at home.
 */
import { E, Errno } from '../abi/errno.ts';
import { FileTable } from '../fs/file-table.ts';
import { type Kernel, REGISTERS_SET } from '../kernel.ts';
import { type Access, AddressSpace } from '../mm/address-space.ts';
import { PTE, pageOf } from '../mm/page-table.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { PROT } from '../mm/vm-area.ts';
import { defaultActions, PendingSignals } from '../signal/state.ts';
import type { Errand, Process, Task } from '../task/task.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pid, sleep } from '../types.ts';
import { type HeldPage, Holdings } from './holdings.ts';

/** Why a thread goes home though nothing calls it: this kernel has no memory for it. */
export const NO_ROOM = 'no room';

export class Outpost extends Holdings {
  readonly space: AddressSpace;
  readonly process: Process;

  /** @throws Errno ENOMEM */
  constructor(kernel: Kernel, home: KernelId, group: number, pid: Pid, name: string) {
    super(kernel, home, group);
    this.space = new AddressSpace(kernel.mm);
    this.process = {
      pid,
      origin: pid >>> 15,
      maker: 0,
      mm: this.space,
      user: new UserMemory(this.space, kernel.memory, kernel.processor),
      files: new FileTable(),
      fs: kernel.files.rootContext(),
      actions: defaultActions(),
      pending: new PendingSignals(),
      threads: new Set(),
      credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, groups: [] },
      name,
      executable: '',
      rlimits: new Map(),
      startTime: kernel.now,
      usedUser: 0,
      usedSystem: 0,
      itimer: null,
      itimerInterval: 0,
      exitStatus: null,
      vforkDone: null,
      migrateEvery: 0,
      dumpable: 1,
      isStopped: false,
      outpost: this,
    };
  }

  /**
   * Gets a page for a thread that has touched it: `goHome` is called instead if that is refused, if there is no room for it, or if the thread is
   * called home meanwhile.
   */
  *fetch(task: Task, trap: Errand, goHome: (errand: Errand | null | typeof NO_ROOM) => void): Blocking<number> {
    const page = pageOf(trap.address) / PAGE_SIZE;
    const held = this.page(page);
    held.residency.expect();
    try {
      for (;;) {
        if (this.ended || task.state === 'dead') return REGISTERS_SET;
        if (task.recalled) {
          goHome(null);
          return REGISTERS_SET;
        }
        if (this.look(page, trap.access)) {
          // Where that is not enough, the area does not allow it.
          if (!permits(held.protection, trap.access)) goHome(trap);
          else this.#map(page, held);
          return REGISTERS_SET;
        }
        yield* sleep([held.queue]);
      }
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      goHome(error.errno === E.NOMEM ? NO_ROOM : trap);
      return REGISTERS_SET;
    } finally {
      held.residency.used();
    }
  }

  /** The process has ended, or lives without outposts from now on. */
  override end(): void {
    if (this.ended) return;
    for (const task of [...this.process.threads]) this.kernel.dropThread(task);
    super.end();
    this.space.destroy();
  }

  protected override show(page: number, held: HeldPage): void {
    try {
      this.#map(page, held);
    } catch (error) {
      // Whoever touches it sees to that.
      if (!(error instanceof Errno)) throw error;
    }
  }
  protected override limit(page: number, held: HeldPage): void {
    if (held.state.right === 'none') this.space.table.clear(page * PAGE_SIZE);
    else this.show(page, held);
    this.kernel.mm.tableChanged(this.space.table.root);
  }

  /** @throws Errno ENOMEM no room for a page table */
  #map(page: number, { state, protection, pfn }: HeldPage): void {
    let flags: number = PTE.V | PTE.U | PTE.A | PTE.D;
    if (protection & (PROT.READ | PROT.WRITE)) flags |= PTE.R;
    if (protection & PROT.EXEC) flags |= PTE.X;
    if (protection & PROT.WRITE && state.right === 'write') flags |= PTE.W;
    this.space.table.set(page * PAGE_SIZE, pfn, flags);
    this.kernel.mm.tableChanged(this.space.table.root);
  }
}

function permits(protection: number, access: Access): boolean {
  if (access === 'execute') return (protection & PROT.EXEC) !== 0;
  return (protection & (access === 'write' ? PROT.WRITE : PROT.READ | PROT.WRITE)) !== 0;
}
