/** What passes each port of the switch, and the wire; of the chosen kernel's port, over time: throughput, its rings, interrupts and polls. */
import { ipText } from '../../kernel/net/address.ts';
import { addressOfKernel, CARD_DESCRIPTORS, CLIENT_ADDRESS, CLIENT_KERNEL } from '../../kernel/net/parameters.ts';
import { timeText } from '../../lab/time.ts';
import type { NetworkTable, PortTally } from '../../lab/trace/network.ts';
import { LEVELS, STEPS } from '../../lab/trace/series.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelName } from '../kernels.ts';
import { Line, Lines } from '../list/Lines.tsx';
import { useLab } from '../store.ts';
import { useSuitedLevel } from './pace.ts';
import { Chart, largest, Spark } from './Chart.tsx';
import { bytesRateText, countText, rateText } from './texts.ts';
import { useNetwork } from './view.ts';

const COLUMNS = [
  { name: 'port' },
  { name: 'address', className: 'roomy' },
  { name: 'sent', className: 'roomy number' },
  { name: 'received', className: 'roomy number' },
  { name: 'throughput', title: 'Bytes over time: sent above, received below; all ports on one scale' },
  { name: 'rings', title: 'Packets in the ring to the hub above, in the one from it below; the scale is all slots' },
  { name: 'most', title: 'The most packets that a ring held in this time', className: 'number' },
  { name: 'dropped', className: 'number' },
  { name: 'frames/s', title: 'Of the last second of virtual time', className: 'number' },
  { name: 'irq/s', title: 'Interrupts, of the last second of virtual time', className: 'number' },
  { name: 'polls/s', title: 'Of the last second of virtual time', className: 'number' },
  { name: 'a poll', title: 'Packets that a poll took, since power-on', className: 'number' },
] as const;

const NOTHING = new Float64Array(STEPS);

export function Ports({ network }: { network: NetworkTable }) {
  useLab(s => s.tick);
  const { status, topology, session, kernel: chosen, select } = useLab();
  const { level: wanted, choose } = useNetwork();
  const now = status?.now ?? 0;
  const { hertz } = topology;
  const suited = useSuitedLevel(now);
  const level = wanted ?? suited;
  const slots = network.switch?.slots ?? 64;
  const ports = [...network.ports].sort(([a], [b]) => a - b).filter(([kernel]) => kernel !== CLIENT_KERNEL);
  const { wire } = network;
  const hasWire = session?.client != null || wire.sent.total > 0;
  const rows = ports.map(([kernel, port]) => ({
    kernel,
    port,
    sent: port.sentBytes.rates(now, level, hertz),
    received: port.receivedBytes.rates(now, level, hertz),
    toHub: port.toHub.last(now, level),
    fromHub: port.fromHub.last(now, level),
  }));
  const wireSent = hasWire ? wire.sentBytes.rates(now, level, hertz) : NOTHING;
  const wireReceived = hasWire ? wire.receivedBytes.rates(now, level, hertz) : NOTHING;
  const most = Math.max(
    largest(wireSent),
    largest(wireReceived),
    ...rows.map(({ sent, received }) => Math.max(largest(sent), largest(received))),
  );
  const spanText = (each: number): string => roundText(STEPS * (LEVELS[each] as number), hertz);
  const span = (
    <label className="net-span">
      <span className="muted">last</span>{' '}
      <select
        aria-label="How far back charts look"
        value={wanted ?? 'suited'}
        onChange={event => choose({ level: event.target.value === 'suited' ? null : Number(event.target.value) })}
      >
        <option value="suited">{spanText(suited)}, as it runs</option>
        {LEVELS.map((length, each) => (
          <option key={length} value={each}>
            {spanText(each)}
          </option>
        ))}
      </select>
    </label>
  );
  const ends = [`−${spanText(level)}`, 'now'] as const;
  const shown = ports.find(([kernel]) => kernel === chosen)?.[1];
  const isWire = chosen === CLIENT_KERNEL && hasWire;
  return (
    <>
      <Lines
        label="Ports of the switch"
        className="port-list"
        columns={COLUMNS}
        last={undefined}
        chosen={chosen}
        empty={ports.length === 0 ? 'No kernel is on the switch yet.' : null}
      >
        {hasWire && (
          <Line chosen={isWire} choose={() => session?.client != null && select({ kernel: CLIENT_KERNEL })}>
            <td>wire</td>
            <td className="mono roomy">{ipText(CLIENT_ADDRESS)}</td>
            <td className="number roomy">{countText(wire.sent.total, wire.sentBytes.total)}</td>
            <td className="number roomy">{countText(wire.received.total, wire.receivedBytes.total)}</td>
            <td>
              <Spark
                up={wireSent}
                down={wireReceived}
                most={most}
                kernel={CLIENT_KERNEL}
                label={`The wire: sent at most ${bytesRateText(largest(wireSent))}, received at most ${bytesRateText(largest(wireReceived))}`}
              />
            </td>
            <td>
              <Spark
                up={NOTHING}
                down={wire.queue.last(now, level)}
                most={CARD_DESCRIPTORS}
                kernel={CLIENT_KERNEL}
                label={`The card's queue: at most ${largest(wire.queue.last(now, level))} of ${CARD_DESCRIPTORS}`}
              />
            </td>
            <td className="number">{largest(wire.queue.last(now, level)) || '–'}</td>
            <Dropped count={wire.dropped} />
            <td className="number">{rateText(wire.sent.rate(now, hertz) + wire.received.rate(now, hertz))}</td>
            <td />
            <td />
            <td />
          </Line>
        )}
        {rows.map(({ kernel, port, sent, received, toHub, fromHub }) => {
          const filled = Math.max(largest(toHub), largest(fromHub));
          return (
            <Line key={kernel} chosen={kernel === chosen} choose={() => select({ kernel })}>
              <td>
                <KernelDot kernel={kernel} />
                {network.switch?.hub === kernel && <span className="muted"> hub</span>}
              </td>
              <td className="mono roomy">{ipText(addressOfKernel(kernel))}</td>
              <td className="number roomy">{countText(port.sent.total, port.sentBytes.total)}</td>
              <td className="number roomy">{countText(port.received.total, port.receivedBytes.total)}</td>
              <td>
                <Spark
                  {...{ most, kernel }}
                  up={sent}
                  down={received}
                  label={`${kernelName(kernel)} sent at most ${bytesRateText(largest(sent))}, received at most ${bytesRateText(largest(received))}`}
                />
              </td>
              <td>
                {network.switch?.hub !== kernel && (
                  <Spark
                    up={toHub}
                    down={fromHub}
                    most={slots}
                    kernel={kernel}
                    label={`Rings of ${kernelName(kernel)}: at most ${filled} of ${slots} slots`}
                  />
                )}
              </td>
              <td className="number">{filled || '–'}</td>
              <Dropped count={port.dropped} />
              <td className="number">{rateText(port.sent.rate(now, hertz) + port.received.rate(now, hertz))}</td>
              <td className="number">{rateText(port.interrupts.rate(now, hertz))}</td>
              <td className="number">{rateText(port.polls.rate(now, hertz))}</td>
              <td className="number">{port.polls.total > 0 ? (port.polled / port.polls.total).toFixed(1) : '–'}</td>
            </Line>
          );
        })}
      </Lines>
      <section className="net-charts" aria-label={isWire ? 'The wire over time' : `The port of ${kernelName(chosen)} over time`}>
        <header>
          {isWire ? (
            <>
              <b>wire</b> <span className="mono">{ipText(CLIENT_ADDRESS)}</span>
            </>
          ) : (
            <>
              <KernelDot kernel={chosen} /> <span className="mono">{ipText(addressOfKernel(chosen))}</span>
            </>
          )}
          <span className="muted">{isWire ? totals(wire) : shown === undefined ? 'not on the switch' : totals(shown)}</span>
          {span}
        </header>
        {isWire && (
          <div className="chart-row">
            <Chart
              title="Throughput"
              kernel={CLIENT_KERNEL}
              ends={ends}
              show={bytesRateText}
              lines={[
                { name: 'to the client', values: wireSent, look: 'area' },
                { name: 'from it', values: wireReceived, look: 'area', down: true },
              ]}
            />
            <Chart
              title="Card"
              kernel={CLIENT_KERNEL}
              ends={ends}
              most={CARD_DESCRIPTORS}
              show={String}
              lines={[{ name: 'waiting', values: wire.queue.last(now, level), look: 'area' }]}
            />
          </div>
        )}
        {shown !== undefined && (
          <PortCharts port={shown} kernel={chosen} isHub={network.switch?.hub === chosen} {...{ now, level, hertz, slots, ends }} />
        )}
      </section>
    </>
  );
}

