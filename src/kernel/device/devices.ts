/**
 * The devices that are this kernel's, and their drivers. A device changes hands by the ledger, as cores and memory do; around that its driver is
 * told, on every kernel:
 *
 *     the giver                     everyone                  the taker
 *     driver.detach (may refuse)
 *     ledger: it is nobody's   →    driver.ownerChanged(null)
 *     ledger: it is K's        →    driver.ownerChanged(K)    driver.attach
 *
 * Always holds: a driver touches its device between attach and detach and at no other time; what a kernel that is not up has is nobody's.
 */
import { machineDevices, type MachineDevice } from '../../machine/devices/devices.ts';
import { Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, type KernelId, type Maybe, settle, sleep, WaitQueue } from '../types.ts';
import { DRIVERS } from './drivers.ts';

export interface Driver {
  /** The device is this kernel's: it is taken into use. May fail: then the device is this kernel's and lies idle. */
  attach(device: MachineDevice): Blocking<void>;
  /**
   * The device is to go elsewhere, or this kernel is about to halt: afterwards nothing here uses it.
   * @throws Refusal why it can't go now; nothing has changed then
   */
  detach(device: MachineDevice): Blocking<void>;
  /** Whose it is has changed, here or elsewhere: comes before `attach`, and when the owner dies. Null: nobody's. */
  ownerChanged?(device: MachineDevice, owner: KernelId | null): Maybe<void>;
}

export class Devices {
  /** Of the whole machine. */
  readonly all: readonly MachineDevice[];
  readonly #kernel: Kernel;
  readonly #drivers = new Map<string, Driver>();
  /** As told last. */
  readonly #owners = new Map<string, KernelId | null>();
  readonly #attached = new Set<string>();
  #isStarted = false;
  #isBusy = false;
  /** Changes that are being seen to. */
  #settling = 0;
  readonly #free = new WaitQueue();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.all = machineDevices(kernel.topology);
    for (const [kind, make] of Object.entries(DRIVERS)) this.#drivers.set(kind, make(kernel));
  }

  named(name: string): MachineDevice | undefined {
    return this.all.find(device => device.name === name);
  }
  /** The kernel that has it and is up. */
  ownerOf(name: string): KernelId | null {
    const owner = this.#kernel.map.ownerOfDevice(name);
    return owner === this.#kernel.id || (owner !== null && this.#kernel.isPeer(owner)) ? owner : null;
  }
  isAttached(name: string): boolean {
    return this.#attached.has(name);
  }

  /** At boot, once there is a file tree: this kernel's devices are taken into use. */
  *start(): Blocking<void> {
    this.#isStarted = true;
    yield* this.#settle();
  }

  /** Returns when all that have come are in use. */
  *settled(): Blocking<void> {
    while (this.#settling > 0) yield* sleep([this.#free], { interruptible: false });
  }

  /** Shares have changed, or kernels have come or gone. */
  changed(): void {
    if (this.#isStarted) this.#kernel.detach(this.#settle());
  }

  *#settle(): Blocking<void> {
    this.#settling++;
    try {
      yield* this.#follow();
    } finally {
      this.#settling--;
      this.#free.wakeAll();
    }
  }

  *#follow(): Blocking<void> {
    const { id } = this.#kernel;
    const changed: { readonly device: MachineDevice; readonly owner: KernelId | null }[] = [];
    for (const device of this.all) {
      const owner = this.ownerOf(device.name);
      const before = this.#owners.get(device.name) ?? null;
      if (owner === before) continue;
      this.#owners.set(device.name, owner);
      if (owner === id || before === id) this.#kernel.traceDevice(this.all.indexOf(device), owner === id);
      changed.push({ device, owner });
    }
    for (const { device, owner } of changed) {
      // Overtaken by another change, which is seen to by itself.
      if (this.#owners.get(device.name) !== owner) continue;
      yield* settle(this.#driverOf(device)?.ownerChanged?.(device, owner));
      if (owner === id) yield* this.attach(device.name);
    }
  }

  /** Takes an own device into use. What goes wrong stands in the log. */
  *attach(name: string): Blocking<void> {
    const kernel = this.#kernel;
    const device = this.named(name);
    yield* this.#alone(
      function* (this: Devices): Blocking<void> {
        if (device === undefined || this.#attached.has(name) || this.ownerOf(name) !== kernel.id) return;
        this.#attached.add(name);
        try {
          yield* this.#driverOf(device)?.attach(device) ?? nothing();
        } catch (error) {
          if (!(error instanceof Errno)) throw error;
          kernel.log(3, `${name}: can't be used: ${error.message}`);
        }
      }.bind(this),
    );
  }

  /** @throws Refusal */
  *detach(name: string): Blocking<void> {
    const device = this.named(name);
    yield* this.#alone(
      function* (this: Devices): Blocking<void> {
        if (device === undefined || !this.#attached.has(name)) return;
        yield* this.#driverOf(device)?.detach(device) ?? nothing();
        this.#attached.delete(name);
      }.bind(this),
    );
  }

  /** This kernel halts: whatever can be brought to an end in order is. */
  *stop(): Blocking<void> {
    for (const name of [...this.#attached]) {
      try {
        yield* this.detach(name);
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        this.#kernel.log(4, `${name}: ${error.message}`);
      }
    }
  }

  #driverOf(device: MachineDevice): Driver | undefined {
    return this.#drivers.get(device.kind);
  }

  *#alone(work: () => Blocking<void>): Blocking<void> {
    while (this.#isBusy) yield* sleep([this.#free], { interruptible: false });
    this.#isBusy = true;
    try {
      yield* work();
    } finally {
      this.#isBusy = false;
      this.#free.wakeAll();
    }
  }
}

function* nothing(): Blocking<void> {
  // A device without a driver can be owned all the same.
}
