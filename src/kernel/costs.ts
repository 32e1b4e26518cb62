/**
 * What the kernel's own work costs: names used in kernel code, each drawn from the machine's cost table (machine/costs.ts holds the
 * values, units and sources).
 */
import type { Cycles } from './types.ts';

export type KernelCost =
  | 'syscall' | 'contextSwitch' | 'minorFault' | 'pageZero' | 'pageCopy' | 'timerInterrupt' | 'rescheduleIpi'
  | 'schedLatency' | 'schedGranularity' | 'interruptEntry' | 'messageDispatch' | 'messageSend' | 'ipiSend' | 'ipiDelivery'
  | 'fork' | 'exec' | 'exit' | 'signalDelivery' | 'migrateStop' | 'migratePage' | 'migrateImportBase' | 'migrateImportPage' | 'bootKernel' | 'bootPerFrame';

export type KernelCosts = Readonly<Record<KernelCost, Cycles>>;
