/** The virtual switch and the cable: how they are set. Choices here are orders, as they could be typed. */
import { SWITCH_VERSIONS } from '../../kernel/net/switch/settings.ts';
import type { NetworkTable } from '../../lab/trace/network.ts';
import { KernelDot } from '../KernelDot.tsx';
import { useLab } from '../store.ts';

/** What can be chosen of the cable: what is shown, and the order's words. */
const LOSSES = [0, 100, 1000, 10_000, 50_000, 200_000] as const;
const DELAYS = [500, 5000, 50_000, 1_000_000, 20_000_000] as const;
const RATES = [10, 100, 1000, 10_000] as const;

const lossText = (millionths: number): string => `${millionths / 10_000}%`;
const delayText = (nanoseconds: number): string => (nanoseconds >= 1e6 ? `${nanoseconds / 1e6} ms` : `${nanoseconds / 1e3} µs`);
const rateText = (megabits: number): string => (megabits >= 1000 ? `${megabits / 1000} Gb/s` : `${megabits} Mb/s`);

export function Settings({ network }: { network: NetworkTable }) {
  useLab(s => s.tick);
  const order = useLab(s => s.order);
  const { switch: settings, link } = network;
  if (settings === null) return <p className="net-settings muted">No kernel has told of a switch yet.</p>;
  return (
    <div className="net-settings">
      <span className="joined-choice" role="group" aria-label="How the switch carries packets">
        {SWITCH_VERSIONS.map(version => (
          <button
            key={version}
            type="button"
            aria-pressed={settings.version === version}
            aria-label={`Switch: version ${version}`}
            title={VERSION_TITLES[version]}
            onClick={() => order(`switch ${version}`)}
          >
            {version}
          </button>
        ))}
      </span>
      <span className="muted net-facts">
        {settings.hub === null ? 'no hub' : <>hub </>}
        {settings.hub !== null && <KernelDot kernel={settings.hub} />} {settings.slots} slots · budget {settings.budget}
      </span>
      {link !== null && (
        <span className="net-link" role="group" aria-label="The cable">
          <button
            type="button"
            aria-label={link.up ? 'Pull the cable' : 'Plug the cable in'}
            onClick={() => order(link.up ? 'link down' : 'link up')}
          >
            {link.up ? 'Pull cable' : 'Plug in'}
          </button>
          <Choice name="Link: rate" value={link.rate} of={RATES} show={rateText} choose={value => order(`link rate ${value}M`)} />
          <Choice name="Link: delay" value={link.delay} of={DELAYS} show={delayText} choose={value => order(`link delay ${value}ns`)} />
          <Choice
            name="Link: frames lost"
            value={link.loss}
            of={LOSSES}
            show={value => `loss ${lossText(value)}`}
            choose={value => order(`link loss ${lossText(value)}`)}
          />
        </span>
      )}
    </div>
  );
}

const VERSION_TITLES = {
  user: 'A program on each kernel carries, between two descriptors',
  kernel: 'A thread of each kernel carries, through its TAP device',
  rings: 'Rings in shared memory: an interrupt, then polling',
} as const;

function Choice({
  name,
  value,
  of,
  show,
  choose,
}: {
  name: string;
  value: number;
  of: readonly number[];
  show: (value: number) => string;
  choose: (value: number) => void;
}) {
  const all = of.includes(value) ? of : [...of, value].sort((a, b) => a - b);
  return (
    <select aria-label={name} title={name} value={value} onChange={event => choose(Number(event.target.value))}>
      {all.map(each => (
        <option key={each} value={each}>
          {show(each)}
        </option>
      ))}
    </select>
  );
}
