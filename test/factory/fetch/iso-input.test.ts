import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { type EmbedRequest, embedIso } from '../../../src/factory/embed-iso.ts';
import { type IsoOrigins, openIsoInput } from '../../../src/factory/fetch/iso-input.ts';
import { openWebClient } from '../../../src/factory/fetch/web-client.ts';
import { parseProxySettings } from '../../../src/oci/proxy-settings.ts';
import { makeCoreosIso } from '../../support/coreos-iso.ts';
import { isoHost as host } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeTestHost } from '../../support/test-host.ts';

const MiB = 1024 * 1024;
const kargs = { append: ['a=1'] };
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

interface World {
  readonly folder: string;
  readonly target: string;
  readonly live: Buffer;
  readonly origins: (stdin?: Readable, signal?: AbortSignal) => IsoOrigins;
}

/** A live ISO with holes, a temporary folder and a place for the output, each its own. */
async function world(): Promise<World> {
  const folder = tempFolder();
  const path = join(tempFolder(), 'live.iso');
  await makeCoreosIso(path);
  const live = Buffer.concat([readFileSync(path), Buffer.alloc(3 * MiB), madeUpBytes(3001)]);
  const temporaryFolder = join(folder, 'tmp');
  mkdirSync(temporaryFolder);
  return {
    folder,
    target: join(folder, 'site.iso'),
    live,
    origins: (stdin = new PassThrough(), signal = new AbortController().signal) => ({
      stdin,
      signal,
      temporaryFolder,
      openWeb: async () =>
        openWebClient(
          {
            proxies: parseProxySettings({ env: {} }),
            certificatesFor: async () => ({ authorities: [], client: [] }),
            retryTimes: 1,
            stallTimeoutMs: 2000,
          },
          makeTestHost(),
        ),
    }),
  };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.iso?token=secret`;
}

function pieces(bytes: Buffer, size: number): Readable {
  return Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    ),
  );
}

function toFile({ target }: World, rest: Partial<EmbedRequest>): EmbedRequest {
  return { iso: '-', content: { kargs }, output: { kind: 'file', path: target, overwrite: false }, ...rest };
}

async function wanted({ folder, live, origins }: World): Promise<Buffer> {
  const source = join(folder, 'as-a-file.iso');
  const target = join(folder, 'from-a-file.iso');
  writeFileSync(source, live);
  await embedIso(
    { iso: source, content: { kargs }, output: { kind: 'file', path: target, overwrite: false } },
    origins(),
    host,
  );
  return readFileSync(target);
}

it.each([1000, 65_536, 5 * MiB])('takes stdin in pieces of %i bytes, as a sparse file', async (size) => {
  const made = await world();
  const embedded = await embedIso(toFile(made, {}), made.origins(pieces(made.live, size)), host);
  expect(embedded).toMatchObject({
    restored: false,
    inputDigest: `sha256:${digestOf(made.live)}`,
    receipt: { source: '-', target: made.target },
  });
  expect(readdirSync(made.folder).sort()).toEqual(['site.iso', 'tmp']);
  expect(readdirSync(join(made.folder, 'tmp'))).toEqual([]);
  expect(readFileSync(made.target).equals(await wanted(made))).toBe(true);
  expect(statSync(made.target).blocks * 512).toBeLessThan(MiB);
  expect(statSync(made.target).mode & 0o777).toBe(0o600);
});

it('sends stdin on to a stream by way of the temporary folder', async () => {
  const made = await world();
  const sink = new PassThrough();
  const chunks: Buffer[] = [];
  sink.on('data', (chunk: Buffer) => chunks.push(chunk));
  await embedIso(
    toFile(made, { output: { kind: 'stream', sink } }),
    made.origins(pieces(made.live, 65_536)),
    host,
  );
  expect(Buffer.concat(chunks).equals(await wanted(made))).toBe(true);
  expect(readdirSync(join(made.folder, 'tmp'))).toEqual([]);
});

it.each([
  ['that says how long it is', true],
  ['in chunks', false],
])('takes a file from a server, %s', async (_, saysLength) => {
  const made = await world();
  const iso = await serve((_request, response) => {
    if (saysLength) response.setHeader('content-length', made.live.length);
    response.write(made.live.subarray(0, 9));
    response.end(made.live.subarray(9));
  });
  const sha256 = digestOf(made.live);
  const started: unknown[] = [];
  const origins = { ...made.origins(), onStart: (...told: unknown[]) => started.push(told) };
  const { receipt } = await embedIso(toFile(made, { iso, sha256 }), origins, host);
  expect(receipt?.source).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/live\.iso$/);
  expect(started).toEqual(saysLength ? [['live.iso', made.live.length]] : []);
  expect(readFileSync(made.target).equals(await wanted(made))).toBe(true);
});

describe('leaves nothing behind when it refuses', () => {
  type Prepared = { iso?: string; stdin?: Readable; sha256?: string; there?: boolean };
  const rows: [string, (made: World) => Promise<Prepared> | Prepared, string][] = [
    [
      'a wrong digest',
      ({ live }) => ({ stdin: pieces(live, MiB), sha256: '0'.repeat(64) }),
      'BLOB_DIGEST_MISMATCH',
    ],
    ['what is no digest', () => ({ sha256: 'abc' }), 'DIGEST_INVALID'],
    ['no ISO', () => ({ stdin: Readable.from([Buffer.from('hello')]) }), 'ISO_INVALID'],
    ['nothing at all', () => ({ stdin: Readable.from([]) }), 'ISO_INVALID'],
    ['a target that is there, before a byte is read', () => ({ there: true }), 'TARGET_EXISTS'],
    [
      'a server without the file',
      async () => ({ iso: await serve((_, response) => response.writeHead(404).end()) }),
      'DOWNLOAD_UNKNOWN',
    ],
    [
      'a server that breaks off',
      async ({ live }) => ({
        iso: await serve((_, response) => {
          response.setHeader('content-length', live.length);
          response.write(live.subarray(0, 100_000), () => response.destroy());
        }),
      }),
      'BLOB_TRUNCATED',
    ],
    [
      'a server that promises too much',
      async () => ({
        iso: await serve((_, response) => {
          response.writeHead(200, { 'content-length': 17 * 1024 ** 3 }).write('x');
        }),
      }),
      'ISO_INVALID',
    ],
    ['an address with a password', () => ({ iso: 'https://me:secret@example.com/x.iso' }), 'USAGE_INVALID'],
  ];
  test.each(rows)('%s', async (_, prepare, code) => {
    const made = await world();
    const { iso = '-', stdin, sha256, there = false } = await prepare(made);
    if (there) writeFileSync(made.target, 'mine');
    const failed = embedIso(toFile(made, { iso, sha256 }), made.origins(stdin), host);
    await expect(failed).rejects.toMatchObject({ code });
    await expect(failed).rejects.not.toThrow('secret');
    expect(readdirSync(made.folder).sort()).toEqual(there ? ['site.iso', 'tmp'] : ['tmp']);
    expect(readdirSync(join(made.folder, 'tmp'))).toEqual([]);
  });

  it('an interruption', async () => {
    const made = await world();
    const interrupt = new AbortController();
    const stdin = new PassThrough();
    stdin.write(made.live.subarray(0, 200_000));
    const embedding = embedIso(toFile(made, {}), made.origins(stdin, interrupt.signal), host);
    const refused = expect(embedding).rejects.toThrow('aborted');
    setTimeout(() => interrupt.abort(), 50);
    await refused;
    expect(readdirSync(made.folder)).toEqual(['tmp']);
  });
});

it('holds a file against its digest', async () => {
  const made = await world();
  const iso = join(made.folder, 'live.iso');
  writeFileSync(iso, made.live);
  const input = (sha256: string) =>
    embedIso(toFile(made, { iso, sha256, output: { kind: 'in-place' } }), made.origins(), host);
  await expect(input('0'.repeat(64))).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', exitCode: 6 });
  expect(readFileSync(iso).equals(made.live)).toBe(true);
  await input(`sha256:${digestOf(made.live)}`);
  expect(readFileSync(iso).equals(await wanted(made))).toBe(true);
});

it('does not change in place what comes once', async () => {
  const made = await world();
  const embedding = embedIso(toFile(made, { output: { kind: 'in-place' } }), made.origins(), host);
  await expect(embedding).rejects.toMatchObject({ code: 'USAGE_INVALID' });
});

it('names a file that is not there', async () => {
  const made = await world();
  const opened = openIsoInput(
    { iso: '/none.iso', digest: undefined, target: undefined },
    made.origins(),
    host,
  );
  expect((await opened).adopt).toBe(false);
  const embedding = embedIso(
    toFile(made, { iso: '/none.iso', sha256: '0'.repeat(64) }),
    made.origins(),
    host,
  );
  await expect(embedding).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});
