/**
 * The way of a message between two hosts by itself: two threads and a receive window as the kernels have it (kernel/message/window.ts): slots
 * written with header and checksum, published, checked, read and freed. Beside it the same 64 bytes by postMessage, the same number, one way.
 * This file is both ends: imported it starts the threads, as a thread it is one of them.
 */
import { isMainThread, MessageChannel, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { LANE_SLOTS, Window, windowBytes } from '../../kernel/message/window.ts';
import { FLAG, FRAGMENT_BYTES, HEADER_BYTES, isIntact, MESSAGE_BYTES, readHeader, writeSlot } from '../../kernel/message/wire.ts';
import type { Memory } from '../../machine/hart/wasm/engine.ts';
import { PhysicalMemory, WASM_PAGE } from '../../machine/memory.ts';
import { bundle } from '../../world/node-host.ts';

/** The sender's kernel number; the window is the other's. */
const SENDER = 1;
const BASE = WASM_PAGE;
/** Looks before a thread sleeps until the other has got on. */
const SPINS = 2000;
/** Words by which they wake each other: how far each is. */
const PROGRESS = { sender: 0, receiver: 16 } as const;
/** Messages between two tellings of how far one is. */
const TELL = LANE_SLOTS / 2;

type Job =
  | { readonly bench: 'ring'; readonly end: 'sender' | 'receiver'; readonly memory: Memory; readonly count: number }
  | { readonly bench: 'post'; readonly end: 'sender' | 'receiver'; readonly port: MessagePort; readonly count: number };

/** Messages per wall second through a ring in shared memory. */
export function ringRate(count: number): Promise<number> {
  const { wasm: memory } = PhysicalMemory.create(BASE + Math.ceil(windowBytes(2) / WASM_PAGE) * WASM_PAGE);
  return race(end => [{ bench: 'ring', end, memory, count }, []]);
}

/** Messages per wall second by postMessage. */
export function postRate(count: number): Promise<number> {
  const { port1: sender, port2: receiver } = new MessageChannel();
  const ports = { sender, receiver };
  return race(end => [{ bench: 'post', end, port: ports[end], count }, [ports[end]]]);
}

async function race(job: (end: Job['end']) => [Job, MessagePort[]]): Promise<number> {
  const workers = (['receiver', 'sender'] as const).map(end => {
    const [data, transferList] = job(end);
    return new Worker(bundle(import.meta.url), { eval: true, workerData: data, transferList });
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      for (const worker of workers) worker.on('error', reject);
      workers[0]?.on('message', resolve);
    });
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()));
  }
}

function serve(job: Job): void {
  const { count } = job;
  let from = 0;
  /** Since the first message came. */
  const done = (): void => parentPort?.postMessage(((count - 1) * 1000) / (performance.now() - from));
  if (job.bench === 'post') {
    const bytes = new Uint8Array(MESSAGE_BYTES);
    let left = count;
    if (job.end === 'sender') for (let i = 0; i < count; i++) job.port.postMessage(bytes);
    else
      job.port.on('message', () => {
        if (left === count) from = performance.now();
        if (--left === 0) done();
      });
    return;
  }
  const memory = new PhysicalMemory(job.memory);
  const window = new Window(memory, BASE, 2);
  const payload = new Uint8Array(FRAGMENT_BYTES);
  if (job.end === 'sender') {
    for (let sequence = 0, heard = 0; sequence < count; sequence++) {
      while (!window.isFree(SENDER, sequence, 1)) heard = news(memory, PROGRESS.receiver, heard);
      const header = {
        type: 1,
        from: SENDER,
        to: 0,
        flags: FLAG.First | FLAG.Last,
        sequence,
        length: payload.length,
        fragment: 0,
        cause: 0,
      };
      payload[0] = payload[FRAGMENT_BYTES - 1] = sequence;
      writeSlot(memory, window.slot(SENDER, sequence), header, payload);
      window.publish(SENDER, sequence, 1);
      if (sequence % TELL === TELL - 1 || sequence === count - 1) tell(memory, PROGRESS.sender);
    }
    return;
  }
  for (let sequence = 0, heard = 0; sequence < count; ) {
    heard = news(memory, PROGRESS.sender, heard);
    if (sequence === 0) from = performance.now();
    window.takeDoorbells(0);
    while (!Number.isNaN(window.arrival(SENDER, sequence))) {
      const at = window.slot(SENDER, sequence);
      if (!isIntact(memory, at)) throw new Error(`message ${sequence} is damaged`);
      const header = readHeader(memory, at);
      // Payloads are read where they are, until the slot is given back.
      const [first, last] = [memory.u8[at + HEADER_BYTES], memory.u8[at + HEADER_BYTES + header.length - 1]];
      if (header.sequence !== sequence || first !== (sequence & 0xff) || last !== first)
        throw new Error(`message ${header.sequence} in place of ${sequence}`);
      window.free(SENDER, sequence, 1);
      if (sequence % TELL === TELL - 1) tell(memory, PROGRESS.receiver);
      sequence++;
    }
  }
  done();
}

function tell({ i32 }: PhysicalMemory, word: number): void {
  Atomics.add(i32, word, 1);
  Atomics.notify(i32, word);
}

/** Waits until the other end has told something since `heard`, as a host waits for another's word. Returns what has been told. */
function news({ i32 }: PhysicalMemory, word: number, heard: number): number {
  for (let spins = 0; ; spins++) {
    const told = Atomics.load(i32, word);
    if (told !== heard) return told;
    if (spins > SPINS) Atomics.wait(i32, word, heard, 1);
  }
}

if (!isMainThread && (workerData as { bench?: string } | null)?.bench !== undefined) serve(workerData as Job);
