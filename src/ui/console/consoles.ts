/**
 * The text of all consoles: an xterm for each kernel's shell, lines of its log. Kept outside React, as bytes come in any number and terminals
 * live longer than the elements that show them.
 */
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { Session } from '../../lab/session.ts';

interface Console {
  readonly terminal: Terminal;
  readonly fit: FitAddon;
  opened: boolean;
  log: string;
}

const LOG_MAX = 60_000;
const decoder = new TextDecoder();

export class Consoles {
  readonly #consoles = new Map<number, Console>();
  readonly #type: (kernel: number, bytes: Uint8Array) => void;
  readonly #resize: (kernel: number, columns: number, rows: number) => void;
  #stop: (() => void) | null = null;
  #theme: Record<string, string> = {};
  #fontSize = 14;
  /** Changes with every output. */
  version = 0;

  constructor(type: (kernel: number, bytes: Uint8Array) => void, resize: (kernel: number, columns: number, rows: number) => void) {
    this.#type = type;
    this.#resize = resize;
  }

  attach(session: Session): void {
    this.clear();
    this.#stop = session.listen({
      output: (kernel, port, _time, bytes) => {
        this.version++;
        if (port === 0) this.of(kernel).terminal.write(bytes);
        // Of a scenario's program, which has no terminal to make its ends of lines.
        else if (port === 1 || port === 2) this.of(kernel).terminal.write(decoder.decode(bytes).replace(/\r?\n/g, '\r\n'));
        else if (port === 3) {
          const each = this.of(kernel);
          each.log = (each.log + decoder.decode(bytes)).slice(-LOG_MAX);
        }
      },
    });
  }

  clear(): void {
    this.#stop?.();
    this.#stop = null;
    for (const { terminal } of this.#consoles.values()) terminal.dispose();
    this.#consoles.clear();
  }

  of(kernel: number): Console {
    let found = this.#consoles.get(kernel);
    if (found === undefined) {
      const terminal = new Terminal({
        fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
        fontSize: this.#fontSize,
        cursorBlink: false,
        scrollback: 2000,
        theme: this.#theme,
        screenReaderMode: false,
      });
      const fit = new FitAddon();
      terminal.loadAddon(fit);
      terminal.onData(text => this.#type(kernel, new TextEncoder().encode(text)));
      terminal.onBinary(text =>
        this.#type(
          kernel,
          Uint8Array.from(text, c => c.charCodeAt(0)),
        ),
      );
      terminal.onResize(({ cols, rows }) => this.#resize(kernel, cols, rows));
      // The page's own F-keys (actions.ts) lead out of the console.
      terminal.attachCustomKeyEventHandler(event => !/^F[1689]$/.test(event.key));
      found = { terminal, fit, opened: false, log: '' };
      this.#consoles.set(kernel, found);
    }
    return found;
  }

  log(kernel: number): string {
    return this.#consoles.get(kernel)?.log ?? '';
  }

  /** The last lines of a shell that have text, for the wall. */
  tail(kernel: number, count: number): string[] {
    const buffer = this.#consoles.get(kernel)?.terminal.buffer.active;
    if (buffer === undefined) return [];
    const lines: string[] = [];
    for (let row = buffer.baseY + buffer.cursorY; row >= 0 && lines.length < count; row--)
      lines.unshift(buffer.getLine(row)?.translateToString(true) ?? '');
    return lines;
  }

  setLook(theme: Record<string, string>, fontSize: number): void {
    this.#theme = theme;
    this.#fontSize = fontSize;
    for (const { terminal, fit, opened } of this.#consoles.values()) {
      terminal.options.theme = theme;
      terminal.options.fontSize = fontSize;
      if (opened) fit.fit();
    }
  }
}
