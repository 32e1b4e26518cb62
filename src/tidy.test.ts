/**
 * What keeps the house in order: imports point up one list, no clock or chance below the lab, and no merge left half done. Tested on planted
 * offences too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = dirname(new URL(import.meta.url).pathname);
/** A room may use those before it. ui and cli don't know each other. */
const ROOMS = ['machine', 'kernel', 'world', 'lab', 'ui', 'cli'] as const;
type Room = (typeof ROOMS)[number];
/** The two ends of a host's thread, and tools run by hand, live in Node or a browser. */
const OUTSIDE = /(\.test\.tsx?|testing\.ts|-host\.ts|\/bench\.ts|\/harness\.ts|\/oracle\/.*)$/;
const FORBIDDEN =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|crypto)\s*[.(]|\bMath\.random\b|from 'node:|\b(document|navigator|localStorage)\./;

function sources(folder: string, named = /\.tsx?$/): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'guest' ? [] : sources(path, named);
    return named.test(entry.name) ? [path] : [];
  });
}

/** Where two sides of a merge stand one above the other. */
const isUnmerged = (text: string): boolean => /^(<{7}|>{7}) /m.test(text);

const roomOf = (path: string): Room | undefined => ROOMS.find(room => relative(SRC, path).startsWith(`${room}/`));

/** Imports of a file that point down the list, or across from ui to cli. */
function wrongWay(path: string, text: string): string[] {
  const from = roomOf(path);
  if (from === undefined) return [];
  const found: string[] = [];
  for (const [, target = ''] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]*)['"]/g)) {
    const to = roomOf(resolve(dirname(path), target));
    if (to === undefined || to === from) continue;
    if (ROOMS.indexOf(to) > ROOMS.indexOf(from) || (from === 'cli' && to === 'ui')) found.push(`${relative(SRC, path)} → ${target}`);
  }
  return found;
}

/** Lines below the lab that ask a clock, chance, a browser or Node. */
function impure(path: string, text: string): string[] {
  const room = roomOf(path);
  if ((room !== 'machine' && room !== 'kernel' && room !== 'world') || OUTSIDE.test(path)) return [];
  return text
    .split('\n')
    .flatMap((line, i) =>
      FORBIDDEN.test(
        line.replace(/\/\*.*?\*\/|\/\/.*|^\s*\*.*/g, '').replace(/'[^']*'/g, quoted => (quoted.startsWith("'node:") ? quoted : "''")),
      )
        ? [`${relative(SRC, path)}:${i + 1}`]
        : [],
    );
}

const files = sources(SRC).map(path => ({ path, text: readFileSync(path, 'utf8') }));

describe('the house', () => {
  it('has imports that point up only', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter(({ path }) => !OUTSIDE.test(path)).flatMap(({ path, text }) => wrongWay(path, text))).toEqual([]);
  });
  it('has no clock and no chance below the lab', () => {
    expect(files.flatMap(({ path, text }) => impure(path, text))).toEqual([]);
  });
  it('has no merge left half done', () => {
    expect(sources(SRC, /\.(tsx?|md)$/).filter(path => isUnmerged(readFileSync(path, 'utf8')))).toEqual([]);
    expect(isUnmerged(`one\n${'<'.repeat(7)} HEAD\nother\n`)).toBe(true);
  });
  it('notices an import that points down, and one across', () => {
    expect(wrongWay(join(SRC, 'kernel/mm/x.ts'), "import { World } from '../../world/world.ts';")).toHaveLength(1);
    expect(wrongWay(join(SRC, 'lab/x.ts'), "const view = await import('../ui/App.tsx');")).toHaveLength(1);
    expect(wrongWay(join(SRC, 'cli/x.ts'), "import { App } from '../ui/App.tsx';")).toHaveLength(1);
    expect(wrongWay(join(SRC, 'world/x.ts'), "import { Kernel } from '../kernel/kernel.ts';")).toEqual([]);
  });
  it('notices clocks, chance, Node and the page', () => {
    for (const line of [
      'const t = Date.now();',
      'performance.now()',
      'Math.random()',
      'setTimeout(f, 1)',
      "import { readFileSync } from 'node:fs';",
      'document.title',
    ]) {
      expect(impure(join(SRC, 'kernel/x.ts'), line), line).toHaveLength(1);
      expect(impure(join(SRC, 'ui/x.ts'), line)).toEqual([]);
    }
    expect(impure(join(SRC, 'kernel/x.ts'), '// Date.now() is not asked')).toEqual([]);
  });
});
