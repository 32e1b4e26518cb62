/**
 * What stands for a process on a kernel where only threads of it compute: a page table with copies of the pages that its home has granted, and
 * the threads. It has no areas, no files and no signals; all that is at home.
 *
 * Always holds: a present entry is a page that this kernel holds by the protocol (pages.ts), and grants no more than that; its frame is
 * this kernel's own and is not written, nor free, while the home may still copy what was written in it.
 */
import { E, Errno } from '../abi/errno.ts';
import { FileTable } from '../fs/file-table.ts';
import { type Kernel, REGISTERS_SET } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { type Access, AddressSpace } from '../mm/address-space.ts';
import { PTE, pageOf } from '../mm/page-table.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { PROT } from '../mm/vm-area.ts';
import { defaultActions, PendingSignals } from '../signal/state.ts';
import type { Errand, Process, Task } from '../task/task.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pfn, type Pid, sleep, type VirtAddr, WaitQueue } from '../types.ts';
import { atMember, type MemberEvent, type MemberPage, NOT_HELD, type Right } from './pages.ts';
import { Residency } from './residency.ts';
import { RIGHT } from './spread.ts';

interface OutpostPage {
  state: MemberPage;
  /** Its frame here; 0 for none. */
  pfn: Pfn;
  protection: number;
  refused: boolean;
  readonly queue: WaitQueue;
  readonly residency: Residency;
}

const RIGHTS: readonly Right[] = ['none', 'read', 'write'];

/** Why a thread goes home though nothing calls it: this kernel has no memory for it. */
export const NO_ROOM = 'no room';

export class Outpost {
  readonly home: KernelId;
  readonly group: number;
  readonly space: AddressSpace;
  readonly process: Process;
  ended = false;
  readonly #kernel: Kernel;
  readonly #pages = new Map<VirtAddr, OutpostPage>();
  /** Frames that the home has yet to copy. */
  readonly #returning = new Set<Pfn>();

