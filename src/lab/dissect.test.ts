/** Frames as people read them: built with the kernel's codecs, then cut and broken in every way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildArp } from '../kernel/net/arp.ts';
import { ETHERTYPE, putEthernet } from '../kernel/net/ethernet.ts';
import { buildIcmp, ICMP } from '../kernel/net/icmp.ts';
import { HEADROOM, IPV4_HEADER, PROTOCOL, putIpv4 } from '../kernel/net/ipv4.ts';
import { addressOfKernel, macOfKernel, padded } from '../kernel/net/parameters.ts';
import { FLAG, openSegment, sealSegment } from '../kernel/net/tcp/segment.ts';
import { dissect } from './dissect.ts';

const [a, b] = [addressOfKernel(0), addressOfKernel(1)];

/** Fills in what is below the payload. */
function finished(frame: Uint8Array, protocol: number): Uint8Array {
  putIpv4(frame.subarray(HEADROOM - IPV4_HEADER), {
    ...{ headerBytes: IPV4_HEADER, tos: 0, totalBytes: frame.length - HEADROOM + IPV4_HEADER, id: 7, dontFragment: true },
    ...{ moreFragments: false, fragmentOffset: 0, ttl: 64, protocol, source: a, target: b },
  });
  putEthernet(frame, macOfKernel(1), macOfKernel(0), ETHERTYPE.IPV4);
  return frame;
}

const echo = finished(buildIcmp(ICMP.ECHO, 0, (42 << 16) | 3, new Uint8Array(56)), PROTOCOL.ICMP);

function get(): Uint8Array {
  const data = new TextEncoder().encode('GET / HTTP/1.0\r\nHost: x\r\n\r\n');
  const header = { sourcePort: 40_000, targetPort: 80, seq: 1000, ack: 2000, flags: FLAG.ACK | FLAG.PSH, window: 502 };
  const frame = openSegment({ ...header, mss: null, scale: null, timestamp: { value: 1, echo: 2 } }, data.length);
  frame.set(data, frame.length - data.length);
  sealSegment(frame, a, b);
  return finished(frame, PROTOCOL.TCP);
}

describe('a frame', () => {
  it('is told in a line', () => {
    const question = { operation: 1, senderMac: macOfKernel(0), sender: a, targetMac: 0, target: b };
    expect(dissect(padded(buildArp(0xffffffffffff, question)))).toMatchObject({
      protocol: 'ARP',
      summary: 'who has 10.1.2.2? tell 10.1.2.1',
      damaged: false,
    });
    expect(dissect(echo)).toMatchObject({ protocol: 'ICMP', summary: '10.1.2.1 → 10.1.2.2 echo request id=42 seq=3' });
    const http = dissect(get());
    expect(http.summary).toBe('10.1.2.1:40000 → 10.1.2.2:80 [PSH ACK] len=27 GET / HTTP/1.0 seq=1000 ack=2000 win=502');
    expect(http.ports).toEqual([40_000, 80]);
    expect(http.layers.map(({ name }) => name)).toEqual(['Ethernet', 'IPv4', 'TCP']);
  });

  it('that is damaged is called so, and any bytes are taken', () => {
    for (const whole of [echo, get()]) {
      for (let at = 14; at < whole.length; at++) {
        const broken = whole.slice();
        broken[at] = (broken[at] as number) ^ 0x10;
        expect(dissect(broken).damaged, `byte ${at}`).toBe(true);
      }
      for (let length = 0; length < whole.length; length++) expect(dissect(whole.subarray(0, length)).damaged).toBe(true);
    }
    const start = fc.constantFrom<readonly number[]>([], [...get().subarray(0, 14)], [...get().subarray(0, 34)], [...echo.subarray(0, 40)]);
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 80 }), (head, rest) => {
        expect(dissect(Uint8Array.from([...head, ...rest])).layers.length).toBeLessThan(5);
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});
