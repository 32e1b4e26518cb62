/** How kernels look: a colour, a pattern and a number, everywhere the same. Colour is never the only sign. */

export const HUES = 8;

/** The CSS variable of a kernel's colour. */
export const kernelColor = (kernel: number): string => `var(--k${kernel % HUES})`;
/** With more kernels than hues a stripe tells the groups apart; the number says the rest. */
export const kernelGroup = (kernel: number): number => Math.floor(kernel / HUES);
export const kernelName = (kernel: number): string => `kernel ${kernel}`;
/** States as the trace has them. */
export const STATE_NAMES = ['off', 'booting', 'up', 'halted', 'panicked'] as const;
