/** The drivers, by kind of device: one line each. A kernel makes its own of each as it is put together. */
import type { DeviceKind } from '../../machine/devices/devices.ts';
import type { Kernel } from '../kernel.ts';
import { NicDriver } from '../net/nic-driver.ts';
import { VirtualFunctions } from '../net/vf-driver.ts';
import type { Driver } from './devices.ts';
import { DiskDriver } from './disk.ts';

export const DRIVERS: Readonly<Record<DeviceKind, (kernel: Kernel) => Driver>> = {
  disk: kernel => new DiskDriver(kernel),
  nic: kernel => new NicDriver(kernel),
  'nic-vf': kernel => new VirtualFunctions(kernel),
};
