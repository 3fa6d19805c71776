import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { localDnsStep, renderDnsmasqConf } from '../../../src/boot/patch/local-dns.ts';
import { loadOverlays } from '../../../src/boot/patch/overlay.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const overlays = await loadOverlays();
const CLUSTER = { clusterName: 'bip', domain: 'example.com' };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.2');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A DNS server that keeps the names it is asked for and knows none of them. */
async function ignorant(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const socket = createSocket('udp4', (query, from) => {
    const labels: string[] = [];
    for (let at = 12; (query[at] ?? 0) > 0; at += 1 + (query[at] ?? 0))
      labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)));
    asked.push(labels.join('.').toLowerCase());
    const answer = Buffer.from(query);
    // RFC 1035 section 4.1.1: QR, RA, RCODE 3 (no such name).
    answer.writeUInt16BE(0x8183, 2);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { port: socket.address().port, asked };
}

/** Runs dnsmasq with the configuration of the node, on another port, until the test is over. */
async function serve(addresses: readonly string[], upstream?: number): Promise<Resolver> {
  const port = await freePort();
  const folder = tempFolder();
  const conf = join(folder, 'dnsmasq.conf');
  const text = renderDnsmasqConf({ ...CLUSTER, nodeAddresses: addresses });
  writeFileSync(conf, text.replace('/run/NetworkManager/', `${folder}/`));
  const args = ['--keep-in-foreground', '--log-facility=-', `--conf-file=${conf}`, `--port=${port}`];
  if (upstream !== undefined) args.push(`--server=127.0.0.1#${upstream}`);
  const child = spawn('dnsmasq', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    if (child.kill('SIGKILL')) await once(child, 'close');
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  await expect.poll(() => log, { timeout: 10_000 }).toContain('started');
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([`127.0.0.2:${port}`]);
  return resolver;
}

async function code(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'an answer',
    (cause: NodeJS.ErrnoException) => cause.code ?? 'unknown',
  );
}

describe.skipIf(!haveTools('dnsmasq'))('dnsmasq on the node (needs dnsmasq)', () => {
  test.each([
    ['IPv4', ['192.0.2.5']],
    ['IPv6', ['2001:db8::5']],
    ['both', ['192.0.2.5', '2001:db8::5']],
  ])('accepts the configuration: %s', (_name, nodeAddresses) => {
    const conf = join(tempFolder(), 'dnsmasq.conf');
    writeFileSync(conf, renderDnsmasqConf({ ...CLUSTER, nodeAddresses }));
    const { status, stderr } = spawnSync('dnsmasq', ['--test', `--conf-file=${conf}`], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, expect.stringContaining('syntax check OK')]);
  });

  test('answers for the cluster on the node address, in the families it has', async () => {
    const resolver = await serve(['127.0.0.2', '2001:db8::5']);
    for (const name of ['api', 'api-int', 'console-openshift-console.apps', 'oauth-openshift.apps']) {
      expect(await resolver.resolve4(`${name}.bip.example.com`)).toEqual(['127.0.0.2']);
      expect(await resolver.resolve6(`${name}.bip.example.com`)).toEqual(['2001:db8::5']);
    }
  });

  test('answers on loopback too', async () => {
    const resolver = await serve(['127.0.0.2']);
    const [server = ''] = resolver.getServers();
    resolver.setServers([server.replace('127.0.0.2', '127.0.0.1')]);
    expect(await resolver.resolve4('api-int.bip.example.com')).toEqual(['127.0.0.2']);
  });

  test('asks others for what is not of the cluster, and only for that', async () => {
    const upstream = await ignorant();
    const resolver = await serve(['127.0.0.2'], upstream.port);
    const asks = [
      ['quay.io', 'ENOTFOUND'],
      ['other.example.com', 'ENOTFOUND'],
      ['nothing.bip.example.com', 'ENOTFOUND'],
      ['bip.example.com', 'ENOTFOUND'],
    ] as const;
    for (const [name, want] of asks)
      expect([name, await code(resolver.resolve4(name))]).toEqual([name, want]);
    // A name with an IPv4 address has no IPv6 one, and that is known here.
    expect(await code(resolver.resolve6('api.bip.example.com'))).toBe('ENODATA');
    expect(await code(resolver.resolve6('x.apps.bip.example.com'))).toBe('ENODATA');
    expect(new Set(upstream.asked)).toEqual(new Set(['quay.io', 'other.example.com']));
  });

  test('with the line cut says no at once', async () => {
    const resolver = await serve(['127.0.0.2']);
    const began = performance.now();
    expect(await code(resolver.resolve4('quay.io'))).toBe('EREFUSED');
    expect(performance.now() - began).toBeLessThan(1500);
  });
});

describe('the step local-dns', () => {
  const settings = { ...CLUSTER, nodeAddresses: ['192.0.2.5', '2001:db8::5'] };

  test('the live system gets api and api-int behind what its hosts file has', () => {
    const { ignition, report } = applyStep(bipIgnition(), localDnsStep(settings, overlays));
    expect(report.changes).toHaveLength(2);
    const hosts = ignition.files.find(({ path }) => path === '/etc/hosts');
    expect(hosts).toMatchObject({ append: [{ source: expect.stringMatching(/^data:/) }] });
    // Neither contents nor overwrite: the file of the system stays.
    expect([hosts?.contents, hosts?.overwrite]).toEqual([undefined, undefined]);
    expect(fileText(ignition, '/etc/hosts')).toBe(
      '# Made by edgefab\n192.0.2.5 api.bip.example.com api-int.bip.example.com\n2001:db8::5 api.bip.example.com api-int.bip.example.com\n',
    );
  });

  test('without a fixed address it is skipped, and says who must answer', () => {
    const step = localDnsStep({ ...CLUSTER, nodeAddresses: [] }, overlays);
    expect(step).toMatchObject({ changes: [], skipped: expect.stringContaining('a DNS server at the site') });
  });

  test.each([
    ['a name with a line break', { clusterName: 'bip\naddress=/x/1.1.1.1' }],
    ['a name with a slash', { domain: 'example.com/1.1.1.1' }],
    ['an empty domain', { domain: '' }],
    ['capital letters', { clusterName: 'Bip' }],
    ['a name too long', { domain: `${'a'.repeat(60)}.`.repeat(4).slice(0, -1) }],
    ['an address with its prefix', { nodeAddresses: ['192.0.2.5/24'] }],
    ['an address with a zone', { nodeAddresses: ['fe80::1%eth0'] }],
    ['two addresses of a family', { nodeAddresses: ['192.0.2.5', '192.0.2.6'] }],
  ])('refuses %s', (_name, wrong) => {
    expect(() => localDnsStep({ ...settings, ...wrong }, overlays)).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID' }),
    );
  });
});
