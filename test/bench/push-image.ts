import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../../src/oci/digest.ts';

/** Bytes in memory, or in a file where they are many. */
export interface PushedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly from: Buffer | { readonly file: string };
}

interface Sent {
  readonly status: number;
  readonly location: string | undefined;
}

function send(url: URL, method: string, headers: Record<string, string>, body?: Readable): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, (response) => {
      response.resume();
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location }),
      );
    });
    asked.once('error', reject);
    if (body === undefined) asked.end();
    else pipeline(body, asked).catch(reject);
  });
}

function expectStatus(sent: Sent, want: number, what: string): void {
  if (sent.status !== want) throw new Error(`${what}: HTTP ${sent.status}, want ${want}`);
}

/** Uploads a blob whole to a plain-http registry without access control (distribution-spec, "Pushing blobs"). */
export async function pushBlob(host: string, repository: string, blob: PushedBlob): Promise<void> {
  const what = `${repository}, blob ${blob.digest}`;
  const opened = await send(new URL(`http://${host}/v2/${repository}/blobs/uploads/`), 'POST', {
    'content-length': '0',
  });
  expectStatus(opened, 202, what);
  const url = new URL(opened.location ?? '', `http://${host}`);
  url.searchParams.set('digest', blob.digest);
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(blob.sizeBytes),
  };
  const { from } = blob;
  const body = Buffer.isBuffer(from) ? Readable.from([from]) : createReadStream(from.file);
  expectStatus(await send(url, 'PUT', headers, body), 201, what);
}

/** Puts a manifest under a tag or its digest; its blobs must be there. */
export async function pushManifest(
  host: string,
  repository: string,
  reference: string,
  { bytes, mediaType }: { readonly bytes: Buffer; readonly mediaType: string },
): Promise<void> {
  const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
  const url = new URL(`http://${host}/v2/${repository}/manifests/${reference}`);
  expectStatus(await send(url, 'PUT', headers, Readable.from([bytes])), 201, `${repository} ${reference}`);
}
