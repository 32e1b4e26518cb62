/**
 * The page-coherence protocol: who may read and write a page of a process whose threads run on several kernels. Read-replicated and
 * write-invalidated, after MSI and the protocol of Sadini et al. (MARC 2013), with a directory in place of their broadcasts and votes: the
 * process's home keeps, for each page, who holds it. Pure: state and event in, state and what is to be sent out.
 *
 *     home                                            member
 *     request  ← PAGE_REQUEST read or write           a thread has touched what this kernel does not hold
 *     take     → PAGE_TAKE to those who are in the way
 *     taken    ← PAGE_TAKEN, with what was written    gives up the page, or the right to write it
 *     grant    → PAGE_GRANT, with the content         copies it into a frame of its own, and the thread goes on
 *     granted  ← PAGE_GRANTED                         the home may touch its frame again
 *
 * The home is a holder like any other, only that it need not send itself messages. Content travels through the home's frame: whoever
 * has written gives it back before another one gets it.
 *
 * Always holds: one request for a page is served at a time, in the order of arrival; there is one holder with the right to write, or any number with the
 * right to read; every request of a living kernel is granted or refused; a page whose only valid copy was on a kernel that died is lost,
 * and refused from then on.
 */
import type { KernelId } from '../types.ts';

export type Access = 'read' | 'write';
/** Modified, shared and invalid of MSI. */
export type Right = Access | 'none';

interface Request {
  readonly from: KernelId;
  readonly access: Access;
}

/** In the place of an asker that has died. */
const NOBODY = -1;

/** A request being served: first others give up the page, then the asker gets it. */
interface Transaction extends Request {
  /** Who has yet to answer; none: the asker has yet to say that it has the page. */
  readonly taking: readonly KernelId[];
}

/** A page in the home's directory. */
export interface DirectoryPage {
  readonly holders: readonly { readonly kernel: KernelId; readonly right: Access }[];
  readonly serving: Transaction | null;
  readonly waiting: readonly Request[];
  readonly lost: boolean;
}

export type HomeEvent =
  | { readonly kind: 'request'; readonly from: KernelId; readonly access: Access }
  | { readonly kind: 'taken'; readonly from: KernelId }
  | { readonly kind: 'granted'; readonly from: KernelId }
  /** The kernel is no more. */
  | { readonly kind: 'gone'; readonly from: KernelId };

export type HomeAction =
  /** Answered by `taken`, once what was written there is in the home's frame. */
  | { readonly kind: 'take'; readonly to: KernelId; readonly leave: Right }
  /** Answered by `granted`. Without content: it has the page, and may now write it. */
  | { readonly kind: 'grant'; readonly to: KernelId; readonly access: Access; readonly content: boolean }
  /** Not answered. */
  | { readonly kind: 'refuse'; readonly to: KernelId };

export interface HomeStep {
  readonly page: DirectoryPage;
  readonly actions: readonly HomeAction[];
}

/** A page that the home alone holds, as every page is before a thread leaves. */
export const heldBy = (home: KernelId): DirectoryPage => ({
  holders: [{ kernel: home, right: 'write' }],
  serving: null,
  waiting: [],
  lost: false,
});

export function rightOf(page: DirectoryPage, kernel: KernelId): Right {
  return page.holders.find(holder => holder.kernel === kernel)?.right ?? 'none';
}

const suffices = (right: Right, access: Access): boolean => right === 'write' || right === access;

/** What the home does about an event. `home` itself is among the kernels that ask, give and get. */
export function atHome(page: DirectoryPage, home: KernelId, event: HomeEvent): HomeStep {
  const { serving } = page;
  switch (event.kind) {
    case 'request':
      return next({ ...page, waiting: [...page.waiting, { from: event.from, access: event.access }] });
    case 'taken': {
      // An answer that a death has overtaken.
      if (serving === null || !serving.taking.includes(event.from)) return { page, actions: [] };
      const wrote = rightOf(page, event.from) === 'write';
      const left = serving.access === 'read' ? [{ kernel: event.from, right: 'read' as const }] : [];
      const others = page.holders.filter(holder => holder.kernel !== event.from);
      // What came back lies in the home's frame: it may read it, unless someone is about to write.
      const atHand = wrote && serving.access === 'read' && event.from !== home ? [{ kernel: home, right: 'read' as const }] : [];
      const taking = serving.taking.filter(kernel => kernel !== event.from);
      return grant({ ...page, holders: [...others, ...left, ...atHand], serving: { ...serving, taking } });
    }
    case 'granted':
      if (serving === null || serving.taking.length > 0 || serving.from !== event.from) return { page, actions: [] };
      return next({ ...page, serving: null });
    case 'gone':
      return gone(page, event.from);
  }
}

