/**
 * What a kernel that halts leaves to another, the lowest that is up: its files as far as others need them (the file tree, if it keeps that;
 * open files, pipes, locks, names of sockets), and the records of the processes that were born with it and live elsewhere.
 *
 *     who halts                                        heir                        everyone
 *     gives no more leave to remember, recalls all
 *     takes no more requests; what sleeps in it ends
 *     ESTATE: all of it as text, in frames      →      makes it again, copying
 *                                               ←      pages; ESTATE_TAKEN
 *     HEIR                                      →                            →     asks the heir from now on, also what
 *                                                                            ←     had no answer yet; HEIR_NOTED
 *     ends (lifecycle.ts)
 *
 * Messages of one kernel to another keep their order, so an answer that was given has come before HEIR does: what has none was not begun.
 * If the kernel that keeps the tree panics, the tree is lost: the lowest that remains mounts the archive anew, and all take that for their root.
 *
 * Always holds: every request about a file or a record is done once, by whoever keeps it at that time, or gets EHOSTDOWN.
 */
import { E, Errno } from '../abi/errno.ts';
import { TmpDirectory } from '../fs/tmpfs/directory.ts';
import { Packer, type TreeState, unpack } from '../fs/tmpfs/state.ts';
import type { FilesState } from '../image/files.ts';
import { type Kernel, latin1 } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { ALL } from '../message/multicast.ts';
import { ObjectHome } from '../migrate/shared-memory.ts';
import { isBornOn, localPid } from './heirs.ts';
import { Refusal } from './refusal.ts';
import type { Orphan, RecordState } from '../task/record.ts';
import type { Process } from '../task/task.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pfn, type Pid } from '../types.ts';

interface Will {
  readonly data: TreeState;
  /** Places in its list of inodes: the root and the directory of abstract socket names. Null: another kernel keeps the tree. */
  readonly tree: { readonly root: number; readonly names: number } | null;
  readonly files: FilesState;
  readonly records: readonly RecordState[];
  /** The program of `exec`, if its record is among these. */
  readonly program: number;
  readonly pids: number;
  readonly handles: number;
}

/** Processes whose origin is gone, of one kernel: each with its maker. */
interface Orphans {
  readonly here: readonly Pid[];
  readonly leaving: readonly Pid[];
}

/** How long what others have asked for may take to end, in milliseconds. */
const QUIESCE_MILLISECONDS = 20;

