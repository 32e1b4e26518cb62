/** The page that every program finds at a fixed address: the code to which signal handlers return. */
import { PROT } from '../mm/vm-area.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import { STACK_TOP } from '../mm/address-space.ts';

export const VDSO_BASE = STACK_TOP + 0x1000;
export const VDSO_SIGRETURN = VDSO_BASE;

/** `li a7, 139; ecall` (rt_sigreturn). Debuggers know the sequence. */
const CODE = new Uint8Array(new Uint32Array([0x08b00893, 0x00000073]).buffer);

export function mapVdso(space: AddressSpace, user: UserMemory): void {
  const area = {
    start: VDSO_BASE,
    end: VDSO_BASE + 0x1000,
    protection: PROT.READ | PROT.WRITE,
    shared: false,
    growsDown: false,
    backing: null,
    backingPage: 0,
    label: '[vdso]',
  };
  space.insertArea(area);
  user.write(VDSO_BASE, CODE);
  space.protect(VDSO_BASE, 0x1000, PROT.READ | PROT.EXEC);
}
