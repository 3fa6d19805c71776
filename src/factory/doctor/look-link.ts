import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './finding.ts';

interface Card {
  readonly name: string;
  readonly mac: string;
  readonly hasCarrier: boolean;
}

/**
 * Looks whether a network card has a link: without one the install stops, even with everything in the cache. Only
 * cards with a device behind them count. With `macs`, those a site names must be here. `sys` is where sysfs is.
 */
export async function lookAtLink(macs: readonly string[], sys = '/sys'): Promise<Finding[]> {
  const cards = await networkCards(join(sys, 'class/net'));
  const named = macs.map((mac) => mac.toLowerCase());
  const absent = named.filter((mac) => !cards.some((card) => card.mac === mac));
  const findings = absent.map(
    (mac): Finding => ({
      what: 'network card',
      state: 'missing',
      detail: `none here has the MAC address ${mac}, which the site names; there are ${describe(cards)}`,
      remedy: 'Is this the machine of that site? Otherwise correct network.mac and build the stick again',
    }),
  );
  const wanted = named.length === 0 ? cards : cards.filter(({ mac }) => named.includes(mac));
  const linked = wanted.filter(({ hasCarrier }) => hasCarrier);
  if (linked.length > 0) return [...findings, { what: 'link', state: 'ok', detail: describe(linked) }];
  return [
    ...findings,
    {
      what: 'link',
      state: 'missing',
      detail: cards.length === 0 ? 'no network card was found' : `no link on ${describe(wanted)}`,
      remedy: 'Plug a cable in, at both ends: the node needs an address even when it downloads nothing',
    },
  ];
}

async function networkCards(folder: string): Promise<Card[]> {
  const names = await readdir(folder).catch(() => []);
  const cards: Card[] = [];
  for (const name of names.sort()) {
    const isHardware = await stat(join(folder, name, 'device')).then(
      () => true,
      () => false,
    );
    if (!isHardware) continue;
    const read = async (file: string): Promise<string> =>
      (await readFile(join(folder, name, file), 'utf8').catch(() => '')).trim();
    cards.push({ name, mac: await read('address'), hasCarrier: (await read('carrier')) === '1' });
  }
  return cards;
}

function describe(cards: readonly Card[]): string {
  return cards.map(({ name, mac }) => `${name} (${mac})`).join(', ') || 'none';
}
