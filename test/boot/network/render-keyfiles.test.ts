import { describe, expect, test } from 'vitest';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import {
  hasNetworkManager,
  networkManagerSkip,
  readByNetworkManager,
} from '../../support/network-manager.ts';
import { parseKeyfile } from '../../support/parse-keyfile.ts';
import { MAC, network, SHAPES, V4 } from './shapes.ts';

const shapes = Object.entries(SHAPES);

test.each(shapes)('%s: the golden files', async (name, shape) => {
  const text = renderKeyfiles(shape).map((file) => `########## ${file.name}\n${file.text}`);
  await expect(text.join('\n')).toMatchFileSnapshot(`golden/${name}.txt`);
});

test.each(shapes)('%s: what always holds', (_name, shape) => {
  const files = renderKeyfiles(shape);
  const parsed = files.map(({ text }) => parseKeyfile(text));
  expect(renderKeyfiles(structuredClone(shape))).toEqual(files);
  const uuids = parsed.map(({ connection }) => connection?.uuid ?? '');
  expect(new Set(uuids).size).toBe(files.length);
  expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
  for (const [index, { connection, ethernet, vlan, ipv4, ipv6 }] of parsed.entries()) {
    expect(files[index]?.name).toBe(`${connection?.id}.nmconnection`);
    expect(connection?.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // Matched by exactly one of the two.
    expect((ethernet?.['mac-address'] === undefined) !== (connection?.['interface-name'] === undefined)).toBe(
      true,
    );
    // Whoever is built on another stands after it.
    for (const below of [connection?.master, vlan?.parent])
      if (below !== undefined) expect(uuids.slice(0, index)).toContain(below);
    expect([ipv4?.method, ipv6?.method].every((method) => method !== undefined)).toBe(
      connection?.master === undefined,
    );
  }
});

describe.skipIf(!hasNetworkManager)(`NetworkManager as judge${networkManagerSkip}`, () => {
  test.each(shapes)('%s: reads every key as it was meant', (_name, shape) => {
    for (const { text } of renderKeyfiles(shape)) {
      const theirs = parseKeyfile(readByNetworkManager(text));
      for (const [section, keys] of Object.entries(parseKeyfile(text)))
        expect(theirs[section], text).toMatchObject(keys);
    }
  });

  test('which does refuse what is wrong', () => {
    const [file] = renderKeyfiles(network([{ mac: MAC, ...V4 }], ['10.0.0.1']));
    expect(() => readByNetworkManager(file?.text.replace('method=manual', 'method=disabled') ?? '')).toThrow(
      'ipv4.dns',
    );
  });
});

test('what differs has another uuid', () => {
  const uuid = (address: string) =>
    parseKeyfile(renderKeyfiles(network([{ mac: MAC, addresses: [address] }]))[0]?.text ?? '').connection
      ?.uuid;
  expect(uuid('10.0.0.5/24')).not.toBe(uuid('10.0.0.6/24'));
});

test('no interface, no file', () => {
  expect(renderKeyfiles(network([], ['10.0.0.1']))).toEqual([]);
});
