/**
 * Who may remember what of an inode: the protocol between its owner and those that keep copies of its attributes, names and pages, without
 * the messages. In NFSv4's words a read delegation, given with every answer and recalled before any change.
 *
 *     holder                               owner
 *     asks                           →     answers, and with a serial: "you may remember this" (0: you may not)
 *     remembers it if the serial
 *     is above its floor
 *                                          somebody wants to change the inode: no more serials for it
 *     forgets it; the floor is upTo  ←     RECALL upTo the last serial given
 *                                    →     RECALLED upTo
 *                                          when all have answered, or are gone: changes it, and answers who asked for that
 *
 * A holder that asks for a change itself forgets first, and names the last serial that it remembered: if that is the last that the owner gave it,
 * it need not be recalled. That serial is its floor then too: an owner may sleep between a serial and the answer, which so may come after later ones.
 *
 * Always holds: what a holder remembers is what the owner has. `delegation.test.ts` goes through every order in which that could go wrong.
 */
import type { KernelId } from '../types.ts';

/** What an owner knows of one inode. Plain data. */
export interface Delegated {
  /** Who may remember something of it, and the last serial that each was given. */
  readonly holders: readonly (readonly [KernelId, number])[];
  /** Those among them that have been told to forget. */
  readonly recalled: readonly KernelId[];
  /** Changes that wait, or are being made: as long as there are any, nobody may remember. */
  readonly changes: number;
}

export const NOT_DELEGATED: Delegated = { holders: [], recalled: [], changes: 0 };

/** May `to` remember what it is being told now, with this serial? Null: it may not. */
export function grant(state: Delegated, to: KernelId, serial: number): Delegated | null {
  if (state.changes > 0 || state.recalled.length > 0) return null;
  return { ...state, holders: [...without(state.holders, to), [to, serial]] };
}

/** `from` has forgotten by itself what it had up to `serial`. */
export function givenUp(state: Delegated, from: KernelId, serial: number): Delegated {
  return state.holders.some(([kernel, last]) => kernel === from && last === serial) ? returned(state, from) : state;
}

/** Somebody wants to change it. */
export const begin = (state: Delegated): Delegated => ({ ...state, changes: state.changes + 1 });
/** It has been changed, or will not be. */
export const end = (state: Delegated): Delegated => ({ ...state, changes: state.changes - 1 });

/** Whether a change that has begun may be made. */
export const mayChange = ({ holders }: Delegated): boolean => holders.length === 0;

/** Those that have to be told to forget it. */
export function recall(state: Delegated): { readonly state: Delegated; readonly from: readonly KernelId[] } {
  const from = state.holders.map(([kernel]) => kernel).filter(kernel => !state.recalled.includes(kernel));
  return { state: { ...state, recalled: [...state.recalled, ...from] }, from };
}

/**
 * `from` has forgotten what it was given up to serial `upTo`, or is gone. It may have given up what it is recalled from, and have been given
 * something anew, before this is heard: that is not meant.
 */
export function returned(state: Delegated, from: KernelId, upTo = Number.POSITIVE_INFINITY): Delegated {
  if (state.holders.some(([kernel, last]) => kernel === from && last > upTo)) return state;
  return { ...state, holders: without(state.holders, from), recalled: state.recalled.filter(kernel => kernel !== from) };
}

const without = (holders: Delegated['holders'], kernel: KernelId): Delegated['holders'] => holders.filter(([each]) => each !== kernel);

/** Whether a holder may remember an answer that came with `serial`: nothing given up to `floor` is valid any more. */
export const mayRemember = (serial: number, floor: number): boolean => serial > floor;
