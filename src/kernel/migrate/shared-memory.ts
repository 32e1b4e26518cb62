/**
 * Memory that processes on several kernels share: a file mapped shared, or shared anonymous memory, which gets a file when it is first to be on
 * two kernels. Its home is the file's owner.
 *
 *     mapping          'share' on the open file →        the home counts the kernel in (join), and gives the object's number
 *     touching         PAGE_REQUEST … PAGE_GRANTED       pages.ts; a page that is gone from a kernel is gone from all mappings there
 *     read, write …    at home, on pages that the home gets first by the same protocol
 *     futex            FUTEX_REQUEST →                   waiters of all kernels queue at the home, by object and offset
 *     last unmapping   OBJECT_LEAVE →                    the home takes back what the kernel holds, then OUTPOST_END
 *
 * Always holds: a mapping grants no more than its kernel holds; a kernel that counts in again before it has been dismissed stays.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { SIG } from '../abi/signal.ts';
import { RegularFile } from '../fs/regular-file.ts';
import { type FileSharing, type MemoryFile, namelessFile, TmpFile } from '../fs/tmpfs/file.ts';
import type { OpenFile } from '../fs/file.ts';
import type { Inode } from '../fs/inode.ts';
import type { RemoteFile } from '../image/remote-file.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Access, AddressSpace } from '../mm/address-space.ts';
import type { AnonymousObject } from '../mm/anonymous-object.ts';
import { backingFile } from '../mm/file-backing.ts';
import { PTE } from '../mm/page-table.ts';
import type { SharedPages } from '../mm/sharing.ts';
import { sharedPagesOf } from '../mm/vm-area.ts';
import { exitProcess } from '../task/exit.ts';
import { listenForFutexes } from '../task/futex.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pfn, sleep } from '../types.ts';
import { Directory } from './directory.ts';
import { type HeldPage, Holdings } from './holdings.ts';
import type { Access as Wanted, Right } from './pages.ts';

/** Size of the file behind shared anonymous memory: no mapping reaches its end. */
const BYTES_MAX = 2 ** 40;
/** In a trace record, what belongs to shared memory and not to a process. */
const OBJECT = 0x80000000;
const ALL = 7;

/** A file of this kernel that others map. */
export class ObjectHome extends Directory implements FileSharing {
  readonly isHome = true;
  readonly file: TmpFile;
  /** How often each kernel has been counted in. */
  readonly #joins = new Map<KernelId, number>();

  constructor(kernel: Kernel, file: TmpFile) {
    super(kernel);
    this.file = file;
    file.detachLent();
  }
  get home(): KernelId {
    return this.kernel.id;
  }

  mapPage(index: number): Pfn {
    return this.file.mapPage(index, true);
  }

  gatherFrom(first: number, gone: number): Blocking<void> {
    this.forgetLost(gone);
    return this.gather(first, Number.POSITIVE_INFINITY);
  }

  join(from: KernelId): number {
    const joins = (this.#joins.get(from) ?? 0) + 1;
    this.#joins.set(from, joins);
    this.members.add(from);
    return joins;
  }

  /** Nobody maps it there any more. */
  *leave(from: KernelId, joins: number): Blocking<void> {
    const { kernel, group } = this;
    const isOver = (): boolean => this.ended || this.#joins.get(from) !== joins;
    while (!isOver()) {
      const [page] = this.heldBy(from);
      if (page === undefined) break;
      yield* this.acquire(page, 'write');
    }
    if (isOver() || !kernel.isPeer(from)) return;
    this.#joins.delete(from);
    this.members.delete(from);
    kernel.messages.send(from, M.OUTPOST_END, { group, joins });
  }

  override memberGone(member: KernelId): boolean {
    this.#joins.delete(member);
    return super.memberGone(member);
  }

  protected override admit(page: number, _access: Access, right: Right): boolean {
    if (right === 'none') return true;
    try {
      this.file.frame(page, true);
      return true;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      return false;
    }
  }
  protected override frameOf(page: number): Pfn {
    return this.file.frame(page, false);
  }
  protected override protectionOf(): number {
    return ALL;
  }
  protected override limit(page: number, right: 'read' | 'none'): void {
    limitMappings(this.kernel, this, page, right);
  }
  /** Mappings come back as they are touched. */
  protected override regain(): void {}
  protected override get owner(): number {
    return OBJECT + this.group;
  }
}

/** Another kernel's file that processes here map. */
export class ObjectMember extends Holdings implements SharedPages {
  readonly isHome = false;
  /** Open files here by which it is mapped. */
  users = 0;
  joins = 0;

