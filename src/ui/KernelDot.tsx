/** A kernel's number on its colour. */
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import { kernelName, kernelStyle } from './kernels.ts';

export function KernelDot({ kernel }: { kernel: number }) {
  return (
    <span className="kernel-dot" style={kernelStyle(kernel)} title={kernelName(kernel)}>
      {kernel === CLIENT_KERNEL ? 'client' : kernel}
    </span>
  );
}