  /** @throws Errno ENOMEM */
  constructor(kernel: Kernel, home: KernelId, group: number, pid: Pid, name: string) {
    this.#kernel = kernel;
    this.home = home;
    this.group = group;
    this.space = new AddressSpace(kernel.mm);
    this.process = {
      pid,
      origin: pid >>> 15,
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
    const address = pageOf(trap.address);
    const access = trap.access === 'write' ? 'write' : 'read';
    const page = this.#page(address);
    page.residency.expect();
    try {
      for (;;) {
        if (this.ended || task.state === 'dead') return REGISTERS_SET;
        if (task.recalled) {
          goHome(null);
          return REGISTERS_SET;
        }
        const { right, asked } = page.state;
        if (right === 'write' || right === access) {
          // Where that is not enough, the area does not allow it.
          if (!permits(page.protection, trap.access)) goHome(trap);
          else if (!this.#map(address, page)) goHome(NO_ROOM);
          return REGISTERS_SET;
        }
        if (page.refused) {
          page.refused = false;
          goHome(trap);
          return REGISTERS_SET;
        }
        if (asked === null) {
          if (!this.#makeRoom(page)) {
            goHome(NO_ROOM);
            return REGISTERS_SET;
          }
          page.state = atMember(page.state, { kind: 'touch', access }).page;
          const wanted = trap.access === 'execute' ? RIGHT.execute : RIGHT[access];
          this.#kernel.messages.send(this.home, M.PAGE_REQUEST, { group: this.group, page: address / PAGE_SIZE, access: wanted });
          page.residency.check();
        }
        yield* sleep([page.queue]);
      }
    } finally {
      page.residency.used();
    }
  }

  /** The home's answer. @param pfn its frame, to copy from; 0: what is here is right */
  granted(address: VirtAddr, right: number, protection: number, pfn: Pfn): void {
    const kernel = this.#kernel;
    const page = this.#page(address);
    const granted = RIGHTS[right] ?? 'none';
    if (granted === 'none') {
      page.refused = true;
      this.#step(page, { kind: 'refuse' });
    } else {
      if (pfn !== 0) {
        kernel.memory.u8.copyWithin(page.pfn * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
        kernel.processor.invalidateFrame(page.pfn);
        kernel.processor.storeWhileReserved(null, page.pfn * PAGE_SIZE, PAGE_SIZE);
        kernel.charge(kernel.cost('pageCopy'));
      }
      page.protection = protection;
      this.#step(page, { kind: 'grant', access: granted });
      this.#map(address, page);
    }
    page.queue.wakeAll();
  }

  /** The home wants the page back, or only the right to write it. `tell` is called when that is done. */
  take(address: VirtAddr, leave: number, tell: (pfn: Pfn) => void): void {
    const page = this.#page(address);
    page.residency.release(() => {
      if (this.ended) return;
      const wrote = page.state.right === 'write';
      const { pfn } = page;
      this.#step(page, { kind: 'take', leave: RIGHTS[leave] ?? 'none' });
      if (page.state.right === 'none') {
        this.space.table.clear(address);
        if (wrote) {
          this.#returning.add(pfn);
          page.pfn = 0;
        } else if (pfn !== 0 && page.state.asked === null) {
          this.#kernel.frames.release(pfn);
          page.pfn = 0;
        }
      } else {
        this.#map(address, page);
      }
      this.#kernel.mm.tableChanged(this.space.table.root);
      tell(wrote ? pfn : 0);
    });
  }

  /** The home has what was written in a frame. */
  copied(pfn: Pfn): void {
    if (this.#returning.delete(pfn)) this.#kernel.frames.release(pfn);
  }

  /** The process has ended, or lives without outposts from now on. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const task of [...this.process.threads]) this.#kernel.dropThread(task);
    for (const { pfn } of this.#pages.values()) if (pfn !== 0) this.#kernel.frames.release(pfn);
    for (const pfn of this.#returning) this.#kernel.frames.release(pfn);
    this.#returning.clear();
    this.#pages.clear();
    this.space.destroy();
  }

  #page(address: VirtAddr): OutpostPage {
    let page = this.#pages.get(address);
    if (page === undefined) {
      const residency = new Residency(this.#kernel, () => this.#pages.get(address)?.state.asked != null);
      page = { state: NOT_HELD, pfn: 0, protection: 0, refused: false, queue: new WaitQueue(), residency };
      this.#pages.set(address, page);
    }
    return page;
  }

  #step(page: OutpostPage, event: MemberEvent): void {
    page.state = atMember(page.state, event).page;
  }

  /** Whether there is a frame for the page, so that there is one when it comes. */
  #makeRoom(page: OutpostPage): boolean {
    if (page.pfn !== 0) return true;
    try {
      page.pfn = this.#kernel.frames.allocate();
      return true;
    } catch (error) {
      if (error instanceof Errno && error.errno === E.NOMEM) return false;
      throw error;
    }
  }

  /** Whether the entry is there now. */
  #map(address: VirtAddr, page: OutpostPage): boolean {
    const { right } = page.state;
    let flags: number = PTE.V | PTE.U | PTE.A | PTE.D;
    if (page.protection & (PROT.READ | PROT.WRITE)) flags |= PTE.R;
    if (page.protection & PROT.EXEC) flags |= PTE.X;
    if (page.protection & PROT.WRITE && right === 'write') flags |= PTE.W;
    try {
      this.space.table.set(address, page.pfn, flags);
    } catch (error) {
      if (error instanceof Errno && error.errno === E.NOMEM) return false;
      throw error;
    }
    this.#kernel.mm.tableChanged(this.space.table.root);
    return true;
  }
}

function permits(protection: number, access: Access): boolean {
  if (access === 'execute') return (protection & PROT.EXEC) !== 0;
  return (protection & (access === 'write' ? PROT.WRITE : PROT.READ | PROT.WRITE)) !== 0;
}
