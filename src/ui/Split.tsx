/** Two panes with a bar between them that can be dragged, or moved with arrows. */
import { type ReactNode, useRef, useState } from 'react';

interface Props {
  readonly name: string;
  readonly vertical?: boolean;
  /** Shares of the first pane. */
  readonly initial: number;
  readonly least: number;
  readonly most: number;
  readonly children: readonly [ReactNode, ReactNode];
}

export function Split({ name, vertical = false, initial, least, most, children }: Props) {
  const [share, setShare] = useState(initial);
  const place = useRef<HTMLDivElement>(null);
  const held = useRef(false);
  const set = (next: number): void => setShare(Math.max(least, Math.min(most, next)));
  const percent = `${(share * 100).toFixed(2)}%`;
  return (
    <div
      className="split"
      ref={place}
      data-vertical={vertical}
      style={vertical ? { gridTemplateRows: `${percent} 5px minmax(0, 1fr)` } : { gridTemplateColumns: `${percent} 5px minmax(0, 1fr)` }}
    >
      {children[0]}
      <div
        className="split-bar"
        role="separator"
        tabIndex={0}
        aria-label={name}
        aria-orientation={vertical ? 'horizontal' : 'vertical'}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={least * 100}
        aria-valuemax={most * 100}
        onPointerDown={event => {
          held.current = true;
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={event => {
          const box = place.current?.getBoundingClientRect();
          if (held.current && box) set(vertical ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width);
        }}
        onPointerUp={() => {
          held.current = false;
        }}
        onDoubleClick={() => setShare(initial)}
        onKeyDown={event => {
          const by = { ArrowLeft: -0.03, ArrowUp: -0.03, ArrowRight: 0.03, ArrowDown: 0.03 }[event.key];
          if (by !== undefined) set(share + by);
          else if (event.key === 'Home') setShare(initial);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      {children[1]}
    </div>
  );
}
