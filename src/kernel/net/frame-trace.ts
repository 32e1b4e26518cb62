/**
 * What is told of each frame that comes to a kernel or leaves it: a record of the trace, and, where a run is captured, its bytes.
 *
 *     port 5 of the platform's outputs:   0 what (u8)   1 device (u8)   2 port (u16)   4 id (u32)   8 the frame
 *
 * Always holds: capturing changes nothing that happens, nor the trace.
 */
import type { Kernel } from '../kernel.ts';
import { TraceKind } from '../trace.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype } from './ethernet.ts';
import type { Packet } from '../../machine/devices/packet-ring.ts';

/** What has happened to a frame. */
export const FRAME = {
  /** It has come out of a ring, or off the wire. */
  In: 0,
  /** It is in a ring, or on the wire. */
  Out: 1,
  /** There was no room for it. */
  Full: 2,
  /** The wire has lost it. */
  Lost: 3,
  /** There was nobody whom it could be given to. */
  Nowhere: 4,
} as const;
export type FrameEvent = (typeof FRAME)[keyof typeof FRAME];

/**
 * Where: at the hub of the virtual switch (a port is the kernel behind it); on the wire (a port is the end whence it comes: 0 the machine, 1 the
 * client machine); at the interface of a client of the switch; in the network card (a port is the function: 0 nic0, k nic0.k). What becomes of a
 * frame on the wire the client machine tells, whose card puts the frames of both in their order.
 */
export const NET_DEVICE = { Switch: 0, Nic: 1, Port: 2, Card: 3 } as const;
export type NetDeviceNumber = (typeof NET_DEVICE)[keyof typeof NET_DEVICE];

export const CAPTURE_PORT = 5;
export const CAPTURE_HEADER = 8;

/** @param fill packets in the ring that it comes from or goes to, with this one; 0: it passes none */
export function noteFrame(
  kernel: Kernel,
  what: FrameEvent,
  device: NetDeviceNumber,
  port: number,
  { frame, id }: Packet,
  fill: number,
): void {
  const type = frame.length < ETHERNET_HEADER ? 0 : ethertype(frame);
  const protocol = type === ETHERTYPE.IPV4 ? (frame[ETHERNET_HEADER + 9] ?? 0) : 0;
  kernel.trace(TraceKind.NetFrame, (what << 24) | (device << 16) | port, (fill << 16) | frame.length, id, (type << 16) | protocol);
  const capture = kernel.parameters.network?.capture ?? false;
  if (capture === false || (capture === 'once' && isPassedOver(what, device))) return;
  const length = capture === 'once' && isKnown(what, device, kernel.id === id >>> 24) ? 0 : frame.length;
  const bytes = new Uint8Array(CAPTURE_HEADER + length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, what);
  view.setUint8(1, device);
  view.setUint16(2, port, true);
  view.setUint32(4, id, true);
  if (length > 0) bytes.set(frame, CAPTURE_HEADER);
  kernel.platform.output(kernel.now, CAPTURE_PORT, bytes);
}

/** What passes a client's port passes the hub as well. */
const isPassedOver = (what: FrameEvent, device: NetDeviceNumber): boolean =>
  device === NET_DEVICE.Port && (what === FRAME.In || what === FRAME.Out);
/** Another event has told its bytes: it came into the switch before, or was put on the wire. */
const isKnown = (what: FrameEvent, device: NetDeviceNumber, isOwn: boolean): boolean => {
  switch (device) {
    case NET_DEVICE.Switch:
      return what !== FRAME.In;
    case NET_DEVICE.Nic:
      return what === FRAME.In;
    case NET_DEVICE.Card:
      return what === FRAME.Out || (what === FRAME.In && !isOwn);
    default:
      return false;
  }
};
