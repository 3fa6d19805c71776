import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition } from '../support/bip-ignition.ts';
import { liveIso } from '../support/live-iso.ts';
import { DAY_MS, installerFiles, madeCertificate, madeKey } from '../support/made-pki.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const TLS = '/opt/openshift/tls/';
const EPOCH = { SOURCE_DATE_EPOCH: String(Date.UTC(2026, 10, 21, 12) / 1000) };

/** A config made some days ago, written to a file of a folder. */
function writeConfig(folder: string, daysAgo = 0): string {
  const madeAt = new Date(Date.now() - daysAgo * DAY_MS);
  const path = join(folder, 'bip.ign');
  const extraFiles = installerFiles({ signers: 'P-256 SEC1', madeAt });
  writeFileSync(path, serializeIgnition(bipIgnition({ extraFiles })));
  return path;
}

function expectNoKey(text: string, config: string): void {
  expect(text).not.toContain('PRIVATE KEY');
  // Every key stands in the config as base64 of PEM; none of their lines may be told.
  for (const { contents } of JSON.parse(readFileSync(config, 'utf8')).storage.files) {
    const pem = Buffer.from(String(contents?.source).split('base64,')[1] ?? '', 'base64').toString('latin1');
    const body = /PRIVATE KEY-----\n([^\n]+)/.exec(pem)?.[1];
    if (body !== undefined) expect(text).not.toContain(body);
  }
}

