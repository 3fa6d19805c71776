import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { BatchReport } from '../../src/factory/batch/batch-report.ts';
import type { Receipt } from '../../src/factory/receipt/receipt.ts';
import { type MadeFactory, makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';

const SITES = ['alpha', 'beta', 'gamma', 'delta'];

async function filledFactory(sites: readonly string[] = SITES): Promise<MadeFactory> {
  const factory = await makeFactory({ sites });
  const filled = await runEdgefab(['precache', '--insecure', '--quiet'], { cwd: factory.folder });
  expect(filled).toMatchObject({ status: 0 });
  return factory;
}

const isoOf = (factory: MadeFactory, site: string): string => factory.at('out', site, `${site}.iso`);
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const receiptOf = (factory: MadeFactory, site: string): Receipt =>
  JSON.parse(readFileSync(factory.at('out', site, 'receipt.json'), 'utf8')) as Receipt;
const reportOf = (factory: MadeFactory, file = 'report.json'): BatchReport =>
  JSON.parse(readFileSync(factory.at('out', file), 'utf8')) as BatchReport;
const statesOf = (report: BatchReport): Record<string, string> =>
  Object.fromEntries(report.sites.map(({ site, state }) => [site, state]));

describe('edgefab batch', () => {
  test('builds every site, tells so in a table and a report, and a second run keeps them', async () => {
    const factory = await filledFactory();
    const cwd = factory.folder;
    const built = await runEdgefab(['batch'], { cwd });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toMatch(/^SITE +STATE +BUILD ID +ISO +CERTIFICATES END$/m);
    expect(built.stdout).toMatch(/^alpha +built +[0-9a-f]{12} +alpha\/alpha\.iso/m);
    expect(built.stdout).toMatch(/^4 built, 0 kept, 0 failed in/m);
    const report = reportOf(factory);
    expect(report.sites.map(({ site }) => site)).toEqual(SITES);
    for (const site of SITES) {
      const { iso } = receiptOf(factory, site);
      expect(iso.sha256).toBe(hashOf(isoOf(factory, site)));
      expect(statSync(isoOf(factory, site)).mode & 0o777).toBe(0o600);
    }
    expect(new Set(SITES.map((site) => receiptOf(factory, site).buildId)).size).toBe(4);
    const before = SITES.map((site) => statSync(isoOf(factory, site), { bigint: true }).mtimeNs);

    const again = await runEdgefab(['batch'], { cwd });
    expect(again.stdout).toMatch(/^0 built, 4 kept, 0 failed in/m);
    expect(SITES.map((site) => statSync(isoOf(factory, site), { bigint: true }).mtimeNs)).toEqual(before);
  });

  test('builds again what is not as its receipt says, and only that', async () => {
    const factory = await filledFactory();
    const cwd = factory.folder;
    expect(await runEdgefab(['batch'], { cwd })).toMatchObject({ status: 0 });
    const wanted = SITES.map((site) => hashOf(isoOf(factory, site)));
    // One byte far from every area; a receipt that is gone; an ISO that is gone.
    const bytes = readFileSync(isoOf(factory, 'alpha'));
    const at = bytes.length - 5;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(isoOf(factory, 'alpha'), bytes);
    rmSync(factory.at('out', 'beta', 'receipt.json'));
    rmSync(isoOf(factory, 'gamma'));
    const run = await runEdgefab(['batch'], { cwd });
    expect(run.stdout).toMatch(/^3 built, 1 kept, 0 failed in/m);
    expect(statesOf(reportOf(factory))).toMatchObject({ delta: 'kept', alpha: 'built' });
    expect(SITES.map((site) => hashOf(isoOf(factory, site)))).toEqual(wanted);
  });

  test('what one run allowed to be missing, the next does not take for granted', async () => {
    const factory = await filledFactory(['alpha']);
    const cwd = factory.folder;
    const lock = parse(readFileSync(factory.at('edgefab.lock'), 'utf8')) as {
      images: { roles: string[]; source: string; digest: string }[];
    };
    const tool = lock.images.find(({ roles }) => roles.includes('additional'));
    const view = `${tool?.source.replace(':', '__')}/_manifests/revisions/sha256/${tool?.digest.slice(7)}/link`;
    rmSync(factory.at('cache/views/registry/docker/registry/v2/repositories', view));
    const allowed = ['batch', '--allow-missing', 'additional'];
    expect(await runEdgefab(allowed, { cwd })).toMatchObject({ status: 0 });
    expect((await runEdgefab(allowed, { cwd })).stdout).toMatch(/^0 built, 1 kept, 0 failed in/m);
    const strict = await runEdgefab(['batch'], { cwd });
    expect(strict.status).toBe(9);
    expect(strict.stderr).toContain('CACHE_INCOMPLETE');
  });

  test('a change to one site, or to the live ISO, is a build of another name', async () => {
    const factory = await filledFactory();
    const cwd = factory.folder;
    expect(await runEdgefab(['batch'], { cwd })).toMatchObject({ status: 0 });
    const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
    writeFileSync(
      factory.at('factory.yaml'),
      yaml.replace('address: 192.168.86.46', 'address: 192.168.86.99'),
    );
    const run = await runEdgefab(['batch'], { cwd });
    expect(run.stdout).toMatch(/^1 built, 3 kept, 0 failed in/m);
    const iso = readFileSync(factory.at('live.iso'));
    iso[iso.length - 3] = 1;
    writeFileSync(factory.at('live.iso'), iso);
    const anew = await runEdgefab(['batch'], { cwd });
    expect(anew.stdout).toMatch(/^4 built, 0 kept, 0 failed in/m);
  });

  test("one site's fault stops no other: status 9, and the table says which", async () => {
    const factory = await filledFactory();
    const cwd = factory.folder;
    const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
    const broken = 'name: beta\n    overlays: [broken.bu]\n    ignition: bip.ign';
    writeFileSync(factory.at('factory.yaml'), yaml.replace('name: beta\n    ignition: bip.ign', broken));
    writeFileSync(factory.at('broken.bu'), 'variant: openshift\nversion: 99.0.0\n');
    const run = await runEdgefab(['batch'], { cwd });
    expect(run.status).toBe(9);
    expect(run.stdout).toMatch(/^beta +failed +- +[A-Z_]+/m);
    expect(run.stdout).toMatch(/^3 built, 0 kept, 1 failed in/m);
    expect(run.stderr).toContain('1 of 4 sites failed; the others are built');
    expect(statesOf(reportOf(factory))).toEqual({
      alpha: 'built',
      beta: 'failed',
      gamma: 'built',
      delta: 'built',
    });
    const { document, status } = await runEdgefabJson(['batch'], { cwd });
    expect(status).toBe(9);
    expect(document).toMatchObject({
      error: { code: 'SITES_FAILED', faults: [{ place: { field: 'beta' } }] },
    });
  });

  test('two shards at once on one folder build each site once, with one CA and one build time', async () => {
    const factory = await filledFactory();
    const cwd = factory.folder;
    const runs = await Promise.all([
      runEdgefab(['batch', '--shard', '0/2'], { cwd }),
      runEdgefab(['batch', '--shard', '1/2'], { cwd }),
    ]);
    expect(runs.map(({ status }) => status)).toEqual([0, 0]);
    expect(statesOf(reportOf(factory, 'report-0-of-2.json'))).toEqual({ alpha: 'built', gamma: 'built' });
    expect(statesOf(reportOf(factory, 'report-1-of-2.json'))).toEqual({ beta: 'built', delta: 'built' });
    expect(new Set(SITES.map((site) => receiptOf(factory, site).inputs.registryCa)).size).toBe(1);
    expect(new Set(SITES.map((site) => receiptOf(factory, site).buildTime)).size).toBe(1);
    const whole = await runEdgefab(['batch'], { cwd });
    expect(whole.stdout).toMatch(/^0 built, 4 kept, 0 failed in/m);
  });

  test('two runs for the same sites do not write into each other: one builds, the other says who is at it', async () => {
    const factory = await filledFactory(['alpha']);
    const cwd = factory.folder;
    const runs = await Promise.all([
      runEdgefab(['batch', '--rebuild'], { cwd }),
      runEdgefab(['batch', '--rebuild'], { cwd }),
      runEdgefab(['iso'], { cwd }),
    ]);
    const outcomes = runs.map(({ status, stderr }) =>
      status === 0 ? 'built' : (/SITE_BUSY/.exec(stderr)?.[0] ?? stderr),
    );
    expect(outcomes).toContain('built');
    expect(new Set(outcomes).size).toBeLessThanOrEqual(2);
    expect(receiptOf(factory, 'alpha').iso.sha256).toBe(hashOf(isoOf(factory, 'alpha')));
  });

  test.each([
    [['batch', '--shard', '4/4'], 2, 'from 0 to COUNT-1'],
    [['batch', '--shard', 'one'], 2, '"one" is not INDEX/COUNT'],
    [['batch', '--shard', '0/2', '--renew'], 2, '--renew'],
    [['batch', 'alhpa'], 2, 'Did you mean alpha?'],
  ])('edgefab %j: status %i', async (args, status, text) => {
    const factory = await makeFactory({ sites: ['alpha'] });
    const run = await runEdgefab(args, { cwd: factory.folder });
    expect(run.status).toBe(status);
    expect(run.stderr).toContain(text);
    expect(existsSync(factory.at('out'))).toBe(false);
  });

  test('a cache that is not complete is refused before the first site', async () => {
    const factory = await filledFactory(['alpha']);
    const path = factory.at('cache', 'edgefab-cache.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"complete"', '"incomplete"'));
    const run = await runEdgefab(['batch'], { cwd: factory.folder });
    expect(run.status).toBe(4);
    expect(run.stderr).toContain('CACHE_INCOMPLETE');
    expect(existsSync(factory.at('out', 'alpha'))).toBe(false);
  });
});

