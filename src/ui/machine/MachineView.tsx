/**
 * The machine: packages, nodes, caches and cores as lstopo nests them; on top whose they are, how busy they are, and what passes between
 * them. Before power-on cores are brushed into partitions; memory and devices are dragged from kernel to kernel, and once it runs processes and cores.
 */
import { useEffect, useMemo, useRef, useState } from 'react';
import { memoryMap } from '../../machine/layout.ts';
import { sizeText } from '../../machine/topology/text.ts';
import { useLab } from '../store.ts';
import { KernelBar } from './KernelBar.tsx';
import { layoutMachine } from './layout.ts';
import { placesOf } from './owners.ts';
import { PlanBar } from './PlanBar.tsx';
import { Scene } from './Scene.tsx';
import { Dots } from './Traffic.tsx';
import './machine.css';

export function MachineView() {
  const topology = useLab(s => s.topology);
  const plan = useLab(s => s.plan);
  const running = useLab(s => s.session !== null);
  const projector = useLab(s => s.projector);
  const caches = useLab(s => s.scenario.caches ?? true);
  const place = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 680, height: 380 });
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const line = projector ? 19 : size.width > 900 ? 16 : 14;
  const alone = topology.nodes.length > 0 && (plan?.partitions.length ?? 0) > topology.nodes.length * 2;
  const layout = useMemo(
    () => layoutMachine(topology, size.width, size.height, line, running && !alone),
    [topology, size, line, running, alone],
  );
  const places = useMemo(() => placesOf(plan, layout), [plan, layout]);
  const total = memoryMap(topology).nodes.reduce((sum, node) => sum + node.bytes, 0);
  return (
    <section className="panel machine" aria-label="Machine" data-pane="machine">
      <header className="panel-head">
        <h2>Machine</h2>
        <span className="muted">
          {caches ? '' : 'caches off · '}
          {topology.model} · {topology.cores.length} cores · {topology.nodes.length} node{topology.nodes.length === 1 ? '' : 's'} ·{' '}
          {sizeText(total)} (scaled)
        </span>
      </header>
      <div className="machine-place" ref={place}>
        <Scene layout={layout} places={places} />
        {running && <Dots layout={layout} places={places} />}
      </div>
      {running ? <KernelBar /> : <PlanBar />}
    </section>
  );
}
