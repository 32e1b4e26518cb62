/** What the two ends of a TCP connection said, each in the colour of its kernel and with its arrow; to be copied and saved. */
import { useMemo, useState } from 'react';
import { bytesOf, followStream, type StreamPart } from '../../lab/stream.ts';
import type { NetworkTable, PacketRow } from '../../lab/trace/network.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelStyle } from '../kernels.ts';
import { useLab } from '../store.ts';
import { hexText, plainText } from './hex.ts';
import { bytesText, kernelOfAddress } from './texts.ts';
import { useNetwork } from './view.ts';

/** Bytes of a stream that are drawn; all are saved. */
const SHOWN = 200_000;
const ARROWS = ['→', '←'] as const;

type Direction = 'both' | 0 | 1;

export function StreamView({ network, of }: { network: NetworkTable; of: PacketRow }) {
  useLab(s => s.tick);
  const select = useLab(s => s.select);
  const plan = useLab(s => s.plan);
  const owner = (device: string): number | null => plan?.partitions.find(({ devices }) => devices.includes(device))?.kernel ?? null;
  const { choose } = useNetwork();
  const [direction, setDirection] = useState<Direction>('both');
  const [hex, setHex] = useState(false);
  const frames = network.streams.between(of.frame);
  const stream = useMemo(() => followStream(frames, of), [frames, frames.length, of]);
  if (stream === null) return null;
  const kernels = stream.ends.map(end => kernelOfAddress(end.split(':')[0] ?? '', owner));
  const parts = stream.parts.filter(({ from }) => direction === 'both' || from === direction);
  const show = hex ? hexText : plainText;
  const text = (): string => parts.map(part => missingText(part) + show(bytesOf(part))).join('\n');
  const save = (): void => {
    const url = URL.createObjectURL(new Blob(parts.flatMap(({ pieces }) => pieces.map(piece => new Uint8Array(piece)))));
    Object.assign(document.createElement('a'), { href: url, download: `stream-${stream.ends.join('-').replaceAll(':', '.')}.bin` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      select({ notice: { text: 'The stream’s text is in the clipboard.', bad: false } });
    } catch {
      select({ notice: { text: 'The browser gives no clipboard here: use Save.', bad: true } });
    }
  };
  let room = SHOWN;
  return (
    <>
      <div className="filter-bar stream-bar">
        <span className="joined-choice" role="group" aria-label="Whose words">
          {(['both', 0, 1] as const).map(each => (
            <button
              key={each}
              type="button"
              aria-pressed={direction === each}
              title={each === 'both' ? undefined : `Said by ${stream.ends[each]}`}
              onClick={() => setDirection(each)}
            >
              {each === 'both' ? (
                'both'
              ) : (
                <>
                  {kernels[each] != null && <KernelDot kernel={kernels[each]} />} {ARROWS[each]} {bytesText(stream.bytes[each])}
                </>
              )}
            </button>
          ))}
        </span>
        <span className="joined-choice" role="group" aria-label="How bytes are shown">
          <button type="button" aria-pressed={!hex} onClick={() => setHex(false)}>
            text
          </button>
          <button type="button" aria-pressed={hex} onClick={() => setHex(true)}>
            hex
          </button>
        </span>
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <button type="button" onClick={save} title="The bytes as they are">
          Save
        </button>
        <span className="muted stream-ends">
          {stream.ends[0]} ⇄ {stream.ends[1]}
          {stream.again > 0 && ` · ${stream.again} again`}
        </span>
        <button type="button" className="plain" aria-label="Back to the packets" onClick={() => choose({ stream: null })}>
          ×
        </button>
      </div>
      <div className="stream" role="log" aria-label={`Stream of ${stream.ends.join(' and ')}`}>
        {parts.map((part, i) => {
          if (room <= 0) return null;
          const bytes = bytesOf(part, room);
          room -= bytes.length;
          return (
            <section
              key={`${part.time}/${i}`}
              data-from={part.from}
              style={kernelStyle(kernels[part.from] ?? undefined)}
              aria-label={`${stream.ends[part.from]}, ${part.length} bytes`}
            >
              <span aria-hidden="true">{ARROWS[part.from]}</span>
              <pre>
                {part.missing > 0 && <i className="bad">{missingText(part)}</i>}
                {show(bytes)}
              </pre>
            </section>
          );
        })}
        {parts.length === 0 && <p className="empty muted">No bytes have been said yet in the frames that are kept.</p>}
        {room <= 0 && <p className="muted">These are the first {bytesText(SHOWN)}; Save has all.</p>}
      </div>
    </>
  );
}

const missingText = ({ missing }: StreamPart): string => (missing === 0 ? '' : `[${missing} bytes are in no frame that is kept]\n`);
