/**
 * Orders to the network, in words (partition/control.ts):
 *
 *     switch [user|kernel|rings] [slots N] [budget N] [coalesce US]     how the virtual switch works
 *     link [up|down] [loss 1%] [delay 50us] [rate 1G] [queue N]         how the cable is, at both ends
 *     link coalesce US                                                  how long the machine's card holds interrupts back
 *
 * Always holds: what is not named stays as it is.
 */
import { LINK_LIMITS, type LinkSettings } from '../../machine/devices/nic.ts';
import { E } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { Refusal } from '../partition/refusal.ts';
import type { KernelId } from '../types.ts';
import { SWITCH_LIMITS, SWITCH_VERSIONS, type SwitchSettings, type SwitchVersion } from './switch/settings.ts';

/** The kernel that has the card: it decides on both. @throws Refusal */
export function cardOwner(kernel: Kernel): KernelId {
  const owner = kernel.devices.ownerOf('nic0');
  if (owner === null) throw new Refusal(E.NODEV, 'nobody has the network card nic0');
  return owner;
}

/** @throws Refusal */
export function orderSwitch(kernel: Kernel, words: readonly string[]): void {
  let settings: SwitchSettings = kernel.vnet.settings;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if ((SWITCH_VERSIONS as readonly string[]).includes(word)) settings = { ...settings, version: word as SwitchVersion };
    else if (word === 'slots' || word === 'budget' || word === 'coalesce')
      settings = { ...settings, [word]: limited(word, quantity(word, words[++i], { '': 1, us: 1, ms: 1000 }), SWITCH_LIMITS[word]) };
    else throw new Refusal(E.INVAL, `${word} is none of ${SWITCH_VERSIONS.join(', ')}, slots, budget, coalesce`);
  }
  for (const name of ['slots', 'budget', 'coalesce'] as const)
    if (!Number.isInteger(settings[name])) throw new Refusal(E.INVAL, `${name} ${settings[name]} is no whole number`);
  kernel.vnet.set(settings);
}

const UNITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  loss: { '': 1, '%': 0.01 },
  delay: { us: 1, ms: 1000, ns: 0.001, s: 1e6 },
  rate: { '': 1, K: 1e3, M: 1e6, G: 1e9 },
  queue: { '': 1 },
};

/** @throws Refusal */
export function orderLink(kernel: Kernel, words: readonly string[]): void {
  const before = kernel.nic.link;
  if (before === null) throw new Refusal(E.NODEV, 'there is no cable');
  let link: LinkSettings = before;
  let { coalesce } = kernel.nic.port;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === 'up' || word === 'down') link = { ...link, up: word === 'up' };
    else if (word === 'loss' || word === 'delay' || word === 'rate' || word === 'queue')
      link = { ...link, [word]: limited(word, quantity(word, words[++i], UNITS[word] ?? {}), LINK_LIMITS[word]) };
    else if (word === 'coalesce') coalesce = limited(word, quantity(word, words[++i], { '': 1, us: 1, ms: 1000 }), SWITCH_LIMITS.coalesce);
    else throw new Refusal(E.INVAL, `${word} is none of up, down, loss, delay, rate, queue, coalesce`);
  }
  kernel.nic.port.coalesce = coalesce;
  if (link !== before) kernel.nic.configure(link);
}

function quantity(name: string, text = '', units: Readonly<Record<string, number>>): number {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z%]*)$/.exec(text);
  const [, number = '', unit = ''] = match ?? [];
  if (match === null || !Object.hasOwn(units, unit))
    throw new Refusal(E.INVAL, `“${text}” is no ${name}: a number and one of “${Object.keys(units).join('”, “')}”`);
  return Number(number) * (units[unit] as number);
}

function limited(name: string, value: number, [least, most]: readonly [number, number]): number {
  if (value < least || value > most) throw new Refusal(E.INVAL, `${name} is from ${least} to ${most}`);
  return value;
}
