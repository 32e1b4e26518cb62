/** One message in full: its fields, its bytes, when and why; and the way along causes and effects. */
import { CALL_NAMES } from '../../kernel/abi/calls.ts';
import { CAUSE_NONE, callOfCause } from '../../kernel/message/wire.ts';
import type { MessageRow } from '../../lab/trace-store.ts';
import { clockText } from '../clock.ts';
import { KernelDot } from '../KernelDot.tsx';
import { describeMessage, messageName, underWay } from '../message.ts';
import { useLab } from '../store.ts';

const EFFECTS_SHOWN = 6;

export function MessageDetails({ id }: { id: number }) {
  const { topology, select, session } = useLab();
  useLab(s => s.tick);
  const row = session?.trace.message(id) ?? null;
  if (session === null || row === null) return null;
  const { name, text, fields, fragments } = describeMessage(session.trace, row);
  const cause = session.trace.causeOf(row);
  const effects = session.trace.effectsOf(row);
  return (
    <aside className="details" aria-label="The selected message">
      <header>
        <b className="mono">{name}</b> <KernelDot kernel={row.from} /> → <KernelDot kernel={row.to} />{' '}
        <button type="button" aria-label="Close" onClick={() => select({ message: null })}>
          ×
        </button>
      </header>
      {text !== '' && <p>{text}</p>}
      <dl>
        <dt>sent</dt>
        <dd>
          {clockText(row.sent / topology.hertz, 9)} · number {row.sequence} in its lane
        </dd>
        <dt>under way</dt>
        <dd>{underWay(session.trace, row, topology.hertz) ?? 'still'}</dd>
        <dt>because of</dt>
        <dd>{cause === null ? causeText(row) : <Jump row={cause} />}</dd>
        {effects.length > 0 && (
          <>
            <dt>led to</dt>
            <dd className="jumps">
              {effects.slice(0, EFFECTS_SHOWN).map(each => (
                <Jump key={each.id} row={each} />
              ))}
              {effects.length > EFFECTS_SHOWN && ` and ${effects.length - EFFECTS_SHOWN} more`}
            </dd>
          </>
        )}
        {fragments > 1 && (
          <>
            <dt>fragment</dt>
            <dd>
              {row.fragment + 1} of {fragments}
            </dd>
          </>
        )}
        {fields.map(([key, value]) => (
          <div key={key} className="pair">
            <dt className="mono">{key}</dt>
            <dd className="mono">{value}</dd>
          </div>
        ))}
      </dl>
      <Bytes row={row} />
    </aside>
  );
}

function Jump({ row }: { row: MessageRow }) {
  const select = useLab(s => s.select);
  return (
    <button type="button" className="jump mono" onClick={() => select({ message: row.id })}>
      {messageName(row.type)} {row.from} → {row.to}
    </button>
  );
}

/** As `hexdump -C` has them. */
function Bytes({ row }: { row: MessageRow }) {
  const hex = Array.from(row.bytes, byte => byte.toString(16).padStart(2, '0'));
  const line = (at: number): string =>
    `${at.toString(16).padStart(2, '0')}  ${hex.slice(at, at + 8).join(' ')}  ${hex.slice(at + 8, at + 16).join(' ')}`;
  return (
    <pre role="img" aria-label="Its 64 bytes">
      {[0, 16, 32, 48].map(line).join('\n')}
    </pre>
  );
}

/** What led to it where that is no message that is kept. */
function causeText({ cause, from }: MessageRow): string {
  const call = callOfCause(cause);
  if (call !== null) return `system call ${CALL_NAMES[call.number] ?? call.number} of process ${call.localPid} on kernel ${from}`;
  return cause === CAUSE_NONE ? 'a timer of the kernel' : 'a message that is no longer kept';
}
