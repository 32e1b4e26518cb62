/** What a kernel is told of its network when it starts; and who is who on it. */
import { DEFAULT_LINK, type LinkSettings, MAC_OF_CLIENT, macOfFunction } from '../../machine/devices/nic.ts';
import type { KernelId } from '../types.ts';
import { parseIp } from './address.ts';
import type { Ipv4Address, MacAddress } from './platform.ts';
import { DEFAULT_SWITCH, type SwitchSettings } from './switch/settings.ts';

export interface NetworkParameters {
  /** The virtual switch between the kernels of the machine, as long as nobody changes it. */
  readonly switch: SwitchSettings;
  /** The cable between the machine's card and that of the client machine, likewise. */
  readonly link: LinkSettings;
  /** Whether frames are told to the outside as they pass (net/frame-trace.ts); `once`: of each the bytes the first time only. */
  readonly capture: boolean | 'once';
}

export const DEFAULT_NETWORK: NetworkParameters = { switch: DEFAULT_SWITCH, link: DEFAULT_LINK, capture: false };

/** The kernel of the machine at the other end of the cable. No kernel of the machine itself has this number. */
export const CLIENT_KERNEL: KernelId = 127;

const ip = (text: string): Ipv4Address => parseIp(text) as Ipv4Address;

/** The network of the wire, and who is on it (Popcorn: gigi and roastduck); that of the virtual switch. */
export const WIRE_PREFIX = 24;
export const SERVER_ADDRESS = ip('10.1.1.31');
export const CLIENT_ADDRESS = ip('10.1.1.63');
/** Of the function nic0.k, whichever kernel has it; of the card itself the server's. */
export const addressOfFunction = (number: number): Ipv4Address => (number === 0 ? SERVER_ADDRESS : ip('10.1.1.100') + number);
export const SWITCH_NETWORK = ip('10.1.2.0');
export const SWITCH_PREFIX = 24;

/** 02 (administered locally) 50:4f:50 (POP), then which network, and who. */
const MAC_BASE: MacAddress = 0x02504f500000;
const SWITCH_MACS = MAC_BASE + 0x200;

export const addressOfKernel = (kernel: KernelId): Ipv4Address => SWITCH_NETWORK + kernel + 1;
export const macOfKernel = (kernel: KernelId): MacAddress => SWITCH_MACS + kernel + 1;
/** Whose it is, if it is one of `macOfKernel`; else no kernel's number. */
export const kernelOfMac = (mac: MacAddress): number => mac - SWITCH_MACS - 1;
export const SERVER_MAC: MacAddress = macOfFunction(0);
export const CLIENT_MAC: MacAddress = MAC_OF_CLIENT;

export const MTU = 1500;
/** Descriptors of a function of the card for frames that come in (Linux: ixgbe's default). */
export const CARD_DESCRIPTORS = 512;
/** Without its check sequence. */
const FRAME_MIN = 60;

/** A frame with zeros behind it, where it is shorter than Ethernet has them (shmtun did so too). */
export function padded(frame: Uint8Array): Uint8Array {
  if (frame.length >= FRAME_MIN) return frame;
  const longer = new Uint8Array(FRAME_MIN);
  longer.set(frame);
  return longer;
}
