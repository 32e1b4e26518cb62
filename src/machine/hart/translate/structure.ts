/**
 * From a graph of blocks to nested WebAssembly: what is a loop, what stands behind which label. Node 0 is the dispatcher, which can go
 * to every node of `entries` and to which every node may go back; it is the outermost loop.
 *
 * Method: dominators after Cooper, Harvey and Kennedy ("A simple, fast dominance algorithm", 2001); the nesting from the tree of
 * dominators after Ramsey ("Beyond Relooper", 2022). An edge backwards to a node that does not dominate its source has no place in
 * nested loops: it takes the way by the dispatcher, and its target becomes an entry.
 *
 * Always holds: every node but 0 is reachable from it, and each edge leads to a node's own loop, to the end of a block around it, or to
 * a node that has no other predecessor.
 */

export interface Structure {
  /** Nodes dominated immediately, those that need a label of their own first to last as they have to be written. */
  readonly labelled: readonly (readonly number[])[];
  readonly isLoop: readonly boolean[];
  /** Nodes that the dispatcher goes to. */
  readonly entries: readonly number[];
  /** Whether an edge goes by the dispatcher. */
  viaDispatcher(from: number, to: number): boolean;
  /** Whether a node is written where its one predecessor ends. */
  isInline(node: number): boolean;
  /** Position in reverse postorder. */
  readonly order: readonly number[];
  /** For each loop but the dispatcher's, by the node that it begins with, the nodes in it. */
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>;
  /** The innermost of them that a node lies in; 0: none. */
  readonly loopOf: readonly number[];
}

/** @param successors without those of the dispatcher, and without edges to it */
export function structure(successors: readonly (readonly number[])[], firstEntries: readonly number[]): Structure {
  const entries = new Set(firstEntries);
  const redirected = new Set<number>();
  const count = successors.length;
  const key = (from: number, to: number): number => from * count + to;
  for (;;) {
    const out = successors.map((list, node) => (node === 0 ? [...entries] : list.filter(to => !redirected.has(key(node, to)))));
    const { order, sequence } = reversePostorder(out);
    const idom = dominators(out, order, sequence);
    const dominates = (a: number, b: number): boolean => {
      let at = b;
      while ((order[at] as number) > (order[a] as number)) at = idom[at] as number;
      return at === a;
    };
    const isLoop = out.map(() => false);
    const forward = out.map(() => 0);
    let again = false;
    for (const from of sequence) {
      for (const to of out[from] as readonly number[]) {
        if ((order[to] as number) > (order[from] as number)) {
          forward[to] = (forward[to] as number) + 1;
        } else if (dominates(to, from)) {
          isLoop[to] = true;
        } else {
          redirected.add(key(from, to));
          entries.add(to);
          again = true;
        }
      }
    }
    if (again) continue;
    const isInline = (node: number): boolean => forward[node] === 1 && !entries.has(node);
    const loops = new Map<number, Set<number>>();
    const loopOf = out.map(() => 0);
    // Outer loops begin before inner ones.
    for (const header of sequence) {
      if (header === 0 || !isLoop[header]) continue;
      const inside = loopFrom(header, out, order, dominates);
      loops.set(header, inside);
      for (const node of inside) loopOf[node] = header;
    }
    const labelled: number[][] = out.map(() => []);
    for (const node of sequence) if (node !== 0 && !isInline(node)) labelled[idom[node] as number]?.push(node);
    return {
      labelled,
      isLoop,
      entries: [...entries],
      viaDispatcher: (from, to) => redirected.has(key(from, to)),
      isInline,
      order,
      loops,
      loopOf,
    };
  }
}

/** The nodes on ways from a header back to it. */
function loopFrom(
  header: number,
  out: readonly (readonly number[])[],
  order: readonly number[],
  dominates: (a: number, b: number) => boolean,
): Set<number> {
  const inside = new Set([header]);
  // Backwards: a node is inside if it leads to one that is, and lies below the header.
  const below = order.flatMap((position, node) => (position >= (order[header] as number) && dominates(header, node) ? [node] : []));
  for (let grown = true; grown; ) {
    grown = false;
    for (const node of below) {
      if (inside.has(node)) continue;
      const leads = (out[node] as readonly number[]).some(to => inside.has(to));
      if (!leads) continue;
      inside.add(node);
      grown = true;
    }
  }
  return inside;
}

function reversePostorder(out: readonly (readonly number[])[]): { order: number[]; sequence: number[] } {
  const seen = out.map(() => false);
  const post: number[] = [];
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  seen[0] = true;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const to = out[top.node]?.[top.next++];
    if (to === undefined) {
      post.push(top.node);
      stack.pop();
    } else if (!seen[to]) {
      seen[to] = true;
      stack.push({ node: to, next: 0 });
    }
  }
  const sequence = post.reverse();
  const order = out.map(() => -1);
  for (const [i, node] of sequence.entries()) order[node] = i;
  return { order, sequence };
}

function dominators(out: readonly (readonly number[])[], order: readonly number[], sequence: readonly number[]): number[] {
  const predecessors: number[][] = out.map(() => []);
  for (const from of sequence) for (const to of out[from] as readonly number[]) predecessors[to]?.push(from);
  const idom = out.map(() => -1);
  idom[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of sequence) {
      if (node === 0) continue;
      let common = -1;
      for (const each of predecessors[node] as number[]) {
        if (idom[each] === -1) continue;
        if (common === -1) common = each;
        else {
          let a = common;
          let b = each;
          while (a !== b) {
            while ((order[a] as number) > (order[b] as number)) a = idom[a] as number;
            while ((order[b] as number) > (order[a] as number)) b = idom[b] as number;
          }
          common = a;
        }
      }
      if (idom[node] !== common) {
        idom[node] = common;
        changed = true;
      }
    }
  }
  return idom;
}