  right(index: number): Right {
    return this.known(index)?.state.right ?? 'none';
  }
  expect(index: number): { used(): void } | null {
    const { residency } = this.page(index);
    residency.expect();
    return residency;
  }
  *acquire(index: number, access: Wanted): Blocking<void> {
    for (;;) {
      if (this.ended) throw new Errno(E.IO);
      if (this.look(index, access)) return;
      yield* sleep([this.page(index).queue], { interruptible: false });
    }
  }
  mapPage(index: number): Pfn {
    const held = this.known(index);
    if (held === undefined || held.state.right === 'none') throw new Errno(E.FAULT);
    this.kernel.frames.retain(held.pfn);
    return held.pfn;
  }

  /** An open file by which it was mapped is closed. */
  left(): void {
    this.users--;
    const { kernel, home, group, joins } = this;
    if (this.users > 0 || this.ended) return;
    if (kernel.isPeer(home)) kernel.messages.send(home, M.OBJECT_LEAVE, { group, joins });
    else this.end();
  }
  override dismissed(joins: number): void {
    if (joins === 0 || (this.users === 0 && joins === this.joins)) this.end();
  }

  /** Mappings come as they are touched. */
  protected override show(): void {}
  protected override limit(page: number, { state }: HeldPage): void {
    if (state.right !== 'write') limitMappings(this.kernel, this, page, state.right);
  }
}

export class SharedMemory {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#listen();
  }

  // --- home ----------------------------------------------------------------------------------------------------------------------

  /** The file behind shared anonymous memory, with its pages. @throws Errno ENOMEM */
  fileOf(object: AnonymousObject): OpenFile {
    if (object.file !== null) return object.file;
    const kernel = this.#kernel;
    const { nameless } = kernel.vfs;
    if (nameless === null) throw new Errno(E.NOSYS);
    const file: MemoryFile = namelessFile(nameless, '/dev/zero', O.RDWR);
    const pages = new Map(object.pages);
    // A file has frames of its own kernel only.
    for (const [index, pfn] of pages) if (!kernel.frames.own.owns(pfn)) pages.set(index, copyOf(kernel, pfn));
    for (const pfn of object.pages.values()) if (!kernel.frames.own.owns(pfn)) kernel.frames.release(pfn);
    for (const space of spaces(kernel))
      for (const area of space.areas.list) if (area.backing === object) space.dropPages(area.start, area.end);
    file.file.receive(pages, BYTES_MAX);
    kernel.futexes.rename(object, file.file);
    object.become(file);
    return file;
  }

  /** An object of this kernel by its number. @throws Errno EINVAL there is none */
  homeOf(group: number): ObjectHome {
    const home = this.#kernel.pages.home(group);
    if (!(home instanceof ObjectHome)) throw new Errno(E.INVAL);
    return home;
  }

  /** Another kernel is going to map a file of this one. @throws Errno ENODEV it is none that can be */
  share(file: OpenFile, from: KernelId): { group: number; joins: number } {
    if (!(file instanceof RegularFile && file.file instanceof TmpFile)) throw new Errno(E.NODEV);
    const kernel = this.#kernel;
    const inode: TmpFile = file.file;
    let home = inode.shared;
    if (home === null) {
      home = new ObjectHome(kernel, inode);
      inode.shared = home;
      for (const process of kernel.processes.values()) kernel.threads.lookAt(process);
    }
    if (!(home instanceof ObjectHome)) throw new Errno(E.NODEV);
    return { group: home.group, joins: home.join(from) };
  }

