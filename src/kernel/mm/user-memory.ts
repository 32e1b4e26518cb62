/**
 * The kernel's way into a program's memory (Linux: copy_from_user, copy_to_user).
 *
 * Always holds: every byte goes through the areas and the page table, with the faults that the program itself would take; an address
 * that the program may not use becomes EFAULT, whatever number it is. A page that another kernel has ends what is read with ERESTARTSYS (it is
 * fetched and the call made again); what is written to it is kept until it has come.
 */
import type { Processor } from '../../machine/hart/hart.ts';
import type { PhysicalMemory } from '../../machine/memory.ts';
import { E, Errno } from '../abi/errno.ts';
import { PAGE_SIZE, type VirtAddr } from '../types.ts';
import type { AddressSpace } from './address-space.ts';
import { PTE, pageOf, USER_END } from './page-table.ts';

export class UserMemory {
  readonly space: AddressSpace;
  readonly #memory: PhysicalMemory;
  readonly #processor: Processor;

  constructor(space: AddressSpace, memory: PhysicalMemory, processor: Processor) {
    this.space = space;
    this.#memory = memory;
    this.#processor = processor;
  }

  /** A copy of `length` bytes. @throws Errno EFAULT, ERESTARTSYS another kernel has some of it */
  read(address: VirtAddr, length: number): Uint8Array {
    this.#present(address, length);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = address + done;
      const run = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const physical = this.#translate(at, false);
      bytes.set(this.#memory.u8.subarray(physical, physical + run), done);
      done += run;
    }
    return bytes;
  }

  /** @throws Errno EFAULT, with the bytes before the bad page written, as in Linux */
  write(address: VirtAddr, bytes: Uint8Array): void {
    this.#inRange(address, bytes.length);
    for (let done = 0; done < bytes.length; ) {
      const at = address + done;
      const run = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const { sharing } = this.space;
      if (sharing !== null && !sharing.mayTouch(pageOf(at), 'write')) {
        if (!this.space.allows(at, 'write')) throw new Errno(E.FAULT);
        sharing.writeLater(at, bytes.slice(done, done + run));
      } else {
        const physical = this.#translate(at, true);
        this.#memory.u8.set(bytes.subarray(done, done + run), physical);
        this.#processor.invalidateFrame(physical >>> 12);
        this.#processor.storeWhileReserved(null, physical, run);
      }
      done += run;
    }
  }

  /** Makes sure that the whole range can be read or written, before anything is done about it. @throws Errno EFAULT ERESTARTSYS */
  check(address: VirtAddr, length: number, write: boolean): void {
    if (length === 0) return;
    this.#inRange(address, length);
    let away = false;
    for (let page = pageOf(address); page < address + length; page += PAGE_SIZE) {
      if (this.#isAway(page, write)) away = true;
      else this.#translate(Math.max(page, address), write);
    }
    if (away) throw new Errno(E.RESTARTSYS);
  }

  #present(address: VirtAddr, length: number): void {
    if (this.space.sharing === null) this.#inRange(address, length);
    else this.check(address, length, false);
  }

  /** Whether another kernel has the page; then it is to be fetched, and the call made again. @throws Errno EFAULT */
  #isAway(page: VirtAddr, write: boolean): boolean {
    const { sharing } = this.space;
    const access = write ? 'write' : 'read';
    if (sharing === null || sharing.mayTouch(page, access)) return false;
    if (!this.space.allows(page, access)) throw new Errno(E.FAULT);
    sharing.missed(page, access);
    return true;
  }

  /**
   * Bytes up to the first zero, one character a byte.
   * @throws Errno EFAULT, ENAMETOOLONG when there is none within `limit` bytes
   */
  readString(address: VirtAddr, limit = 4096): string {
    const u8 = this.#memory.u8;
    let text = '';
    for (let at = address; text.length < limit; ) {
      this.#present(at, 1);
      const physical = this.#translate(at, false);
      const run = PAGE_SIZE - (at % PAGE_SIZE);
      for (let i = 0; i < run && text.length < limit; i++) {
        const byte = u8[physical + i] as number;
        if (byte === 0) return text;
        text += String.fromCharCode(byte);
      }
      at += run;
    }
    throw new Errno(E.NAMETOOLONG);
  }

  getU8(address: VirtAddr): number {
    return this.read(address, 1)[0] as number;
  }

  getU32(address: VirtAddr): number {
    return this.#view(address, 4).getUint32(0, true);
  }

  getI32(address: VirtAddr): number {
    return this.#view(address, 4).getInt32(0, true);
  }

  /** A 64-bit signed word as a number (exact below 2^53). */
  getI64(address: VirtAddr): number {
    const view = this.#view(address, 8);
    return view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true);
  }

  getU64(address: VirtAddr): number {
    const view = this.#view(address, 8);
    return view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  }

  setU32(address: VirtAddr, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
    this.write(address, bytes);
  }

  /** @param value an integer below 2^53 in size, negative ones sign-extended */
  setI64(address: VirtAddr, value: number): void {
    this.write(address, int64(value));
  }

  /** Physical address of the byte at `address`, for a futex key. @throws Errno EFAULT */
  physical(address: VirtAddr): number {
    this.#present(address, 1);
    return this.#translate(address, false);
  }

  #view(address: VirtAddr, length: number): DataView {
    return new DataView(this.read(address, length).buffer);
  }

  #inRange(address: VirtAddr, length: number): void {
    if (!(address >= 0 && length >= 0 && address + length <= USER_END)) throw new Errno(E.FAULT);
  }

  #translate(address: VirtAddr, write: boolean): number {
    const needed = PTE.V | PTE.U | (write ? PTE.W : PTE.R);
    let entry = this.space.table.get(address);
    if ((entry & needed) !== needed) {
      const result = this.space.fault(address, write ? 'write' : 'read');
      if ('signal' in result) throw new Errno(E.FAULT);
      entry = this.space.table.get(address);
      if ((entry & needed) !== needed) throw new Errno(E.FAULT);
    }
    return (entry >>> 10) * PAGE_SIZE + (address % PAGE_SIZE);
  }
}

/** A signed integer as eight little-endian bytes. */
export function int64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  const high = Math.floor(value / 2 ** 32);
  view.setUint32(0, (value - high * 2 ** 32) >>> 0, true);
  view.setInt32(4, high | 0, true);
  return bytes;
}
