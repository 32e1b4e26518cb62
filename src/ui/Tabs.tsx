/** A row of tabs; arrows go along it. */
interface Props<T extends string> {
  readonly label: string;
  /** `short`: what stands on it, where its name is too long. */
  readonly tabs: readonly { readonly id: T; readonly label: string; readonly short?: string }[];
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
      {tabs.map(({ id, label: name, short }) => (
        <button
          key={id}
          role="tab"
          type="button"
          data-tab={id}
          aria-label={short === undefined ? undefined : name}
          title={short === undefined ? undefined : name}
          aria-selected={chosen === id}
          aria-controls={controls}
          tabIndex={chosen === id ? 0 : -1}
          onClick={() => choose(id)}
        >
          {short ?? name}
        </button>
      ))}
    </div>
  );
}
