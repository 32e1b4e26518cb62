/** Sixty-four kernels of one core, without a screen: from power-on to all prompts, and what they cost when nothing happens. */
import { setTimeout } from 'node:timers/promises';
import { type Scenario, scenarioOf } from '../../lab/scenario.ts';
import type { Session } from '../../lab/session.ts';
import { start } from '../session.ts';
import { type Figure, kernelsOf, median } from './observe.ts';

const PLAN = 'partitioned';
const PROMPT = '/ #';
const RUNS = 3;
const IDLE_SECONDS = 5;
/** Seconds after the prompts at which idleness is measured: while the translator and the collector still see to the boot, and when they have. */
const SETTLED = [2, 12, 40] as const;

const scenario = (): Scenario => scenarioOf({ plan: PLAN, boot: kernelsOf(PLAN) });

/** Resolves when every console has shown a prompt. */
function prompts(session: Session, kernels: number): Promise<void> {
  const waiting = new Set(Array.from({ length: kernels }, (_, kernel) => kernel));
  const tails = new Map<number, string>();
  return new Promise(resolve => {
    session.listen({
      output: (kernel, port, _time, bytes) => {
        if (port !== 0) return;
        const text = (tails.get(kernel) ?? '') + Buffer.from(bytes).toString('latin1');
        tails.set(kernel, text.slice(-PROMPT.length));
        if (text.includes(PROMPT)) waiting.delete(kernel);
        if (waiting.size === 0) resolve();
      },
    });
  });
}

export async function boot(): Promise<Figure[]> {
  const kernels = kernelsOf(PLAN).length;
  const figures: Figure[] = [];
  for (const hosts of [1, 2]) {
    const times: number[] = [];
    const used: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const [from, before] = [performance.now(), process.cpuUsage()];
      const session = await start(scenario(), { hosts });
      await prompts(session, kernels);
      times.push(performance.now() - from);
      const { user, system } = process.cpuUsage(before);
      used.push((user + system) / 1000);
      session.close();
    }
    const what = `from nothing to ${kernels} prompts, ${hosts === 1 ? 'one host' : `${hosts} hosts`}, no screen, wall`;
    figures.push(
      { what, value: `${median(times).toFixed(0)} ms` },
      { what: '  processor time meanwhile, of all threads', value: `${median(used).toFixed(0)} ms` },
    );
  }
  return figures;
}

/** Share of one core that the idle machine takes at a virtual second per second, all threads of this process together. */
export async function idle(): Promise<Figure[]> {
  return [...(await idleOn(1)), ...(await idleOn(2))];
}

async function idleOn(hosts: number): Promise<Figure[]> {
  const kernels = kernelsOf(PLAN).length;
  const session = await start(scenario(), { hosts });
  await prompts(session, kernels);
  session.setSpeed(session.topology.hertz);
  const began = performance.now();
  const figures: Figure[] = [];
  for (const settled of SETTLED) {
    await setTimeout(settled * 1000 - (performance.now() - began));
    const [from, virtual, used] = [performance.now(), session.status.now, process.cpuUsage()];
    await setTimeout(IDLE_SECONDS * 1000);
    const { user, system } = process.cpuUsage(used);
    const wall = (performance.now() - from) * 1000;
    const pace = (session.status.now - virtual) / session.topology.hertz / (wall / 1e6);
    figures.push(
      {
        what: `${kernels} idle kernels, ${hosts === 1 ? 'one host' : `${hosts} hosts`}, ${settled} s after their prompts, of one core`,
        value: `${(((user + system) / wall) * 100).toFixed(2)} %`,
      },
      { what: '  virtual seconds a second meanwhile', value: pace.toFixed(2) },
    );
  }
  session.close();
  return figures;
}
