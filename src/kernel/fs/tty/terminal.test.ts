import { describe, expect, it } from 'vitest';
import { E } from '../../abi/errno.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { CC, LFLAG } from '../../abi/termios.ts';
import { toBytes } from '../bytes.ts';
import { BUFFER, FsLab } from '../testing.ts';

/** A session leader (process 1) with the console as descriptor 0 and controlling terminal. */
function session() {
  const lab = new FsLab();
  const shell = lab.process(1);
  expect(lab.call(shell, 'openat', -100, '/dev/console', 2, 0)).toBe(0);
  const type = (text: string): void => {
    lab.files.console.input(toBytes(text));
    lab.wake();
  };
  const shown = (): string => lab.printed.splice(0).join('');
  return { lab, shell, type, shown, terminal: lab.files.console };
}

describe('a terminal in canonical mode', () => {
  it('gives whole lines, edited', () => {
    const { lab, shell, type, shown } = session();
    const reader = lab.start(shell, 'read', 0, BUFFER, 100);
    type('helpo\x7f\x7flo wrold\x17world');
    expect(reader.done).toBe(false);
    type('\r');
    expect(lab.at(BUFFER, reader.result as number)).toBe('hello world\n');
    expect(shown()).toBe('helpo\b \b\b \blo wrold\b \b\b \b\b \b\b \b\b \bworld\r\n');
  });

  it('takes a whole character back, and shows control characters with a caret', () => {
    const { lab, shell, type, shown } = session();
    type('a\xc3\xa4\x7f\x01\x7f\r');
    expect(lab.call(shell, 'read', 0, BUFFER, 100)).toBe(2);
    expect(shown()).toBe('a\xc3\xa4\b \b^A\b \b\b \b\r\n');
  });

  it('ends at ^D, and gives what was typed before it', () => {
    const { lab, shell, type } = session();
    type('ab\x04\x04');
    expect(lab.call(shell, 'read', 0, BUFFER, 100)).toBe(2);
    expect(lab.call(shell, 'read', 0, BUFFER, 100)).toBe(0);
  });

  it('keeps the rest of a line for the next read', () => {
    const { lab, shell, type } = session();
    type('abc\rd\r');
    expect(lab.call(shell, 'read', 0, BUFFER, 2)).toBe(2);
    expect(lab.call(shell, 'read', 0, BUFFER, 9)).toBe(2);
    expect(lab.call(shell, 'ioctl', 0, IOCTL.FIONREAD, BUFFER)).toBe(0);
    expect(lab.memory[BUFFER]).toBe(2);
  });

  it('prints with carriage returns, and stops at ^S', () => {
    const { lab, shell, type, shown } = session();
    lab.call(shell, 'write', 0, 'a\nb', 3);
    expect(shown()).toBe('a\r\nb');
    type('\x13');
    const writer = lab.start(shell, 'write', 0, 'c', 1);
    expect(writer.done).toBe(false);
    type('\x11');
    expect(writer.result).toBe(1);
  });
});

describe('a terminal in raw mode', () => {
  it('gives bytes as they come, by VMIN and VTIME', () => {
    const { lab, shell, type, terminal } = session();
    terminal.termios.local &= ~(LFLAG.ICANON | LFLAG.ECHO | LFLAG.ISIG);
    const one = lab.start(shell, 'read', 0, BUFFER, 10);
    type('\x03');
    expect(one.result).toBe(1);
    terminal.termios.characters[CC.MIN] = 3;
    const three = lab.start(shell, 'read', 0, BUFFER, 10);
    type('ab');
    expect(three.done).toBe(false);
    type('c');
    expect(three.result).toBe(3);
    terminal.termios.characters.set([5, 0], CC.TIME);
    const none = lab.start(shell, 'read', 0, BUFFER, 10);
    lab.time += 500_000;
    lab.wake();
    expect(none.result).toBe(0);
  });
});

