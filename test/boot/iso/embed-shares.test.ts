import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { embedShares } from '../../../src/boot/iso/embed-shares.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const dataUrl = (bytes: Uint8Array) => `data:;base64,${Buffer.from(bytes).toString('base64')}`;

function config(files: object[], units: object[] = [], rest: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({ ignition: { version: '3.2.0' }, storage: { files }, systemd: { units }, ...rest }),
  );
}

it('names files, units, keyfiles and the rest, the largest first', () => {
  const noise = madeUpBytes(6000);
  const files = new Map<string, Uint8Array>([
    [
      'config.ign',
      config(
        [
          { path: '/etc/zeros', contents: { source: dataUrl(Buffer.alloc(50_000)) } },
          { path: '/etc/noise', contents: { source: dataUrl(noise) } },
          { path: '/etc/remote', contents: { source: 'https://example.com/x' } },
          {
            path: '/etc/more',
            append: [{ source: dataUrl(noise.subarray(0, 10)) }, { source: 'data:,abc' }],
          },
        ],
        [{ name: 'a.service', contents: 'x'.repeat(300), dropins: [{ name: 'b.conf', contents: 'yy' }] }],
        { passwd: { users: [{ name: 'core', sshAuthorizedKeys: ['ssh-ed25519 AAAA'] }] } },
      ),
    ],
    ['etc/coreos-firstboot-network/eno1.nmconnection', Buffer.from('[connection]\n')],
    ['etc/other', Buffer.from('?')],
  ]);
  const shares = embedShares(files, 9000);
  expect(shares[0]).toMatchObject({ kind: 'file', name: '/etc/noise', rawBytes: 6000 });
  expect(shares.reduce((sum, share) => sum + share.compressedBytes, 0)).toBeCloseTo(9000, -2);
  const raw = Object.fromEntries(shares.map(({ kind, name, rawBytes }) => [`${kind} ${name}`, rawBytes]));
  expect(raw).toMatchObject({
    'file /etc/zeros': 50_000,
    'file /etc/remote': 'https://example.com/x'.length,
    'file /etc/more': 13,
    'unit a.service': 302,
    'network eno1.nmconnection': 13,
    'other etc/other': 1,
  });
  expect(Object.keys(raw)).toContain('other the rest of the Ignition config');
  expect(shares.map(({ compressedBytes }) => compressedBytes)).toEqual(
    shares.map(({ compressedBytes }) => compressedBytes).sort((a, b) => b - a),
  );
});

it('estimates what does not compress to within a twentieth', () => {
  const noise = madeUpBytes(20_000);
  const text = Array.from({ length: 2000 }, (_, line) => `echo line ${line * line}\n`).join('');
  const source = config([
    { path: '/noise', contents: { source: dataUrl(noise) } },
    { path: '/text', contents: { source: dataUrl(Buffer.from(text)) } },
    { path: '/noise-again', contents: { source: dataUrl(noise) } },
  ]);
  const shares = embedShares(new Map([['config.ign', source]]), gzipSync(source, { level: 9 }).length);
  const bytesOf = (name: string) => shares.find((share) => share.name === name)?.compressedBytes ?? 0;
  expect(bytesOf('/noise')).toBeGreaterThan(19_000);
  expect(bytesOf('/noise')).toBeLessThan(21_000);
  expect(shares[0]?.name).toMatch(/^\/noise/);
});

it.each([
  ['no JSON', 'what is this'],
  ['a list', '[1]'],
  ['lists that are none', '{"storage":{"files":3},"systemd":null}'],
  ['files that are none', '{"storage":{"files":[1,null,{"path":5,"contents":7}]}}'],
  ['a broken data URL', '{"storage":{"files":[{"path":"/x","contents":{"source":"data:;base64,*"}}]}}'],
])('takes a config that is %s', (_, text) => {
  const shares = embedShares(new Map([['config.ign', Buffer.from(text)]]), 100);
  expect(shares.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0)).toBeCloseTo(100, -1);
});

it('is told with the error: the ten largest in the message, all in its faults', async () => {
  const iso = await liveIso({ areaBytes: 4000 });
  const files = Array.from({ length: 14 }, (_, index) => ({
    path: `/etc/file-${index}`,
    contents: { source: dataUrl(madeUpBytes(100 * (index + 1), String(index))) },
  }));
  const built = buildSiteIso({ ...iso, ignition: config(files) }, host);
  await expect(built).rejects.toMatchObject({ code: 'EMBED_AREA_FULL', place: { file: iso.source } });
  const error = await built.catch((thrown: unknown) => thrown as Error & { faults: object[] });
  if (!(error instanceof Error)) throw new Error('it fits');
  const lines = error.message.split('\n');
  expect(lines).toHaveLength(12);
  expect(lines[0]).toMatch(/: \d+ bytes with xz, want at most 4000: \d+ too many\. What takes the space:$/);
  expect(lines[1]).toMatch(/^ {2}file \/etc\/file-13: about \d+ bytes of the area, 1400 on the machine$/);
  expect(lines[11]).toBe('  and 5 smaller ones');
  expect(error.faults).toHaveLength(15);
  expect(error.faults[0]).toMatchObject({ place: { file: iso.source, field: '/etc/file-13' } });
});
