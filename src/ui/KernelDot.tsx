/** A kernel's number on its colour. */
import { kernelName, kernelStyle } from './kernels.ts';

export function KernelDot({ kernel }: { kernel: number }) {
  return (
    <span className="kernel-dot" style={kernelStyle(kernel)} title={kernelName(kernel)}>
      {kernel}
    </span>
  );
}