  /** Whether a file is mapped shared by a process here. */
  isMapped({ inode }: OpenFile): boolean {
    for (const space of spaces(this.#kernel))
      for (const area of space.areas.list) if (area.shared && inode !== null && backingFile(area.backing)?.inode === inode) return true;
    return false;
  }

  /** A file of this kernel ends before this page. */
  cut(file: Inode, firstPage: number): void {
    for (const space of spaces(this.#kernel)) {
      for (const area of space.areas.list) {
        if (area.backing === null || backingFile(area.backing)?.inode !== file) continue;
        const from = area.start + Math.max(0, firstPage - area.backingPage) * PAGE_SIZE;
        if (from < area.end) space.dropPages(from, area.end);
      }
    }
  }

  copyOf(pfn: Pfn): Pfn {
    return copyOf(this.#kernel, pfn);
  }

  // --- member --------------------------------------------------------------------------------------------------------------------

  /** Another kernel's file is going to be mapped here. The caller is one more user of it. @throws Errno */
  *join(file: RemoteFile): Blocking<ObjectMember> {
    const kernel = this.#kernel;
    const { json } = yield* kernel.image.files.ask(file.owner, 'share', file.ref.handle, []);
    const { group, joins } = json as { group: number; joins: number };
    if (!kernel.isPeer(file.owner)) throw new Errno(E.HOSTDOWN);
    const known = kernel.pages.member(file.owner, group);
    const member = known instanceof ObjectMember ? known : new ObjectMember(kernel, file.owner, group);
    member.joins = joins;
    member.users++;
    return member;
  }

  /** Whether the homes of shared memory may have yet to get back what was written here. */
  get isHolding(): boolean {
    return this.#kernel.peers().some(peer => this.#kernel.pages.membersOf(peer).some(member => member instanceof ObjectMember));
  }

  // --- kernels go ----------------------------------------------------------------------------------------------------------------

  /** Pages that only that kernel had are lost: SIGBUS and EIO for who touches them. Processes that map memory of its end with it. */
  peerGone(peer: KernelId): void {
    const kernel = this.#kernel;
    for (const home of kernel.pages.homes) {
      if (!(home instanceof ObjectHome) || !home.members.has(peer)) continue;
      if (home.memberGone(peer)) kernel.log(3, `popcorn: pages of shared memory ${home.group} are lost with kernel ${peer}`);
    }
    for (const member of kernel.pages.membersOf(peer)) {
      if (!(member instanceof ObjectMember)) continue;
      for (const process of [...kernel.processes.values()]) {
        if (!process.mm.areas.list.some(area => sharedPagesOf(area) === member)) continue;
        kernel.log(3, `popcorn: ${process.name} (${process.pid}) is killed: it maps memory of kernel ${peer}`);
        exitProcess(kernel, process, SIG.KILL);
      }
      member.end();
    }
  }

  #listen(): void {
    const kernel = this.#kernel;
    listenForFutexes(kernel);
    kernel.messages.on(M.OBJECT_LEAVE, ({ group, joins }, { from }) => {
      const home = kernel.pages.home(group);
      if (home instanceof ObjectHome) kernel.spawn(home.leave(from, joins));
    });
  }
}

/** Address spaces of processes here. */
function spaces(kernel: Kernel): Set<AddressSpace> {
  return new Set([...kernel.processes.values()].map(({ mm }) => mm));
}

/** Mappings here of a page of shared memory grant no more than this from now on. */
function limitMappings(kernel: Kernel, pages: SharedPages, index: number, right: 'read' | 'none'): void {
  for (const space of spaces(kernel)) {
    for (const area of space.areas.list) {
      if (!area.shared || sharedPagesOf(area) !== pages) continue;
      const address = area.start + (index - area.backingPage) * PAGE_SIZE;
      if (address < area.start || address >= area.end) continue;
      if (right === 'none') {
        space.dropPages(address, address + PAGE_SIZE);
        continue;
      }
      const entry = space.table.get(address);
      if ((entry & PTE.W) === 0) continue;
      space.table.set(address, entry >>> 10, entry & 0x3ff & ~PTE.W);
      kernel.mm.tableChanged(space.table.root);
    }
  }
}

function copyOf(kernel: Kernel, pfn: Pfn): Pfn {
  const own = kernel.frames.allocate();
  kernel.memory.u8.copyWithin(own * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  kernel.processor.invalidateFrame(own);
  kernel.charge(kernel.cost('pageCopy'));
  return own;
}
