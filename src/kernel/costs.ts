/** What the kernel's own work costs, drawn from the machine's table. */
export { KERNEL_COSTS, type KernelCost } from '../machine/costs.ts';
