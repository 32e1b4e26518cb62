/** The keys, from the list of actions, and a few words on what can be done here. */
import { useEffect, useRef } from 'react';
import { ACTIONS } from './actions.ts';
import { useLab } from './store.ts';

const GROUPS = ['Time', 'Kernels', 'Processor', 'Views', 'Files'] as const;

export function Help() {
  const select = useLab(s => s.select);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    // The button that has the focus stands at the end.
    if (element !== null) element.scrollTop = 0;
    return () => {
      element?.close();
      if (before instanceof HTMLElement || before instanceof SVGElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="help-card"
      aria-labelledby="help-title"
      onClose={() => select({ help: false })}
      onCancel={() => select({ help: false })}
    >
      <h2 id="help-title">Keys and help</h2>
      <div className="help-groups">
        {GROUPS.map(group => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {ACTIONS.filter(each => each.group === group && each.shown !== '').map(({ id, name, shown }) => (
                <div key={id} className="pair">
                  <dt>
                    <kbd>{shown}</kbd>
                  </dt>
                  <dd>{name}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className="muted">
        <b>Machine, before power-on:</b> drag over cores, or arrows and space, then Enter for a new kernel or a digit for one that is there.{' '}
        <b>While it runs:</b> drag a process to another kernel, or choose it and press M and the number; so with the disk and the card, and
        with memory (the bar at a node’s foot; a click or M asks for another size), also before. Round dots are messages, square ones
        packets.
      </p>
      <p className="muted">
        <b>Space-time:</b> wheel or W S zooms, drag or A D moves, F follows, comma and full stop go from message to message, a click on an
        arrow shows what it says.
      </p>
      <p className="muted">
        <b>Processor:</b> hold a process, then step it by instruction; a click or Enter on a line of code sets a breakpoint. <b>Files:</b>{' '}
        drop a RISC-V program or any file on the page and it is in /mnt; drop hwloc XML and it is the machine; drop a recording and it
        plays. Single keys don’t act in a console: F6 leads out of it.
      </p>
      <button type="button" className="primary" onClick={() => select({ help: false })}>
        Close
      </button>
    </dialog>
  );
}