export class Estate {
  readonly #kernel: Kernel;
  /** What has been taken over from kernels of which not all are known to know. */
  readonly #taken = new Map<KernelId, Pick<Will, 'pids' | 'handles'>>();
  #planting = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { messages } = kernel;
    messages.on(M.ESTATE, ({ request, length, frames }, { from }) => {
      kernel.image.serve(
        from,
        request,
        () => this.#adopt(from, JSON.parse(textIn(kernel, frames, length)) as Will),
        errno => messages.send(from, M.ESTATE_TAKEN, { request, errno }),
      );
    });
    messages.on(M.ESTATE_TAKEN, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    messages.on(M.HEIR, ({ request, of, heir, pids, handles, files }, { from }) => {
      this.#noteHeir(of, heir, pids, handles, files !== 0);
      messages.send(from, M.HEIR_NOTED, { request });
    });
    messages.on(M.HEIR_NOTED, answer => messages.answered(answer.request, answer));
    messages.on(M.ORPHANS, ({ request, of }, { from }) => messages.send(from, M.ORPHANS_NAMED, { request, ...this.#orphansHere(of) }));
    messages.on(M.ORPHANS_NAMED, answer => messages.answered(answer.request, answer));
    messages.on(M.TREE, ({ request }, { from }) => {
      const planted = this.#graft.bind(this);
      kernel.image.serve(
        from,
        request,
        () => planted(from),
        () => messages.send(from, M.TREE_NOTED, { request }),
      );
    });
    messages.on(M.TREE_NOTED, answer => messages.answered(answer.request, answer));
  }

  // --- leaving -------------------------------------------------------------------------------------------------------------------

  /**
   * Before anything has ended: that somebody can take the file tree, should this kernel keep it.
   * @throws Refusal
   */
  *refuseWithoutRoom(): Blocking<void> {
    const kernel = this.#kernel;
    const peers = kernel.peers();
    if (kernel.isFederated || peers.length === 0) return;
    const packer = new Packer(kernel.files.services, kernel.platform.rootArchive);
    if (this.#packTree(packer) === null) return;
    const pages = pagesOf(packer.finish());
    for (const peer of peers) {
      try {
        yield* kernel.messages.call(peer, M.CONTROL_REQUEST, { order: `room ${pages}` }, M.CONTROL_RESPONSE);
        return;
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
      }
    }
    throw new Refusal(E.NOMEM, `no kernel has room for the ${pages} pages of files that kernel ${kernel.id} keeps`);
  }

  /** Null: another kernel keeps the tree. */
  #packTree(packer: Packer): Will['tree'] {
    const { heirs, vfs, id } = this.#kernel;
    const [root, names] = [vfs.root.inode, vfs.unix.ownNames];
    if (heirs.tree !== id || !(root instanceof TmpDirectory) || !(names instanceof TmpDirectory)) return null;
    return { root: packer.inode(root), names: packer.inode(names) };
  }

  /** Leaves what this kernel has to the lowest that takes it. Its own processes have ended. */
  *handOver(): Blocking<void> {
    const kernel = this.#kernel;
    const { image, messages, records } = kernel;
    const { files } = image;
    const heirsInOrder = kernel.peers();
    if (kernel.plan.mode === 'federation' || heirsInOrder.length === 0) return;
    yield* files.delegations.close();
    // What is written by programs of several kernels comes home as it is now.
    for (const home of [...kernel.pages.homes]) if (home instanceof ObjectHome) yield* home.gatherFrom(0, Number.POSITIVE_INFINITY);
    files.isFrozen = true;
    yield* image.quiesce((kernel.hertz * QUIESCE_MILLISECONDS) / 1000);
    let frames: Pfn[] = [];
    try {
      const packer = new Packer(kernel.files.services, kernel.platform.rootArchive);
      const tree = this.#packTree(packer);
      const left = records.state();
      const will: Will = {
        tree,
        files: files.state(packer),
        records: left,
        program: left.some(({ pid }) => pid === kernel.program) ? kernel.program : 0,
        pids: records.last,
        handles: files.lastHandle,
        data: packer.finish(),
      };
      const bytes = latin1(JSON.stringify(will));
      frames = framesWith(kernel, bytes);
      const pages = pagesOf(will.data);
      for (const heir of heirsInOrder) {
        if (!(yield* this.#offer(heir, bytes.length, frames))) continue;
        const { inodes } = will.data;
        kernel.log(6, `popcorn: kernel ${heir} takes ${inodes.length} files, ${pages} pages and ${left.length} processes' records over`);
        const { pids, handles } = will;
        yield* messages.mcastCall(ALL, M.HEIR, { of: kernel.id, heir, pids, handles, files: 1 }, M.HEIR_NOTED);
        return;
      }
      kernel.log(3, `popcorn: no kernel has room for ${pages} pages of files: they are lost`);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.log(3, `popcorn: files can't be handed over (errno ${error.errno}): they are lost`);
    } finally {
      for (const pfn of frames) kernel.frames.release(pfn);
    }
  }

  *#offer(heir: KernelId, length: number, frames: readonly Pfn[]): Blocking<boolean> {
    try {
      yield* this.#kernel.messages.call(heir, M.ESTATE, { length, frames }, M.ESTATE_TAKEN);
      return true;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#kernel.log(4, `popcorn: kernel ${heir} does not take the files: errno ${error.errno}`);
      return false;
    }
  }

  // --- taking over ---------------------------------------------------------------------------------------------------------------

  /** @throws Errno ENOMEM */
  #adopt(from: KernelId, { data, tree, files, records, program, pids, handles }: Will): void {
    const kernel = this.#kernel;
    const made = unpack(data, kernel.files.services, kernel.platform.rootArchive);
    const pages = pagesOf(data);
    kernel.charge(pages * kernel.cost('pageCopy') + data.inodes.length * kernel.cost('lookup'));
    kernel.image.files.adopt(files, made);
    kernel.records.adopt(records);
    if (program !== 0) kernel.program = program;
    if (tree !== null) {
      const root = made.inodes[tree.root] as TmpDirectory;
      root.fs.root = root;
      kernel.vfs.root.inode = root;
      kernel.vfs.root.mount.fileSystem = root.fs;
      kernel.vfs.unix.keepNames(made.inodes[tree.names] as TmpDirectory);
      kernel.log(5, `popcorn: this kernel keeps the file tree from now on: ${data.inodes.length} files of kernel ${from}`);
    }
    kernel.trace(TraceKind.Inherit, from, data.inodes.length, tree === null ? 0 : 1, 0);
    this.#taken.set(from, { pids, handles });
  }

  #noteHeir(of: KernelId, heir: KernelId, pids: number, handles: number, isWhole: boolean): void {
    const { heirs, messages, image } = this.#kernel;
    heirs.set(of, heir, pids, handles, isWhole);
    this.#taken.delete(of);
    messages.moved(of, [M.FILE_REQUEST.type, M.FILE_RELEASE.type, M.ORIGIN_REQUEST.type]);
    image.files.inherited();
  }

  // --- when nothing was left -----------------------------------------------------------------------------------------------------

  /**
   * A kernel is gone, and all know; nothing is on its way anywhere. Processes that were born there and live elsewhere, whose records it has left
   * to nobody, are this kernel's from now on: children of who made them, and of its group and session, if that is among them; or else of this
   * kernel's first process, and a group and session of their own.
   */
  *adoptOrphans(gone: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    const { heirs, id, messages, records } = kernel;
    if (kernel.plan.mode === 'federation' || this.#taken.has(gone)) return;
    const named: [KernelId, Orphans][] = [[id, this.#orphansHere(gone)]];
    for (const [at, answer] of yield* messages.mcastCall(ALL, M.ORPHANS, { of: gone }, M.ORPHANS_NAMED))
      if (!(answer instanceof Errno)) named.push([at, answer]);
    const orphans = new Map<Pid, Orphan>();
    // One that has come somewhere may not have been let go yet where it came from.
    for (const which of ['leaving', 'here'] as const)
      for (const [location, { [which]: pairs }] of named)
        for (let i = 0; i + 1 < pairs.length; i += 2)
          orphans.set(pairs[i] as Pid, { pid: pairs[i] as Pid, maker: pairs[i + 1] as Pid, location });
    if (orphans.size === 0) return;
    records.adoptOrphans([...orphans.values()].sort((a, b) => a.pid - b.pid));
    kernel.log(5, `popcorn: ${orphans.size} processes of kernel ${gone} are this kernel's from now on`);
    const taken = heirs.taken(gone);
    const pids = Math.max(taken.pids, ...[...orphans.keys()].filter(pid => isBornOn(gone, pid)).map(localPid));
    this.#noteHeir(gone, id, pids, taken.handles, false);
    yield* messages.mcastCall(ALL, M.HEIR, { of: gone, heir: id, pids, handles: taken.handles, files: 0 }, M.HEIR_NOTED);
  }
  #orphansHere(of: KernelId): Orphans {
    const kernel = this.#kernel;
    const all = [...kernel.processes.values(), ...kernel.origins.ending.values()].filter(({ pid }) => kernel.heirs.ofPid(pid) === of);
    const isLeaving = (process: Process): boolean => kernel.migration.isMoving(process);
    const pairs = (these: readonly Process[]): Pid[] => these.flatMap(({ pid, maker }) => [pid, maker]);
    return { here: pairs(all.filter(each => !isLeaving(each))), leaving: pairs(all.filter(isLeaving)) };
  }

  /** A kernel is gone, and all know: whoever has taken over from it says so if it could not; without a tree there is a new one. */
  *settle(gone: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    const { heirs, messages, id } = kernel;
    const taken = this.#taken.get(gone);
    if (taken !== undefined) {
      this.#noteHeir(gone, id, taken.pids, taken.handles, true);
      yield* messages.mcastCall(ALL, M.HEIR, { of: gone, heir: id, ...taken, files: 1 }, M.HEIR_NOTED);
    }
    if (kernel.plan.mode === 'federation' || kernel.image.files.isThere(heirs.tree) || this.#planting) return;
    this.#planting = true;
    try {
      heirs.tree = id;
      const fileSystem = kernel.files.archiveRoot(kernel.platform.rootArchive);
      yield* kernel.vfs.replaceRoot(fileSystem);
      kernel.log(3, `popcorn: the file tree is lost with kernel ${gone}; the archive is mounted anew as /, by this kernel`);
      yield* messages.mcastCall(ALL, M.TREE, {}, M.TREE_NOTED);
    } finally {
      this.#planting = false;
    }
  }

  *#graft(from: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    kernel.heirs.tree = from;
    if (kernel.vfs.mounts.length === 0) return;
    yield* kernel.vfs.replaceRoot(yield* kernel.image.files.root(from));
    kernel.log(4, `popcornfs: the file tree was lost; / of kernel ${from} mounted`);
  }
}

const pagesOf = ({ inodes }: TreeState): number => inodes.reduce((sum, { content }) => sum + (content.pages?.length ?? 0), 0);

/** Bytes in frames of this kernel, each with a reference. @throws Errno ENOMEM */
function framesWith(kernel: Kernel, bytes: Uint8Array): Pfn[] {
  const frames: Pfn[] = [];
  try {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      const pfn = kernel.frames.allocate();
      frames.push(pfn);
      kernel.processor.invalidateFrame(pfn);
      kernel.memory.u8.set(bytes.subarray(at, at + PAGE_SIZE), pfn * PAGE_SIZE);
      kernel.charge(kernel.cost('pageCopy'));
    }
  } catch (error) {
    for (const pfn of frames) kernel.frames.release(pfn);
    throw error;
  }
  return frames;
}

function textIn(kernel: Kernel, frames: readonly Pfn[], length: number): string {
  const parts: string[] = [];
  for (const [i, pfn] of frames.entries()) {
    const count = Math.min(PAGE_SIZE, length - i * PAGE_SIZE);
    if (count <= 0) throw new Errno(E.INVAL);
    parts.push(String.fromCharCode(...kernel.memory.u8.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + count)));
    kernel.charge(kernel.cost('pageCopy'));
  }
  return parts.join('');
}
