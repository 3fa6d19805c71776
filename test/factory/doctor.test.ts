import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askTime } from '../../src/factory/doctor/ask-time.ts';
import { examineTarget } from '../../src/factory/doctor/examine-target.ts';
import { lookAtCache } from '../../src/factory/doctor/look-cache.ts';
import { lookAtClock } from '../../src/factory/doctor/look-clock.ts';
import { lookAtCacheLabels, lookAtInstallDisk } from '../../src/factory/doctor/look-disks.ts';
import { lookAtLink } from '../../src/factory/doctor/look-link.ts';
import { lookAtMemory } from '../../src/factory/doctor/look-memory.ts';
import { dnsLookup, lookAtNames } from '../../src/factory/doctor/look-names.ts';
import { lookAtTimeServers } from '../../src/factory/doctor/look-time-servers.ts';
import { lookAtTools } from '../../src/factory/doctor/look-tools.ts';
import { realHost } from '../../src/host/real-host.ts';
import { livePhase } from '../../src/mirror/plan/live-phase.ts';
import { makeCache } from '../support/made-cache.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { makeWholeDisk } from '../support/whole-disk.ts';

const at = (iso: string) => ({ now: () => new Date(iso) });

/** A folder laid out as /sys for network cards: name to MAC address and link. */
function cards(all: Readonly<Record<string, { mac: string; carrier: string; hardware?: boolean }>>): string {
  const sys = tempFolder();
  for (const [name, { mac, carrier, hardware = true }] of Object.entries(all)) {
    const folder = join(sys, 'class/net', name);
    mkdirSync(hardware ? join(folder, 'device') : folder, { recursive: true });
    writeFileSync(join(folder, 'address'), `${mac}\n`);
    writeFileSync(join(folder, 'carrier'), `${carrier}\n`);
  }
  return sys;
}

/** A time server (SNTP) that answers with what it is told to; gives its port. */
async function timeServer(answer: (question: Buffer) => Buffer): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (question, { port, address }) => socket.send(answer(question), port, address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => {
    socket.close();
  });
  return (socket.address() as AddressInfo).port;
}

function ntpAnswer(unixSeconds: number, change: { first?: number; stratum?: number } = {}): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = change.first ?? 0x24;
  packet[1] = change.stratum ?? 2;
  packet.writeUInt32BE((unixSeconds + 2_208_988_800) % 2 ** 32, 40);
  return packet;
}

describe('the clock', () => {
  test.each([
    ['2026-11-21T12:00:00Z', '1795262400', 'ok'],
    ['2026-11-21T12:00:00Z', '1795262100', 'ok'],
    ['2026-11-21T12:00:00Z', '946684800', 'note'],
    ['2000-01-01T00:00:00Z', '946684800', 'missing'],
  ])('at %s with a hardware clock at %s is %s', async (now, rtc, state) => {
    const sys = tempFolder();
    mkdirSync(join(sys, 'class/rtc/rtc0'), { recursive: true });
    writeFileSync(join(sys, 'class/rtc/rtc0/since_epoch'), `${rtc}\n`);
    expect(await lookAtClock(at(now), sys)).toMatchObject({ state });
    expect((await lookAtClock(at('2026-11-21T12:00:00Z'), tempFolder())).state).toBe('ok');
  });
});

describe('the link', () => {
  const UP = { mac: '28:d2:44:d3:ef:1c', carrier: '1' };
  const DOWN = { mac: '28:d2:44:d3:ef:1d', carrier: '0' };

  test.each<[string, Parameters<typeof cards>[0], string[], string[]]>([
    ['one card with a link', { eno1: UP }, [], ['ok link']],
    ['one without', { eno1: DOWN }, [], ['missing link']],
    ['only a bridge', { br0: { ...UP, hardware: false } }, [], ['missing link']],
    ['no card at all', {}, [], ['missing link']],
    ['the card the site names', { eno1: UP, eno2: DOWN }, [UP.mac.toUpperCase()], ['ok link']],
    ['the link is on another card', { eno1: UP, eno2: DOWN }, [DOWN.mac], ['missing link']],
    ['another machine', { eno1: UP }, ['00:00:00:00:00:01'], ['missing network card', 'missing link']],
  ])('%s', async (_, all, macs, wanted) => {
    const found = await lookAtLink(macs, cards(all));
    expect(found.map(({ state, what }) => `${state} ${what}`)).toEqual(wanted);
    expect(found.every(({ state, remedy }) => state === 'ok' || remedy !== undefined)).toBe(true);
  });
});

