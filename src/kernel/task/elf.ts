/**
 * Reading ELF files: what exec needs to know of a program before it touches anything (ELF-64, System V ABI; RISC-V psABI).
 *
 * Always holds: what `parseElf` accepts has load segments that are in order, don't overlap, lie in the user half and within the file.
 */
import { E, Errno } from '../abi/errno.ts';
import { USER_END } from '../mm/page-table.ts';
import { PROT } from '../mm/vm-area.ts';

export interface LoadSegment {
  readonly address: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  /** PROT bits. */
  readonly protection: number;
}

export interface Elf {
  /** Position-independent: addresses are relative to a base that the loader chooses. */
  readonly relocatable: boolean;
  readonly entry: number;
  readonly segments: readonly LoadSegment[];
  /** Dynamic linker, or null for a static program. */
  readonly interpreter: string | null;
  /** Address of the program headers in memory; 0 if they are in no segment. */
  readonly headersAddress: number;
  readonly headerCount: number;
  readonly executableStack: boolean;
}

export const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_RISCV = 243;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_GNU_STACK = 0x6474e551;
const HEADERS_MAX = 128;
/** Of the processors whose programs people have. */
const PROCESSORS: Readonly<Record<number, string>> = { 3: 'x86, 32 bits', 40: 'ARM, 32 bits', 62: 'x86-64', 183: 'ARM, 64 bits' };

/** Why a file is not a program that can run here; the text is for the page and dmesg. */
export class NotExecutable extends Errno {
  constructor(
    readonly reason: string,
    errno: number = E.NOEXEC,
  ) {
    super(errno);
  }
}

/** Bytes of the file that {@link parseElf} wants to see, from what the first 64 say. @throws NotExecutable */
export function headerExtent(header: Uint8Array): number {
  const view = check(header);
  const offset = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  if (view.getUint16(54, true) !== PROGRAM_HEADER_BYTES || count === 0 || count > HEADERS_MAX)
    throw new NotExecutable('its program headers are malformed');
  if (offset > 1 << 20) throw new NotExecutable('its program headers lie too far in the file');
  return offset + count * PROGRAM_HEADER_BYTES;
}

/**
 * @param head the first bytes of the file, at least {@link headerExtent}
 * @param fileBytes size of the file
 * @throws NotExecutable with the reason
 */
export function parseElf(head: Uint8Array, fileBytes: number): Elf {
  const view = check(head);
  const end = headerExtent(head);
  if (head.length < end) throw new NotExecutable('it is cut off in its program headers');
  const type = view.getUint16(16, true);
  const count = view.getUint16(56, true);
  const offset = Number(view.getBigUint64(32, true));
  const segments: LoadSegment[] = [];
  let interpreter: string | null = null;
  let headersAddress = 0;
  let executableStack = false;
  for (let i = 0; i < count; i++) {
    const at = offset + i * PROGRAM_HEADER_BYTES;
    const kind = view.getUint32(at, true);
    const flags = view.getUint32(at + 4, true);
    const fileOffset = Number(view.getBigUint64(at + 8, true));
    const address = Number(view.getBigUint64(at + 16, true));
    const inFile = Number(view.getBigUint64(at + 32, true));
    const inMemory = Number(view.getBigUint64(at + 40, true));
    if (kind === PT_GNU_STACK) executableStack = (flags & 1) !== 0;
    if (kind === PT_INTERP) {
      if (inFile < 2 || inFile > 4096 || fileOffset + inFile > head.length)
        throw new NotExecutable('the name of its interpreter is out of reach');
      interpreter = String.fromCharCode(...head.subarray(fileOffset, fileOffset + inFile - 1));
    }
    if (kind !== PT_LOAD || inMemory === 0) continue;
    if (address + inMemory > USER_END) throw new NotExecutable(`segment ${i} points outside the address space`);
    if (inFile > inMemory) throw new NotExecutable(`segment ${i} has more bytes in the file than in memory`);
    if (fileOffset + inFile > fileBytes) throw new NotExecutable(`segment ${i} points outside the file (it is cut off?)`);
    if (address % 4096 !== fileOffset % 4096) throw new NotExecutable(`segment ${i} is not aligned to pages`);
    const previous = segments.at(-1);
    if (previous !== undefined && Math.floor(address / 4096) * 4096 < previous.address + previous.memoryBytes) {
      throw new NotExecutable(`segment ${i} overlaps the one before it`);
    }
    const protection = (flags & 4 ? PROT.READ : 0) | (flags & 2 ? PROT.WRITE : 0) | (flags & 1 ? PROT.EXEC : 0);
    segments.push({ address, fileOffset, fileBytes: inFile, memoryBytes: inMemory, protection });
    if (offset >= fileOffset && end <= fileOffset + inFile) headersAddress = address + offset - fileOffset;
  }
  if (segments.length === 0) throw new NotExecutable('it has nothing to load');
  return {
    relocatable: type === ET_DYN,
    entry: Number(view.getBigUint64(24, true)),
    segments,
    interpreter,
    headersAddress,
    headerCount: count,
    executableStack,
  };
}

function check(head: Uint8Array): DataView {
  if (head.length < 4 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46)
    throw new NotExecutable('it is not an ELF file');
  if (head.length < ELF_HEADER_BYTES) throw new NotExecutable('it is cut off in its ELF header');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head[4] !== 2 || head[5] !== 1) throw new NotExecutable('it is not a 64-bit little-endian ELF file');
  const machine = view.getUint16(18, true);
  if (machine !== EM_RISCV)
    throw new NotExecutable(`it is for another processor (${PROCESSORS[machine] ?? `ELF machine ${machine}`}), not for RISC-V`);
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) throw new NotExecutable('it is an ELF file but not a program');
  return view;
}
