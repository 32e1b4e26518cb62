/** How kernels look: a colour, a pattern and a number, everywhere the same. Colour is never the only sign. */
import type { CSSProperties } from 'react';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import type { ResolvedPlan } from '../kernel/boot/parameters.ts';
import type { Session } from '../lab/session.ts';

export const HUES = 8;

/** The CSS variable of a kernel's colour. */
export const kernelColor = (kernel: number): string => `var(--k${kernel % HUES})`;
/** With more kernels than hues a stripe tells the groups apart; the number says the rest. */
export const kernelGroup = (kernel: number): number => Math.floor(kernel / HUES);
export const kernelName = (kernel: number): string => (kernel === CLIENT_KERNEL ? 'client' : `kernel ${kernel}`);
/** The kernels that have consoles: those of the plan, and that of the client machine. */
export const consoleKernels = (plan: ResolvedPlan | null, session: Session | null): number[] => [
  ...(plan?.partitions ?? []).map(({ kernel }) => kernel),
  ...(session?.client == null ? [] : [session.client]),
];
/** States as the trace has them. */
export const STATE_NAMES = ['off', 'booting', 'up', 'halted', 'panicked'] as const;
export const STATE = { Off: 0, Booting: 1, Up: 2, Halted: 3, Panicked: 4 } as const;

/** Gives an element and what is in it the kernel's colour as `--kernel`. */
export const kernelStyle = (kernel: number | undefined): CSSProperties | undefined =>
  kernel === undefined ? undefined : ({ '--kernel': kernelColor(kernel) } as CSSProperties);