describe('the memory', () => {
  test.each([
    ['MemTotal:       32768000 kB\n', 'ok'],
    ['MemTotal:          1000 kB\n', 'missing'],
    ['nothing', 'note'],
  ])('%j is %s', async (text, state) => {
    const meminfo = join(tempFolder(), 'meminfo');
    writeFileSync(meminfo, text);
    const live = { ...livePhase([], { version: '4.18.9', mode: 'registry' }), ramBytes: 16 * 1024 ** 3 };
    expect(await lookAtMemory(live, meminfo)).toMatchObject({ state });
  });
});

describe('time servers', () => {
  test('that answer say how far this clock is from theirs', async () => {
    const port = await timeServer(() => ntpAnswer(1_795_262_430));
    expect(await askTime('127.0.0.1', at('2026-11-21T12:00:00Z'), port)).toBeCloseTo(30, 1);
  });

  test('after 2036 too, when their seconds begin anew', async () => {
    const port = await timeServer(() => ntpAnswer(2_240_000_000));
    expect(await askTime('127.0.0.1', at('2040-12-25T00:00:00Z'), port)).toBeCloseTo(
      2_240_000_000 - Date.parse('2040-12-25T00:00:00Z') / 1000,
      1,
    );
  });

  test.each([
    ['too short', () => Buffer.alloc(20), 'not NTP'],
    ['no server', () => ntpAnswer(0, { first: 0x23 }), 'not NTP'],
    ['without a time of its own', () => ntpAnswer(0, { stratum: 16 }), 'does not know the time'],
    ['kiss of death', () => ntpAnswer(0, { stratum: 0 }), 'does not know the time'],
  ])('%s: refused', async (_, answer, text) => {
    const port = await timeServer(answer);
    await expect(askTime('127.0.0.1', at('2026-11-21T12:00:00Z'), port)).rejects.toThrow(text);
  });

  test('that are silent or far off are worth a note', async () => {
    const asked = (offset: number) => async () => offset;
    const closed = await timeServer(() => Buffer.alloc(0));
    const now = at('2026-11-21T12:00:00Z');
    expect(await lookAtTimeServers(['a'], now, asked(1))).toMatchObject([{ state: 'ok' }]);
    expect(await lookAtTimeServers(['a'], now, asked(-4000))).toMatchObject([
      { state: 'note', detail: 'this clock is 4000.0 s ahead' },
    ]);
    expect(
      await lookAtTimeServers(['127.0.0.1'], now, (server, host) => askTime(server, host, closed)),
    ).toMatchObject([{ state: 'note', detail: 'it does not answer: the answer is not NTP' }]);
  });
});

const hasDns = haveTools('dnsmasq');
describe.skipIf(!hasDns)(`names of the cluster${hasDns ? '' : ' (SKIPPED: needs dnsmasq)'}`, () => {
  /** A real dnsmasq on a free port of loopback. */
  async function dnsServer(...lines: string[]): Promise<string> {
    const probe = createSocket('udp4');
    probe.bind(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const args = [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--bind-interfaces',
    ];
    const server = spawn(
      'dnsmasq',
      [...args, '--listen-address=127.0.0.1', `--port=${port}`, '--user=root', '--pid-file=', ...lines],
      { stdio: 'ignore' },
    );
    onTestFinished(() => {
      server.kill();
    });
    const lookup = dnsLookup([`127.0.0.1:${port}`]);
    for (let tries = 0; tries < 50; tries += 1) {
      const refused = await lookup('up.test').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      );
      if (!refused) break;
      await delay(50);
    }
    return `127.0.0.1:${port}`;
  }

  test.each<[string, string[], string[], string[]]>([
    ['all there', ['--address=/bip.example.com/192.168.86.45'], ['192.168.86.45'], ['ok', 'ok', 'ok']],
    [
      'apps forgotten',
      ['--address=/api.bip.example.com/192.168.86.45', '--address=/api-int.bip.example.com/192.168.86.45'],
      ['192.168.86.45'],
      ['ok', 'ok', 'missing'],
    ],
    [
      'another node',
      ['--address=/bip.example.com/192.168.86.99'],
      ['192.168.86.45'],
      ['missing', 'missing', 'missing'],
    ],
    ['an address nobody said', ['--address=/bip.example.com/192.168.86.99'], [], ['ok', 'ok', 'ok']],
  ])('%s', async (_, lines, addresses, wanted) => {
    const server = await dnsServer(...lines);
    const found = await lookAtNames('bip.example.com', addresses, dnsLookup([server]));
    expect(found.map(({ state }) => state)).toEqual(wanted);
    expect(found.at(-1)?.what).toBe('name console-openshift-console.apps.bip.example.com');
  });

  test('a server that is not there is told apart from a name that is not', async () => {
    const probe = createSocket('udp4');
    probe.bind(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const [first] = await lookAtNames('bip.example.com', [], dnsLookup([`127.0.0.1:${port}`]));
    expect(first).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('no name server answers'),
    });
  });
});