describe('certs show', () => {
  test('lists a config and says which ends first', async () => {
    const path = writeConfig(tempFolder());
    const { status, stdout, stderr } = await runEdgefab(['certs', 'show', path]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^path +# +subject +issuer +kind +key +from +until +left +trusted by\n/);
    expect(stdout).toMatch(
      /kubelet-signer\.crt +0 +O=openshift, CN=kubelet-signer +itself +ca +ECDSA P-256 /,
    );
    expect(stdout).toMatch(/the first ends .*, 23 h from now: \/opt\/openshift\/tls\/aggregator-ca\.crt/);
    expectNoKey(stdout, path);
  });

  test.each([
    ['ends within a week', 0, '7d', 4],
    ['does not end within an hour', 0, '1h', 0],
    ['has ended', 3, '1m', 4],
  ])('--expires-within of a config that %s', async (_name, daysAgo, within, want) => {
    const path = writeConfig(tempFolder(), daysAgo);
    const plain = await runEdgefab(['certs', 'show', path, '--expires-within', within]);
    expect(plain.status).toBe(want);
    expect(plain.stdout).toContain('certificates; private keys in');
    const { status, document } = await runEdgefabJson(['certs', 'show', path, '--expires-within', within]);
    expect(status).toBe(want);
    if (want === 0) expect(document).toMatchObject({ apiVersion: 'edgefab.io/v1', kind: 'Certificates' });
    else
      expect(document).toMatchObject({
        error: { code: 'CERTIFICATE_HORIZON', faults: [{ place: { file: path } }] },
      });
  });

  test('reads a built ISO, a folder of auth files, and one such file', async () => {
    const folder = tempFolder();
    const path = writeConfig(folder);
    const { source, target } = await liveIso();
    expect((await runEdgefab(['iso', 'embed', source, '--ignition', path, '-o', target])).status).toBe(0);
    const ofConfig = (await runEdgefabJson(['certs', 'show', path])).document;
    const ofIso = (await runEdgefabJson(['certs', 'show', target])).document;
    expect(ofIso).toMatchObject({ source: 'iso', certificates: ofConfig.certificates });
    const bare = await runEdgefab(['certs', 'show', source]);
    expect([bare.status, bare.stderr]).toEqual([
      3,
      expect.stringContaining('has no Ignition config embedded'),
    ]);

    const auth = join(folder, 'auth');
    mkdirSync(auth);
    const kubeconfig = installerFiles({ signers: 'P-256 SEC1' }).find(({ path: name }) =>
      name.endsWith('/kubeconfig'),
    );
    writeFileSync(join(auth, 'kubeconfig'), kubeconfig?.text ?? '');
    writeFileSync(join(auth, 'kubeadmin-password'), 'not-a-certificate');
    for (const target of [auth, join(auth, 'kubeconfig')]) {
      const { document } = await runEdgefabJson(['certs', 'show', target]);
      expect(document).toMatchObject({ source: 'files' });
      expect(document.certificates).toHaveLength(3);
    }
  });

  test('of a factory tells until when each built stick installs', async () => {
    const folder = tempFolder();
    const path = writeConfig(folder);
    writeFileSync(
      join(folder, 'factory.yaml'),
      [
        'apiVersion: edgefab.io/v1',
        'kind: Factory',
        'release: { version: 4.18.9 }',
        'sites: [{ name: one, ignition: bip.ign }, { name: two, ignition: bip.ign }]',
        '',
      ].join('\n'),
    );
    const { source } = await liveIso();
    mkdirSync(join(folder, 'out', 'one'), { recursive: true });
    const iso = join(folder, 'out', 'one', 'one.iso');
    expect((await runEdgefab(['iso', 'embed', source, '--ignition', path, '-o', iso])).status).toBe(0);
    const shown = await runEdgefab(['certs', 'show'], { cwd: folder });
    expect((await runEdgefab(['certs', 'show', 'factory.yaml'], { cwd: folder })).stdout).toBe(shown.stdout);
    expect(shown.stderr).toBe('');
    expect(shown.stdout).toMatch(
      /^site +installs until +left +first to end +certificates\none +20.* 23 h .*\ntwo +not built\n$/,
    );
    const { status, document } = await runEdgefabJson(['certs', 'show', '--expires-within', '2d'], {
      cwd: folder,
    });
    expect(status).toBe(4);
    expect(document).toMatchObject({ error: { faults: [{ place: { file: iso } }] } });
    const whole = (await runEdgefabJson(['certs', 'show'], { cwd: folder })).document;
    expect(whole).toMatchObject({
      kind: 'FactoryCertificates',
      sites: [
        { site: 'one', built: true },
        { site: 'two', built: false },
      ],
    });
  });

  test.each([
    ['a file that is not there', ['/nonexistent/x.ign'], 3, 'cannot be read'],
    ['a time that is none', ['package.json', '--expires-within', 'soon'], 2, '"soon" is no time'],
  ])('%s is refused', async (_name, args, want, message) => {
    const { status, stderr } = await runEdgefab(['certs', 'show', ...args]);
    expect([status, stderr]).toEqual([want, expect.stringContaining(message)]);
  });
});

describe('certs extend', () => {
  test('writes a config that lasts, with mode 0600, and says what that means', async () => {
    const folder = tempFolder();
    const path = writeConfig(folder, 3);
    const out = join(folder, 'extended.ign');
    const { status, stdout, stderr } = await runEdgefab([
      'certs',
      'extend',
      path,
      '--valid-for',
      '45d',
      '-o',
      out,
    ]);
    expect(status).toBe(0);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(stdout).toContain('proved: 8 certificates verify where they are used, and nothing else changed');
    expect(stdout).toContain('oc adm ocp-certificates regenerate-top-level');
    expect(stderr).toContain('can become cluster administrator');
    expect(stderr).toContain('45 d is long');
    expectNoKey(stdout + stderr, path);
    const shown = await runEdgefab(['certs', 'show', out, '--expires-within', '44d']);
    expect(shown.status).toBe(0);
    const again = await runEdgefab([
      'certs',
      'extend',
      out,
      '--valid-for',
      '40d',
      '-o',
      join(folder, 'again.ign'),
    ]);
    expect(again.stdout).toBe('nothing to change: every certificate lasts that long already\n');
    expect(readFileSync(join(folder, 'again.ign')).equals(readFileSync(out))).toBe(true);
  });

  test('SOURCE_DATE_EPOCH gives the same bytes again, ECDSA signatures too', async () => {
    const folder = tempFolder();
    const path = writeConfig(folder, 2000);
    const out = join(folder, 'out.ign');
    const run = () =>
      runEdgefabJson(['certs', 'extend', path, '--valid-for', '30d', '-o', out], { env: EPOCH });
    const { document } = await run();
    const first = readFileSync(out);
    expect(document).toMatchObject({
      kind: 'CertificateExtension',
      short: [],
      changes: expect.arrayContaining([
        expect.objectContaining({
          subject: 'O=openshift, CN=kubelet-signer',
          signedBy: 'O=openshift, CN=kubelet-signer',
          after: { notBefore: '2026-11-21T11:00:00.000Z', notAfter: '2026-12-21T12:00:00.000Z' },
        }),
      ]),
    });
    await run();
    expect(readFileSync(out).equals(first)).toBe(true);
  });

  test('a signer without its key is named and nothing is written, unless a shorter life will do', async () => {
    const folder = tempFolder();
    const path = join(folder, 'odd.ign');
    const out = join(folder, 'out.ign');
    const key = madeKey('P-256 SEC1', 0);
    const ca = madeCertificate({ organization: 'test', commonName: 'ca', key, ca: true, days: 1 });
    const leaf = madeCertificate({
      organization: 'test',
      commonName: 'leaf',
      key: madeKey('P-256 SEC1', 1),
      days: 1,
      issuer: ca,
    });
    const extraFiles = [ca, leaf].map(({ pem }, at) => ({ path: `${TLS}${at}.crt`, mode: 0o600, text: pem }));
    writeFileSync(path, serializeIgnition(bipIgnition({ extraFiles })));
    const args = ['certs', 'extend', path, '--valid-for', '30d', '-o', out];
    const refused = await runEdgefab(args, { env: EPOCH });
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain(
      'O=test, CN=leaf in /opt/openshift/tls/1.crt ends at 2026-11-02T00:00:00.000Z: the key of its issuer O=test, CN=ca is not here',
    );
    expect(() => statSync(out)).toThrow();
    const shorter = await runEdgefab([...args, '--allow-shorter'], { env: EPOCH });
    expect([shorter.status, shorter.stderr]).toEqual([
      0,
      expect.stringContaining('before the 30 d asked for'),
    ]);
  });

  test('a folder that is not there is refused', async () => {
    const path = writeConfig(tempFolder());
    const { status, stderr } = await runEdgefab([
      'certs',
      'extend',
      path,
      '--valid-for',
      '2d',
      '-o',
      '/nonexistent/x',
    ]);
    expect([status, stderr]).toEqual([3, expect.stringContaining('cannot write /nonexistent/x')]);
  });

  test.each([
    ['more than ten years', ['--valid-for', '11y'], {}, 4, 'at most 3650 d (10 years)'],
    ['a life that is none', ['--valid-for', '1.5d'], {}, 2, '"1.5d" is no time'],
    [
      'a build time that is none',
      ['--valid-for', '1d'],
      { SOURCE_DATE_EPOCH: 'today' },
      2,
      'SOURCE_DATE_EPOCH is "today"',
    ],
  ])('%s is refused', async (_name, args, env, want, message) => {
    const folder = tempFolder();
    const path = writeConfig(folder);
    const { status, stderr } = await runEdgefab(['certs', 'extend', path, ...args, '-o', join(folder, 'o')], {
      env,
    });
    expect([status, stderr]).toEqual([want, expect.stringContaining(message)]);
  });
});
