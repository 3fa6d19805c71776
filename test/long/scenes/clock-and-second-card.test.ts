import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CapturedFrame, parsePcap } from '../../../src/formats/pcap.ts';
import { LAB_NETWORK, makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, checkOf, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

const OTHER_MAC = '52:54:00:0e:0e:01';
const ARP = 0x0806;
const IPV4 = 0x0800;

/** The IPv4 address a frame says it comes from; undefined for other protocols. */
function senderOf(frame: Buffer): string | undefined {
  const type = frame.readUInt16BE(12);
  // RFC 826 and RFC 791, behind 14 bytes of Ethernet.
  const at = type === ARP ? 28 : type === IPV4 ? 26 : undefined;
  return at === undefined ? undefined : [...frame.subarray(at, at + 4)].join('.');
}

function sendersOf(frames: readonly CapturedFrame[], mac: string): Set<string | undefined> {
  const own = Buffer.from(mac.replaceAll(':', ''), 'hex');
  return new Set(
    frames.filter(({ bytes }) => bytes.subarray(6, 12).equals(own)).map(({ bytes }) => senderOf(bytes)),
  );
}

describe.skipIf(!canRehearse)(`scene: a dead battery, and a second card${whyNoScene}`, () => {
  test(
    'the clock goes from 2000 to the time of the build; only the card with the MAC of the site has its address',
    async () => {
      const site = await makeLabSite({ line: '4.18', version: '4.18.9', liveIso: await labIso() });
      const capture = join(site.folder, 'other.pcap');
      // Two things at once that have nothing to do with each other: each start of a machine takes minutes.
      const scene = await rehearse(site, {
        qemu: {
          before: [
            ...['-netdev', 'user,id=other,restrict=on,net=10.77.0.0/24'],
            ...['-device', `virtio-net-pci,netdev=other,mac=${OTHER_MAC}`],
            ...['-object', `filter-dump,id=otherdump,netdev=other,file=${capture}`],
          ],
          after: ['-rtc', 'base=2000-01-01T00:00:00'],
        },
      });
      // The machine really began there, and was set right before anything looked at a certificate.
      expect(scene.console).toMatch(/setting system clock to 2000-01-01T00:00/);
      expect(scene.console).toMatch(/edgefab: set - the clock said \S+, before this build: now \S+/);
      expectPassed(scene);

      const { mac, address, gateway, dns } = LAB_NETWORK;
      expect(checkOf(scene, 'host name').detail).toBe('bip');
      expect(checkOf(scene, 'address').detail).toBe(address);
      expect(checkOf(scene, 'gateway').detail).toBe(gateway);
      expect(checkOf(scene, 'name servers').detail).toBe(dns);

      const own = readFileSync(join(site.folder, 'out/bip/rehearsal/network-0.pcap'));
      const [plain] = address.split('/');
      expect(sendersOf(parsePcap(own, 'network-0.pcap'), mac)).toContain(plain);
      const other = sendersOf(parsePcap(readFileSync(capture), capture), OTHER_MAC);
      expect(other.size).toBeGreaterThan(0);
      expect(other).not.toContain(plain);
    },
    SCENE_MS,
  );
});
