/** The network between real kernels, and to the client machine, is the same however many hosts run them. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'fflate';
import { expect, it } from 'vitest';
import type { BootParameters, ReplicaInput } from '../kernel/boot/parameters.ts';
import { FRAME, NET_DEVICE } from '../kernel/net/frame-trace.ts';
import { DEFAULT_MESSAGES } from '../kernel/message/settings.ts';
import { CLIENT_KERNEL, DEFAULT_NETWORK } from '../kernel/net/parameters.ts';
import type { SwitchVersion } from '../kernel/net/switch/settings.ts';
import { CELL } from '../kernel/sched/scheduler.ts';
import { TraceKind } from '../kernel/trace.ts';
import { clientOf } from '../lab/network.ts';
import { resolvePlan } from '../lab/plan.ts';
import { clientMachine, preset } from '../machine/topology/presets.ts';
import { localHost } from './local-host.ts';
import { makeTalker, TALK, talkerThread } from './node-net-testing.ts';
import type { HostInput } from './protocol.ts';
import { World } from './world.ts';

const archive = gunzipSync(new Uint8Array(readFileSync(new URL('../../public/initramfs.cpio.gz', import.meta.url))));
const TOPOLOGY = preset('opteron-6274');
const MEMORY = 2 ** 30;
const MS = 2_200_000;
const KERNELS = [0, 1, 2, 3];
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

async function talkingWorld(
  version: SwitchVersion,
  gap: number,
  hosts: number,
  pieces: number,
): Promise<{ fingerprint: string; frames: number; inCard: number; told: number[] }> {
  const plan = resolvePlan('0-1+disk0+nic0+nic0.3;8-9+nic0.1;16;63+nic0.2', TOPOLOGY, MEMORY, clientMachine(TOPOLOGY.hertz));
  const shared = {
    seed: 5,
    caches: true,
    messages: DEFAULT_MESSAGES,
    balance: false,
    init: false,
    exec: null,
    network: {
      ...DEFAULT_NETWORK,
      switch: { ...DEFAULT_NETWORK.switch, version },
      link: { ...DEFAULT_NETWORK.link, loss: 0.05 },
    },
  };
  const kernels = plan.partitions.map(({ kernel }): BootParameters => ({ ...shared, kernel, plan, by: kernel, present: [] }));
  let frames = 0;
  let inCard = 0;
  /** What was told of frames (FRAME). */
  const told = new Map<number, number>();
  const world = await World.start(
    {
      topology: TOPOLOGY,
      kernels,
      rootArchive: archive,
      disk: null,
      memoryLimit: MEMORY,
      engine: 'translate',
      caches: true,
      client: clientOf(TOPOLOGY, MEMORY, shared),
    },
    Array.from({ length: hosts }, () => (hosts === 1 ? localHost(turn, makeTalker) : talkerThread())),
    hosts > 1,
    {
      trace: bytes => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        for (let at = 0; at < bytes.length; at += 40) {
          if (view.getUint16(at + 8, true) !== TraceKind.NetFrame) continue;
          frames++;
          if (((view.getUint32(at + 16, true) >>> 16) & 255) === NET_DEVICE.Card) inCard++;
          told.set(view.getUint32(at + 16, true) >>> 24, frames);
        }
      },
      output: () => {},
      ended: () => {},
      failed: (_kernels, message) => {
        throw new Error(message);
      },
    },
  );
  const all = (time: number, input: (kernel: number) => ReplicaInput, to: readonly number[]): HostInput[] =>
    // As a session stamps them: between two cells of all cores.
    to.map(kernel => ({ time: Math.ceil(time / CELL) * CELL, kernel, input: input(kernel) }));
  const talk = (rounds: number) => (): ReplicaInput => ({ kind: 'file', name: TALK, bytes: Uint8Array.of(KERNELS.length, rounds, gap) });
  // It takes up to 950 ms until all know that a kernel is dead; then nobody has the card.
  const theEnd: [until: number, inputs: HostInput[]][] = [
    [1020, all(56 * MS, () => ({ kind: 'order', text: 'panic 2' }), [1])],
    [1021, all(1020 * MS, talk(20), [0, 1, CLIENT_KERNEL])],
  ];
  const script: [until: number, inputs: HostInput[]][] = [
    [
      50,
      [
        ...all(0, () => ({ kind: 'power' }), [0, CLIENT_KERNEL]),
        ...all(0, kernel => ({ kind: 'boot', kernel }), [1, 2, 3]).map(each => ({ ...each, kernel: 0 })),
      ],
    ],
    [52, all(50 * MS, talk(200), [...KERNELS, CLIENT_KERNEL])],
    [
      53,
      [
        ...all(52 * MS, () => ({ kind: 'order', text: 'mv-dev nic0 2' }), [1]),
        ...all(52 * MS, () => ({ kind: 'order', text: 'mv-dev nic0.1 3' }), [0]),
      ],
    ],
    [54, all(53 * MS, () => ({ kind: 'order', text: 'switch slots 4 kernel' }), [3])],
    [56, all(54 * MS, () => ({ kind: 'order', text: 'link delay 50us loss 10%' }), [0])],
    ...(version === 'user' ? [] : theEnd),
  ];
  for (const [until, inputs] of script) {
    let pending = inputs;
    const from = world.now;
    for (let piece = 1; piece <= pieces; piece++) {
      const limit = Math.floor((from + ((until * MS - from) * piece) / pieces) / 512) * 512;
      while (world.now < limit) {
        await world.advance(limit, pending);
        pending = [];
      }
    }
  }
  const { fingerprint } = world;
  world.close();
  return { fingerprint, frames, inCard, told: [...told.keys()].sort() };
}

it('leaves the same trace with 1, 2 and 4 hosts', async () => {
  const one = await talkingWorld('rings', 10, 1, 1);
  expect(one.frames).toBeGreaterThan(1000);
  expect(one.told).toEqual(Object.values(FRAME));
  expect(one.inCard).toBeGreaterThan(100);
  expect(await talkingWorld('rings', 10, 2, 5)).toEqual(one);
  expect(await talkingWorld('rings', 10, 4, 1)).toEqual(one);
});

it('does so where programs carry the frames', async () => {
  const one = await talkingWorld('user', 40, 1, 1);
  expect(one.frames).toBeGreaterThan(1000);
  expect(await talkingWorld('user', 40, 2, 3)).toEqual(one);
});
