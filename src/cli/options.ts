/** Options of the verbs: names with or without a value, and what is left. */

import type { MemoryRule } from '../lab/plan-text.ts';
import type { EngineKind } from '../world/protocol.ts';

export interface Options {
  readonly values: Readonly<Record<string, string>>;
  readonly flags: ReadonlySet<string>;
  readonly rest: readonly string[];
}

/**
 * @param valued names (without --) that take a value
 * @param flags names that take none
 * @throws Error naming the option
 */
export function readOptions(args: readonly string[], valued: readonly string[], flags: readonly string[]): Options {
  const values: Record<string, string> = {};
  const seen = new Set<string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('--')) {
      rest.push(arg);
      continue;
    }
    const [name = '', inline] = arg.slice(2).split(/=(.*)/s);
    if (flags.includes(name)) seen.add(name);
    else if (valued.includes(name)) {
      const value = inline ?? args[++i];
      if (value === undefined) throw new Error(`--${name} needs a value`);
      values[name] = value;
    } else throw new Error(`there is no option --${name}`);
  }
  return { values, flags: seen, rest };
}

/** A whole number of an option. @throws Error */
export function wholeNumber(text: string | undefined, name: string, fallback: number, least = 0, most = 2 ** 32 - 1): number {
  if (text === undefined) return fallback;
  if (!/^\d+$/.test(text) || Number(text) < least || Number(text) > most)
    throw new Error(`--${name} ${text}: not a whole number from ${least} to ${most}`);
  return Number(text);
}

/** The value of --memory. @throws Error */
export function memoryRule(text: string | undefined): { readonly rule?: MemoryRule } {
  if (text === undefined) return {};
  if (text === 'flat' || text === 'numa') return { rule: text };
  throw new Error(`--memory ${text}: flat or numa`);
}

/** The value of --engine. @throws Error */
export function engineKind(text: string | undefined): EngineKind {
  if (text === undefined || text === 'translate' || text === 'interpret') return text ?? 'translate';
  throw new Error(`--engine ${text}: interpret or translate`);
}