/** The next request is served, when none is. */
function next(page: DirectoryPage): HomeStep {
  const [request, ...waiting] = page.waiting;
  if (page.serving !== null || request === undefined) return { page, actions: [] };
  const { from, access } = request;
  if (page.lost) {
    const rest = next({ ...page, waiting });
    return { page: rest.page, actions: [{ kind: 'refuse', to: from }, ...rest.actions] };
  }
  const inTheWay = suffices(rightOf(page, from), access)
    ? []
    : page.holders.filter(holder => holder.kernel !== from && (access === 'write' || holder.right === 'write'));
  const serving: Transaction = { from, access, taking: inTheWay.map(holder => holder.kernel) };
  const served = grant({ ...page, serving, waiting });
  const leave: Right = access === 'read' ? 'read' : 'none';
  return {
    page: served.page,
    actions: [...inTheWay.map(({ kernel }) => ({ kind: 'take' as const, to: kernel, leave })), ...served.actions],
  };
}

/** Nobody is in the way any more: the asker gets the page. */
function grant(page: DirectoryPage): HomeStep {
  const { serving } = page;
  if (serving === null || serving.taking.length > 0) return { page, actions: [] };
  const { from, access } = serving;
  if (from === NOBODY) return next({ ...page, serving: null });
  if (page.lost) {
    const rest = next({ ...page, serving: null });
    return { page: rest.page, actions: [{ kind: 'refuse', to: from }, ...rest.actions] };
  }
  const had = rightOf(page, from);
  const right = suffices(had, access) ? (had as Access) : access;
  const holders = [...page.holders.filter(holder => holder.kernel !== from), { kernel: from, right }];
  return { page: { ...page, holders }, actions: [{ kind: 'grant', to: from, access: right, content: had === 'none' }] };
}

/** A kernel has died. If it could write, nobody knows the content any more. */
function gone(page: DirectoryPage, kernel: KernelId): HomeStep {
  const lost = page.lost || rightOf(page, kernel) === 'write';
  const holders = page.holders.filter(holder => holder.kernel !== kernel);
  const waiting = page.waiting.filter(request => request.from !== kernel);
  const { serving } = page;
  if (serving === null) return next({ ...page, holders, waiting, lost });
  if (serving.from === kernel && serving.taking.length === 0) return next({ ...page, holders, waiting, lost, serving: null });
  const taking = serving.taking.filter(each => each !== kernel);
  // Those asked to give up the page for the sake of the dead one do so all the same; then it is granted to nobody.
  const from = serving.from === kernel ? NOBODY : serving.from;
  const left = { ...page, holders, waiting, lost, serving: { ...serving, from, taking } };
  return taking.length === serving.taking.length ? { page: left, actions: [] } : grant(left);
}

// --- the member ------------------------------------------------------------------------------------------------------------------

/** A page on a kernel that is not its home. */
export interface MemberPage {
  readonly right: Right;
  /** What it has asked for and not yet got. */
  readonly asked: Access | null;
}

export type MemberEvent =
  | { readonly kind: 'touch'; readonly access: Access }
  | { readonly kind: 'grant'; readonly access: Access }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'take'; readonly leave: Right };

export type MemberAction =
  | { readonly kind: 'request'; readonly access: Access }
  | { readonly kind: 'granted' }
  /** `wrote`: what stands in its frame is the newest, and goes home. */
  | { readonly kind: 'taken'; readonly wrote: boolean };

export const NOT_HELD: MemberPage = { right: 'none', asked: null };

export function atMember(page: MemberPage, event: MemberEvent): { readonly page: MemberPage; readonly actions: readonly MemberAction[] } {
  switch (event.kind) {
    case 'touch':
      // One request at a time: who wants more than was asked for looks again when that has come.
      if (page.asked !== null || suffices(page.right, event.access)) return { page, actions: [] };
      return { page: { ...page, asked: event.access }, actions: [{ kind: 'request', access: event.access }] };
    case 'grant':
      return { page: { right: event.access, asked: null }, actions: [{ kind: 'granted' }] };
    case 'refuse':
      return { page: { ...page, asked: null }, actions: [] };
    case 'take': {
      const right = page.right === 'none' || event.leave === 'none' ? 'none' : 'read';
      return { page: { ...page, right }, actions: [{ kind: 'taken', wrote: page.right === 'write' }] };
    }
  }
}
