/** A row of tabs; arrows go along it. */
interface Props<T extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly id: T; readonly label: string }[];
  readonly chosen: T;
  /** Id of the element that shows what is chosen. */
  readonly controls: string;
  readonly choose: (id: T) => void;
}

export function Tabs<T extends string>({ label, tabs, chosen, controls, choose }: Props<T>) {
  return (
    <div
      role="tablist"
      aria-label={label}
      className="tabs"
      onKeyDown={event => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by === undefined) return;
        const next = tabs[(tabs.findIndex(({ id }) => id === chosen) + by + tabs.length) % tabs.length];
        if (next) {
          choose(next.id);
          event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
        }
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {tabs.map(({ id, label: name }) => (
        <button
          key={id}
          role="tab"
          type="button"
          data-tab={id}
          aria-selected={chosen === id}
          aria-controls={controls}
          tabIndex={chosen === id ? 0 : -1}
          onClick={() => choose(id)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