test('tools that are not there are named with what they are for and the package that has them', async () => {
  const tool = { program: 'no-such-tool', purpose: 'does it', versionArgs: ['-V'], packages: 'toolkit' };
  expect(await lookAtTools([tool], 'missing', realHost)).toEqual([
    {
      what: 'no-such-tool',
      state: 'missing',
      detail: 'it is not on PATH, and does it',
      remedy: 'Install the package toolkit',
    },
  ]);
});

describe('the cache', () => {
  const IMAGES = { 'quay.io/org/one': { base: 90_000 } };
  const verify = { parallel: 2 };

  test('that is whole is read to the last byte on request', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    expect(await lookAtCache(root, undefined)).toMatchObject({ findings: [{ state: 'ok' }] });
    expect(await lookAtCache(root, verify)).toMatchObject({
      findings: [{ state: 'ok', detail: expect.stringContaining('bytes read and right') }],
    });
  });

  test('that is damaged says where, and only verify sees it', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const blobs = join(root, 'blobs', 'sha256');
    for (const name of readdirSync(blobs)) truncateSync(join(blobs, name), 3);
    expect(await lookAtCache(root, verify)).toMatchObject({
      findings: [{ state: 'missing', detail: expect.stringContaining('things in it are wrong') }],
    });
  });

  test('that is none says so', async () => {
    expect(await lookAtCache(tempFolder(), undefined)).toMatchObject({
      findings: [{ state: 'missing', remedy: expect.any(String) }],
    });
  });
});

describe.skipIf(!canMount)(`disks${canMount ? '' : ' (SKIPPED: needs root and a loop device)'}`, () => {
  test.each([
    [200, 'ok', 'blank'],
    [100, 'missing', 'too small'],
  ])('an install disk of %i GiB is %s', async (gib, state, text) => {
    const { device } = makeWholeDisk(gib * 1024 ** 3, 512);
    const found = await lookAtInstallDisk(device, realHost);
    expect(found).toMatchObject({ state, detail: expect.stringContaining(text) });
  });
});

test('an install disk that is not there says where to look', async () => {
  expect(await lookAtInstallDisk('/dev/disk/by-id/none', realHost)).toMatchObject({
    state: 'missing',
    remedy: expect.stringContaining('/dev/disk/by-id'),
  });
});

test('two partitions with the label of a cache are one too many', async () => {
  const lookup = async (label: string) => (label === 'edgefab' ? ['/dev/sdb1', '/dev/sdc1'] : []);
  expect(await lookAtCacheLabels(realHost, lookup)).toMatchObject([
    { what: 'label edgefab', state: 'missing', detail: '2 partitions have it: /dev/sdb1, /dev/sdc1' },
    { what: 'label edgefab-node', state: 'ok' },
  ]);
});

test('the machine to be installed is looked over whole, and every fault has its remedy', async () => {
  const root = await makeCache(tempFolder(), { 'quay.io/org/one': { base: 90_000 } });
  const target = { cache: root, addresses: [], dnsServers: [], timeServers: ['127.0.0.1'], macs: [] };
  const findings = await examineTarget(target, { uid: 1000 }, realHost);
  expect(findings.find(({ what }) => what === 'rights')).toMatchObject({ state: 'missing' });
  expect(findings.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      'sgdisk',
      'mkfs.xfs',
      `cache ${root}`,
      'memory',
      'clock',
      'link',
      'time server 127.0.0.1',
    ]),
  );
  expect(findings.every(({ state, remedy }) => state === 'ok' || remedy !== undefined)).toBe(true);
});
