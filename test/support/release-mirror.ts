import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack, type Header as TarHeader } from 'tar-stream';
import { onTestFinished } from 'vitest';
import { parseRange } from '../../src/oci/served-range.ts';
import { type FakeServer, startFakeServer } from './fake-server.ts';
import { type FaultProxy, type FaultRule, startFaultProxy } from './fault-proxy.ts';
import { madeBytes } from './made-image.ts';
import { tempFolder } from './temp-folder.ts';

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

/** A .tar.gz of the given members. */
export async function tarGz(
  members: readonly (readonly [Partial<TarHeader> & { name: string }, string])[],
): Promise<Buffer> {
  const tar = pack();
  for (const [header, text] of members) tar.entry(header, text);
  tar.finalize();
  return gzipSync(await buffer(tar));
}

export interface ReleaseMirror {
  /** As `--mirror` takes it. */
  readonly template: string;
  readonly server: FakeServer;
  readonly proxy: FaultProxy;
  /** What is served, by path; may be changed. */
  readonly files: Map<string, Buffer>;
  /** Paths of the files of the release. */
  readonly paths: { readonly sums: string; readonly archive: string; readonly iso: string };
  readonly iso: Buffer;
  readonly isoName: string;
  /** The text of the installer in the archive. */
  readonly program: string;
  /** Writes the checksums anew, after files were changed. */
  sign(): void;
  /** Tells the installer which ISO is its own. */
  nameIso(location: string, signature?: string): void;
}

export interface ReleaseMirrorOptions {
  readonly version?: string;
  readonly isoBytes?: number;
  readonly rule?: FaultRule;
}

function serve(response: ServerResponse, bytes: Buffer, range?: string, ifRange?: string): void {
  const etag = `"${sha256(bytes).slice(0, 16)}"`;
  const wanted = ifRange === undefined || ifRange === etag ? range : undefined;
  const served = parseRange(wanted, bytes.length);
  const headers = { etag, 'accept-ranges': 'bytes' };
  if (served.kind === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  } else if (served.kind === 'part') {
    const part = bytes.subarray(served.first, served.last + 1);
    const at = `bytes ${served.first}-${served.last}/${bytes.length}`;
    response.writeHead(206, { ...headers, 'content-range': at, 'content-length': part.length }).end(part);
  } else {
    response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
  }
}

/**
 * Starts a mirror that publishes one release as the public one does, with a double of openshift-install that names
 * a live ISO on the same mirror. A proxy before it damages what `rule` picks.
 */
export async function startReleaseMirror(options: ReleaseMirrorOptions = {}): Promise<ReleaseMirror> {
  const { version = '4.18.9', isoBytes = 3_000_000, rule = () => undefined } = options;
  const base = '/pub/x86_64/clients/ocp';
  const folder = `${base}/${version}`;
  const isoName = 'rhcos-418.94.1-0-live.x86_64.iso';
  const archiveName = `openshift-install-linux-${version}.tar.gz`;
  const paths = {
    sums: `${folder}/sha256sum.txt`,
    archive: `${folder}/${archiveName}`,
    iso: `/rhcos/${isoName}`,
  };
  const iso = madeBytes('a live ISO', isoBytes);
  const stream = join(tempFolder(), 'stream.json');
  const double = readFileSync('test/support/openshift-install-double.sh', 'utf8');
  const settings = `export DOUBLE_STREAM='${stream}' DOUBLE_VERSION="\${DOUBLE_VERSION:-${version}}"\n`;
  const program = double.replace(/^(#!.*\n)/, `$1${settings}`);
  const files = new Map<string, Buffer>([
    [paths.iso, iso],
    [
      `${base}/`,
      Buffer.from(
        '<a href="4.18.7/">x</a> <a href="4.18.10/">x</a> <a href="/pub/x86_64/clients/ocp/4.18.8/">x</a> <a href="4.17.1/">x</a>',
      ),
    ],
    [
      paths.archive,
      await tarGz([
        [{ name: 'README.md' }, 'read me'],
        [{ name: 'openshift-install', mode: 0o777 }, program],
      ]),
    ],
  ]);
  const server = await startFakeServer((request, response) => {
    const bytes = files.get(request.url ?? '');
    if (bytes === undefined) response.writeHead(404).end('<html>not found</html>');
    else serve(response, bytes, request.headers.range, request.headers['if-range']?.toString());
  });
  onTestFinished(() => server.close());
  const proxy = await startFaultProxy(server.host, rule);
  const sign = (): void => {
    const lines = [...files].flatMap(([path, bytes]) =>
      path.startsWith(`${folder}/openshift-`) ? [`${sha256(bytes)}  ${path.slice(folder.length + 1)}\n`] : [],
    );
    const other = `${sha256('other')}  openshift-client-linux-${version}.tar.gz\n`;
    files.set(paths.sums, Buffer.from(other + lines.join('')));
  };
  const nameIso = (location: string, signature?: string): void => {
    const disk = { location, sha256: sha256(iso), signature };
    const metal = { release: '418.94.1-0', formats: { iso: { disk }, pxe: { kernel: disk } } };
    writeFileSync(
      stream,
      JSON.stringify({ stream: 'made-up', architectures: { x86_64: { artifacts: { metal } } } }),
    );
  };
  sign();
  nameIso(`http://${proxy.host}${paths.iso}`);
  const template = `http://${proxy.host}/pub/{arch}/clients/ocp/{version}/`;
  return { template, server, proxy, files, paths, iso, isoName, program, sign, nameIso };
}
