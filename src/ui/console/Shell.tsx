/** A kernel's terminal in its place on the page. The terminal lives on when it is shown elsewhere. */
import { useEffect, useRef } from 'react';
import { kernelName, STATE } from '../kernels.ts';
import { consoles, useLab } from '../store.ts';

export function Shell({ kernel, focus }: { kernel: number; focus: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const session = useLab(s => s.session);
  const up = useLab(s => s.session?.trace.kernels.get(kernel)?.state === STATE.Up);
  useEffect(() => {
    const element = place.current;
    if (element === null || session === null) return;
    const console = consoles.of(kernel);
    if (console.opened && console.terminal.element) element.append(console.terminal.element);
    else console.terminal.open(element);
    console.opened = true;
    const fill = (): void => {
      if (element.clientWidth > 40 && element.clientHeight > 20) console.fit.fit();
    };
    fill();
    const observer = new ResizeObserver(fill);
    observer.observe(element);
    return () => observer.disconnect();
  }, [kernel, session]);
  useEffect(() => {
    if (!up) return;
    const { terminal } = consoles.of(kernel);
    session?.input(kernel, { kind: 'resize', columns: terminal.cols, rows: terminal.rows });
    // Only where nothing else has the focus: who is at work elsewhere stays there.
    if (focus && (document.activeElement === document.body || document.activeElement === null)) terminal.focus();
  }, [up, kernel, session]);
  return (
    <div
      className="shell"
      ref={place}
      role="group"
      aria-label={`Shell of ${kernelName(kernel)}`}
      onPointerUp={() => consoles.of(kernel).terminal.focus()}
    />
  );
}
