/** One core: its number, whose it is, and how busy it was just now. */
import { memo } from 'react';
import { kernelGroup, kernelName, kernelStyle } from '../kernels.ts';
import type { CoreBox } from './layout.ts';

interface Props {
  readonly box: CoreBox;
  readonly kernel: number | undefined;
  readonly state: number;
  /** The kernel's label stands in here: the node isn't all its own. */
  readonly labelled: boolean;
  readonly line: number;
  readonly picked: boolean;
  /** 0 … 1 */
  readonly load: number;
  /** Name of what runs. */
  readonly running: string;
}

export const CoreCell = memo(function CoreCell({ box, kernel, state, labelled, line, picked, load, running }: Props) {
  const { x, y, width, height, core } = box;
  const group = kernel === undefined ? 0 : kernelGroup(kernel);
  const filled = Math.round(height * load);
  const label = `core ${core}${kernel === undefined ? ', in no kernel' : `, ${kernelName(kernel)}`}${load > 0 ? `, ${Math.round(load * 100)} % busy` : ''}${running === '' ? '' : `, runs ${running}`}`;
  const middle = x + width / 2;
  /** Something stands below the kernel's label. */
  const shared = height > 2 * line || (running !== '' && running !== 'sh');
  const named = running !== '' && !labelled && height > 2.4 * line && width > 3 * line;
  return (
    <g className="core" data-picked={picked} data-state={state} data-core={core} aria-label={label} role="img" style={kernelStyle(kernel)}>
      <title>{label}</title>
      <rect x={x} y={y} width={width} height={height} rx={4} className={kernel === undefined ? 'core-box free' : 'core-box'} />
      {group > 0 && (
        <rect x={x} y={y} width={width} height={height} rx={4} fill={`url(#group${Math.min(7, group)})`} pointerEvents="none" />
      )}
      {load > 0.004 && (
        <rect
          x={x}
          y={y + height - filled}
          width={width}
          height={filled}
          rx={Math.min(4, filled / 2)}
          className="load"
          pointerEvents="none"
        />
      )}
      {labelled ? (
        <>
          <text
            x={middle}
            y={y + (shared ? Math.min(height * 0.45, line * 1.15) : height / 2 + line * 0.34)}
            textAnchor="middle"
            className="core-kernel"
          >
            k{kernel}
          </text>
          {height > 2 * line && (
            <text x={middle} y={y + height - line * 0.4} textAnchor="middle" className="core-sub">
              {running === '' || running === 'sh' ? core : ''}
            </text>
          )}
        </>
      ) : (
        <text x={middle} y={y + height / 2 + (named ? -line * 0.05 : line * 0.34)} textAnchor="middle" className="core-number">
          {core}
        </text>
      )}
      {named && (
        <text x={middle} y={y + height / 2 + line * 0.85} textAnchor="middle" className="core-sub">
          {running.slice(0, Math.floor(width / (line * 0.48)))}
        </text>
      )}
    </g>
  );
});
