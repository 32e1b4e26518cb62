/** The kernel's log (dmesg): lines with their time, kept in a ring of bounded size. */
import type { Cycles } from './types.ts';

const LINES_MAX = 2000;

export interface LogLine {
  readonly time: Cycles;
  readonly level: number;
  readonly text: string;
}

export class Log {
  readonly lines: LogLine[] = [];
  /** Lines that have been dropped at the front, so that readers keep their place. */
  dropped = 0;
  readonly #hertz: number;

  /** @param hertz cycles per second, for the time stamps */
  constructor(hertz: number) {
    this.#hertz = hertz;
  }

  add(time: Cycles, level: number, text: string): LogLine {
    const line = { time, level, text };
    this.lines.push(line);
    if (this.lines.length > LINES_MAX) {
      this.lines.shift();
      this.dropped++;
    }
    return line;
  }

  /** `[    0.012345] text`, as dmesg prints it. */
  format(line: LogLine): string {
    const micros = Math.floor((line.time * 1e6) / this.#hertz);
    const seconds = String(Math.floor(micros / 1e6)).padStart(5);
    return `[${seconds}.${String(micros % 1e6).padStart(6, '0')}] ${line.text}`;
  }

  /** The whole log as syslog(2) gives it. */
  text(): string {
    return this.lines.map(line => `<${line.level}>${this.format(line)}\n`).join('');
  }
}