describe('edgefab batch export --kubernetes', () => {
  const FLAGS = [
    '--kubernetes',
    '--image',
    'registry.example.com/edgefab:1',
    '--claim',
    'factory',
    '--shards',
    '3',
  ];

  test('writes an Indexed Job that runs the same command on one volume, with secrets by name', async () => {
    const factory = await makeFactory({ sites: SITES });
    writeFileSync(factory.at('pull-secret.json'), '{"auths":{"quay.io":{"auth":"c2VjcmV0OnNlY3JldA=="}}}');
    const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
    writeFileSync(factory.at('factory.yaml'), `${yaml}pullSecret: { file: pull-secret.json }\n`);
    const run = await runEdgefab(['batch', 'export', ...FLAGS], { cwd: factory.folder });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).not.toContain('c2VjcmV0');
    const job = parse(run.stdout) as {
      spec: { completionMode: string; completions: number; template: { spec: Record<string, never[]> } };
    };
    expect(job).toMatchObject({
      apiVersion: 'batch/v1',
      kind: 'Job',
      spec: { completionMode: 'Indexed', completions: 3, parallelism: 3 },
    });
    expect(job.spec.template.spec).toMatchObject({
      restartPolicy: 'Never',
      containers: [
        {
          args: ['batch', '--factory', '/factory/factory.yaml', '--shard', '$(JOB_COMPLETION_INDEX)/3'],
          volumeMounts: [
            { name: 'factory', mountPath: '/factory' },
            {
              name: 'secrets',
              mountPath: '/factory/pull-secret.json',
              subPath: 'pull-secret',
              readOnly: true,
            },
          ],
        },
      ],
      volumes: [
        { persistentVolumeClaim: { claimName: 'factory' } },
        { secret: { secretName: 'edgefab', items: [{ key: 'pull-secret', path: 'pull-secret' }] } },
      ],
    });
  });

  test('a pull secret in the environment comes from the Secret too', async () => {
    const factory = await makeFactory();
    const yaml = readFileSync(factory.at('factory.yaml'), 'utf8');
    writeFileSync(factory.at('factory.yaml'), `${yaml}pullSecret: { env: PULL_SECRET }\n`);
    const { stdout } = await runEdgefab(['batch', 'export', ...FLAGS], { cwd: factory.folder });
    expect(stdout).toContain('name: PULL_SECRET\n');
    expect(stdout).toContain('secretKeyRef:\n');
  });

  test('files that pods would not see are refused by name', async () => {
    const factory = await makeFactory({ liveIso: '/srv/media/live.iso' });
    const run = await runEdgefab(['batch', 'export', ...FLAGS], { cwd: factory.folder });
    expect(run.status).toBe(3);
    expect(run.stderr).toContain('media.liveIso: /srv/media/live.iso');
  });
});
