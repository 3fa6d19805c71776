import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeRegistryCa } from '../../src/boot/certs/registry-ca-folder.ts';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import { parseIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { buildIdOf } from '../../src/boot/patch/site-settings.ts';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { type DemoRegistry, startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../support/ignition-validate.ts';
import { registryCa } from '../support/registry-ca.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const AUTHORITY = '/etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt';

describe('ignition patch in mode registry, without a factory', () => {
  let folder: string;
  let demo: DemoRegistry;
  const at = (...parts: string[]): string => join(folder, ...parts);

  /** Fills a cache from an image set of the given entries. */
  async function precache(name: string, mirror: string, ...flags: string[]): Promise<void> {
    writeFileSync(
      at(`${name}.yaml`),
      `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n${mirror}`,
    );
    const run = await runEdgefab([
      'precache',
      at(`${name}.yaml`),
      '-f',
      at(name),
      '--insecure',
      '--quiet',
      ...flags,
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgefab-plain-'));
    demo = await startDemoRegistry(at('registry'));
    const { releaseImage, registryImage, toolsImage } = demo;
    const release = `  platform: { release: "${releaseImage}" }\n`;
    const serves = ['--registry-image', registryImage];
    await precache('cache', `${release}  additionalImages: [{ name: "${toolsImage}" }]\n`, ...serves);
    await precache('no-tool', release);
    await precache('no-release', `  additionalImages: [{ name: "${releaseImage}" }]\n`, ...serves);
    const options = { clusterName: 'bip', domain: 'example.com', installDisk: '/dev/sda', releaseImage };
    writeFileSync(at('bip.ign'), demoBipIgnition(options));
  });
  afterAll(async () => {
    await demo.server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const patch = (output: string, ...flags: string[]): string[] => [
    'ignition',
    'patch',
    at('bip.ign'),
    '--hostname',
    'bip',
    '-o',
    output,
    ...flags,
  ];
  const mode = (path: string): number => statSync(path).mode & 0o777;

  test('the CA is made once beside OUTPUT, its key stays there, and patching twice is patching once', async () => {
    const out = tempFolder();
    const once = join(out, 'once.ign');
    expect(await runEdgefab(patch(once, '--cache', at('cache')))).toMatchObject({ status: 0, stderr: '' });
    const files = ['once.ign', 'registry-ca/ca.key', 'registry-ca/registry.key'];
    expect(files.map((name) => mode(join(out, name)))).toEqual([0o600, 0o600, 0o600]);
    expect(mode(join(out, 'registry-ca')) & 0o077).toBe(0);
    const text = readFileSync(once, 'utf8');
    const ignition = parseIgnition(Buffer.from(text), 'once.ign');
    expect(fileText(ignition, AUTHORITY)).toBe(readFileSync(join(out, 'registry-ca', 'ca.crt'), 'utf8'));
    expect(fileText(ignition, '/etc/edgefab/registry.env')).toContain('EDGEFAB_TOOL_IMAGE=');
    for (const line of readFileSync(join(out, 'registry-ca', 'ca.key'), 'utf8')
      .split('\n')
      .slice(1, -2))
      expect(text).not.toContain(line);
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(text)).toBe('');

    const twice = join(out, 'twice.ign');
    const again = await runEdgefabJson([
      ...['ignition', 'patch', once, '--hostname', 'bip', '--cache', at('cache'), '-o', twice],
    ]);
    expect(again.status).toBe(0);
    const { steps } = again.document as { steps: { changes: string[] }[] };
    expect(steps.flatMap(({ changes }) => changes)).toEqual([]);
    expect(readFileSync(twice, 'utf8')).toBe(text);
  });

  test('a CA that is given is used, and none is made', async () => {
    const out = tempFolder();
    const ca = registryCa();
    await writeRegistryCa(join(out, 'own'), ca);
    const output = join(out, 'a', 'patched.ign');
    mkdirSync(join(out, 'a'));
    const run = await runEdgefab(patch(output, '--cache', at('cache'), '--registry-ca', join(out, 'own')));
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const ignition = parseIgnition(readFileSync(output), 'patched.ign');
    expect(fileText(ignition, AUTHORITY)).toBe(ca.certPem);
    expect(() => statSync(join(out, 'a', 'registry-ca', 'ca.key'))).toThrow('ENOENT');
  });

  test('another CA than the one it was patched with is refused, not passed over', async () => {
    const out = tempFolder();
    const once = join(out, 'once.ign');
    expect((await runEdgefab(patch(once, '--cache', at('cache')))).status).toBe(0);
    await writeRegistryCa(join(out, 'other'), registryCa());
    const again = await runEdgefab([
      ...['ignition', 'patch', once, '--hostname', 'bip', '--cache', at('cache')],
      ...['--registry-ca', join(out, 'other'), '-o', join(out, 'twice.ign')],
    ]);
    expect(again.status).toBe(4);
    expect(again.stderr).toContain('REGISTRY_CA_MISMATCH');
    expect(() => statSync(join(out, 'twice.ign'))).toThrow('ENOENT');
  });

  test('images that are loaded: the build has an id of its own, which a second patch keeps', async () => {
    const out = tempFolder();
    const once = join(out, 'once.ign');
    const preload = ['--cache-mode', 'preload', '--cache', at('cache')];
    expect(await runEdgefab(patch(once, ...preload))).toMatchObject({ status: 0, stderr: '' });
    const text = readFileSync(once, 'utf8');
    const ignition = parseIgnition(Buffer.from(text), 'once.ign');
    expect(buildIdOf(ignition)).toMatch(/^[0-9a-f]{64}$/);
    expect(ignition.units.map(({ name }) => name)).toContain('edgefab-reinstall-guard.service');
    const twice = join(out, 'twice.ign');
    const again = ['ignition', 'patch', once, '--hostname', 'bip', ...preload, '-o', twice];
    expect(await runEdgefab(again)).toMatchObject({ status: 0 });
    expect(readFileSync(twice, 'utf8')).toBe(text);
  });

  test('--explain tells each step and what differs, without a secret', async () => {
    const out = tempFolder();
    const run = await runEdgefab(patch(join(out, 'a.ign'), '--cache', at('cache'), '--explain'));
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^registry-live: .*\n {2}what: .*\n {2}applies to: every release/m);
    expect(run.stdout).toMatch(/^ {6}\+ {2}coreos-installer install .*--save-partlabel/m);
    expect(run.stdout).toMatch(
      /^ {4}added file \/etc\/edgefab\/tls\/registry\.key\n {6}mode 0600, secret, \d+ bytes$/m,
    );
    expect(run.stdout).not.toContain('PRIVATE KEY');
    for (const line of readFileSync(join(out, 'registry-ca', 'registry.key'), 'utf8')
      .split('\n')
      .slice(1, -2))
      expect(run.stdout).not.toContain(line);
  });

  test.each<[string, string[], number, string, RegExp]>([
    ['no --cache', [], 2, 'USAGE_INVALID', /Name the cache with --cache DIR/],
    [
      'a cache without a registry image',
      ['--cache', 'no-tool'],
      4,
      'CACHE_INCOMPLETE',
      /precache with --registry-image/,
    ],
    [
      'a cache whose lock has no release',
      ['--cache', 'no-release'],
      3,
      'RELEASE_UNKNOWN',
      /--release 4\.18\.9/,
    ],
    ['a folder that is no cache', ['--cache', 'registry'], 4, 'CACHE_INCOMPLETE', /Run edgefab precache/],
  ])('%s is refused and nothing is written', async (_name, flags, status, code, suggestion) => {
    const output = join(tempFolder(), 'a.ign');
    const args = flags.map((flag) => (flag.startsWith('--') ? flag : at(flag)));
    const run = await runEdgefabJson(patch(output, ...args));
    expect(run.status).toBe(status);
    expect(run.document).toMatchObject({ error: { code } });
    expect(JSON.stringify(run.document)).toMatch(suggestion);
    expect(() => statSync(output)).toThrow('ENOENT');
  });

  test('with --release a cache whose lock has none will do', async () => {
    const output = join(tempFolder(), 'a.ign');
    const run = await runEdgefab(patch(output, '--cache', at('no-release'), '--release', '4.18.0'));
    expect(run).toMatchObject({ status: 0, stderr: '' });
  });
});