describe('job control', () => {
  it('sends ^C, ^\\ and ^Z to the foreground group', () => {
    const { lab, type, shown } = session();
    type('abc\x03');
    type('\x1a');
    expect(lab.signals).toEqual([
      [1, 2],
      [1, 20],
    ]);
    expect(shown()).toBe('abc^C^Z');
  });

  it('stops a background group that reads, unless that is of no use', () => {
    const { lab, shell } = session();
    const job = lab.process(2, 2, 1);
    job.process.files.add(shell.process.files.get(0), false, 10);
    expect(lab.call(job, 'read', 0, BUFFER, 1)).toBe(-E.RESTARTSYS);
    expect(lab.signals).toEqual([[2, 21]]);
    expect(lab.call(job, 'write', 0, 'x', 1)).toBe(1);
    lab.orphans.add(2);
    expect(lab.call(job, 'read', 0, BUFFER, 1)).toBe(-E.IO);
    lab.orphans.clear();
    // A shell in the background ignores SIGTTOU and takes the terminal back.
    lab.memory.set([2, 0, 0, 0], BUFFER);
    expect(lab.call(shell, 'ioctl', 0, IOCTL.TIOCSPGRP, BUFFER)).toBe(0);
    lab.memory.set([1, 0, 0, 0], BUFFER);
    expect(lab.call(shell, 'ioctl', 0, IOCTL.TIOCSPGRP, BUFFER)).toBe(-E.RESTARTSYS);
    (shell.process.actions[22] as { handler: number }).handler = 1;
    expect(lab.call(shell, 'ioctl', 0, IOCTL.TIOCSPGRP, BUFFER)).toBe(0);
  });

  it('tells the foreground group of a new size, and of a hangup', () => {
    const { lab, shell, terminal } = session();
    terminal.resize(132, 50);
    expect(lab.call(shell, 'ioctl', 0, IOCTL.TIOCGWINSZ, BUFFER)).toBe(0);
    expect([...lab.memory.subarray(BUFFER, BUFFER + 4)]).toEqual([50, 0, 132, 0]);
    terminal.hangup();
    expect(lab.signals).toEqual([
      [1, 28],
      [1, 1],
      [1, 18],
    ]);
    expect(lab.call(shell, 'read', 0, BUFFER, 1)).toBe(0);
    expect(lab.call(shell, 'write', 0, 'x', 1)).toBe(-E.IO);
  });

  it('is found as /dev/tty by its session only', () => {
    const { lab, shell } = session();
    expect(lab.call(shell, 'openat', -100, '/dev/tty', 2, 0)).toBe(1);
    expect(lab.call(lab.process(5), 'openat', -100, '/dev/tty', 2, 0)).toBe(-E.NXIO);
  });
});

describe('a pseudo terminal', () => {
  it('joins a master to a terminal', () => {
    const lab = new FsLab();
    const ctx = lab.process(7);
    const master = lab.call(ctx, 'openat', -100, '/dev/ptmx', 2, 0);
    expect(lab.call(ctx, 'openat', -100, '/dev/pts/0', 2, 0)).toBe(-E.IO);
    lab.memory.fill(0, BUFFER, BUFFER + 4);
    lab.call(ctx, 'ioctl', master, IOCTL.TIOCSPTLCK, BUFFER);
    const slave = lab.call(ctx, 'openat', -100, '/dev/pts/0', 2, 0);
    lab.call(ctx, 'write', master, 'ls\r', 3);
    expect(lab.call(ctx, 'read', slave, BUFFER, 10)).toBe(3);
    lab.call(ctx, 'write', slave, 'x\n', 2);
    expect(lab.call(ctx, 'read', master, BUFFER, 10)).toBe(7);
    expect(lab.at(BUFFER, 7)).toBe('ls\r\nx\r\n');
    lab.call(ctx, 'close', slave);
    expect(lab.call(ctx, 'read', master, BUFFER, 10)).toBe(-E.IO);
    lab.call(ctx, 'close', master);
    expect(lab.names(ctx, '/dev/pts')).toEqual(['.', '..', 'ptmx']);
  });
});