/** `2 s`, `240 ms`: a duration with two digits. */
function roundText(cycles: number, hertz: number): string {
  const seconds = Number((cycles / hertz).toPrecision(2));
  return timeText(seconds, 1).replace(/\.0+ |(\.\d)0 /, '$1 ');
}

const totals = ({
  sent,
  sentBytes,
  received,
  receivedBytes,
}: Pick<PortTally, 'sent' | 'sentBytes' | 'received' | 'receivedBytes'>): string =>
  `sent ${countText(sent.total, sentBytes.total)}, received ${countText(received.total, receivedBytes.total)}`;

const Dropped = ({ count }: { count: number }) => <td className={count > 0 ? 'number bad' : 'number'}>{count || '–'}</td>;

interface PortChartsProps {
  readonly port: PortTally;
  readonly kernel: number;
  readonly isHub: boolean;
  readonly now: number;
  readonly level: number;
  readonly hertz: number;
  readonly slots: number;
  readonly ends: readonly [string, string];
}

function PortCharts({ port, kernel, isHub, now, level, hertz, slots, ends }: PortChartsProps) {
  const shared = { kernel, ends };
  return (
    <div className="chart-row">
      <Chart
        {...shared}
        title="Throughput"
        show={bytesRateText}
        lines={[
          { name: 'sent', values: port.sentBytes.rates(now, level, hertz), look: 'area' },
          { name: 'received', values: port.receivedBytes.rates(now, level, hertz), look: 'area', down: true },
        ]}
      />
      {!isHub && (
        <Chart
          {...shared}
          title="Rings"
          most={slots}
          show={String}
          lines={[
            { name: 'to the hub', values: port.toHub.last(now, level), look: 'area' },
            { name: 'from it', values: port.fromHub.last(now, level), look: 'area', down: true },
          ]}
        />
      )}
      <Chart
        {...shared}
        title="Noticed by"
        show={value => `${rateText(value)}/s`}
        lines={[
          { name: 'interrupts', values: port.interrupts.rates(now, level, hertz), look: 'line' },
          { name: 'polls', values: port.polls.rates(now, level, hertz), look: 'dashed' },
        ]}
      />
    </div>
  );
}
