import { mkdirSync, writeFileSync } from 'node:fs';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { loadRegistryCertificates } from '../../src/oci/registry-certificates.ts';
import { makeCertificate } from '../support/made-certificate.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestHost } from '../support/test-host.ts';
import { haveTools } from '../support/tools.ts';

const noOpenssl = haveTools('openssl') ? '' : ' (skipped: needs openssl)';
const manifest = Buffer.from('{"schemaVersion":2}');

/** A folder that stands for / and HOME, and a function that lays files into it. */
function machine() {
  const folder = tempFolder();
  const put = (name: string, text: string): void => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const load = (domain: string, env: Record<string, string> = {}) =>
    loadRegistryCertificates(domain, { env, homeDir: join(folder, 'home') }, join(folder, 'etc'));
  return { folder, put, load };
}

describe.skipIf(noOpenssl !== '')(`certs.d${noOpenssl}`, () => {
  const made = noOpenssl === '' ? makeCertificate() : { certificate: '', key: '' };
  const client = noOpenssl === '' ? makeCertificate('DNS:technician') : made;

  test('the user’s folder before containers’ before docker’s; nothing where there is none', async () => {
    const { put, load, folder } = machine();
    expect(await load('r.io:5000')).toEqual({ authorities: [], client: [] });
    const other = makeCertificate('DNS:other');
    put('etc/docker/certs.d/r.io:5000/ca.crt', made.certificate);
    expect((await load('r.io:5000')).authorities).toEqual([made.certificate]);
    expect((await load('r.io')).authorities).toEqual([]);
    put('etc/containers/certs.d/r.io:5000/a.crt', other.certificate);
    expect((await load('r.io:5000')).authorities).toEqual([other.certificate]);
    put('home/.config/containers/certs.d/r.io:5000/x.cert', client.certificate);
    put('home/.config/containers/certs.d/r.io:5000/x.key', client.key);
    put('home/.config/containers/certs.d/r.io:5000/README', 'not ours');
    expect(await load('r.io:5000')).toEqual({
      authorities: [],
      client: [{ certificate: client.certificate, key: client.key }],
    });
    const moved = await load('r.io:5000', { XDG_CONFIG_HOME: join(folder, 'elsewhere') });
    expect(moved.authorities).toEqual([other.certificate]);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a .crt that is none', { 'ca.crt': 'hunter2' }, /ca\.crt: is not a PEM certificate/],
    [
      'a .cert without its key',
      { 'c.cert': made.certificate },
      /has no c\.key beside it; a CA’s name ends in \.crt/,
    ],
    ['a .key without its certificate', { 'c.key': made.key }, /has no c\.cert beside it/],
    [
      'a key of another certificate',
      { 'c.cert': made.certificate, 'c.key': client.key },
      /c\.cert: and c\.key are not/,
    ],
    ['a key that is none', { 'c.cert': made.certificate, 'c.key': 'hunter2' }, /c\.cert: and c\.key are not/],
  ])('refuses %s', async (_, files, message) => {
    const { put, load } = machine();
    for (const [name, text] of Object.entries(files)) put(`etc/containers/certs.d/r.io/${name}`, text);
    const error = await load('r.io').catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'CERTIFICATES_INVALID',
      exitCode: 3,
      message: expect.stringMatching(message),
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  test('the authority makes a registry trusted, the client certificate is shown to it alone', async () => {
    const seen: string[] = [];
    const serve = async (name: string, location?: string): Promise<string> => {
      const options = { cert: made.certificate, key: made.key, requestCert: true, rejectUnauthorized: false };
      const server = https.createServer(options, (request, response) => {
        const peer = (request.socket as TLSSocket).getPeerCertificate();
        seen.push(`${name} ${request.url} ${peer.subjectaltname ?? 'nobody'}`);
        if (location !== undefined && request.url !== '/v2/') response.writeHead(307, { location }).end();
        else response.end(manifest);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => {
        server.close();
        server.closeAllConnections();
      });
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const cdn = await serve('cdn');
    const registry = await serve('registry', `https://${cdn}/content`);
    const { put, load } = machine();
    put(`etc/containers/certs.d/${registry}/ca.crt`, made.certificate);
    put(`etc/containers/certs.d/${registry}/me.cert`, client.certificate);
    put(`etc/containers/certs.d/${registry}/me.key`, client.key);
    const open = createRegistryClient(
      {
        credentials: { find: async () => undefined },
        certificatesFor: (domain) => load(domain),
        retryTimes: 0,
      },
      makeTestHost(),
    );
    onTestFinished(() => open.close());
    expect((await open.getManifest(parseReference(`${registry}/a:v1`))).digest).toBe(digestOf(manifest));
    expect(seen).toEqual([
      'registry /v2/ DNS:technician',
      'registry /v2/a/manifests/v1 DNS:technician',
      'cdn /content nobody',
    ]);
    // Another registry with the same certificate has no folder of its own, so it is not trusted.
    await expect(open.getManifest(parseReference(`${cdn}/a:v1`))).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('certificate is not trusted'),
    });
  });
});
