import { open } from 'node:fs/promises';
import { parsePcap } from '../../formats/pcap.ts';
import type { Found } from './guest-checks.ts';
import { describeTraffic, type NetworkTraffic } from './network-traffic.ts';
import { type MachinePlan, machineFiles } from './qemu-command.ts';

const MAX_CAPTURE_BYTES = 256 * 1024 ** 2;

/** Reads what the cards of a machine saw in these starts. Throws PCAP_INVALID. */
export async function capturedTraffic(plans: readonly MachinePlan[]): Promise<NetworkTraffic> {
  const frames = [];
  for (const path of plans.flatMap((plan) => machineFiles(plan).captures)) {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, MAX_CAPTURE_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    frames.push(...parsePcap(bytes.subarray(0, bytesRead), path));
  }
  frames.sort((one, other) => one.timeMs - other.timeMs);
  return describeTraffic(frames, plans[0]?.cards.map(({ mac }) => mac) ?? []);
}

/** Judges what went over the wire: nothing may have come from outside. */
export function trafficCheck({ payloadBytes, attempts, frames }: NetworkTraffic): Found {
  const tried = attempts.reduce((sum, { count }) => sum + count, 0);
  return {
    name: 'nothing from outside',
    state: payloadBytes === 0 ? 'good' : 'failed',
    detail: `${payloadBytes} bytes of payload received in ${frames} frames; asked for something ${tried} times`,
  };
}

/** Says what can be known of a machine that nobody can look into. */
export function seenFromOutside({ addresses, frames }: NetworkTraffic): string {
  const from = addresses.length === 0 ? 'from no address' : `from ${addresses.join(', ')}`;
  return `of the installed system only its network was seen: ${frames} frames, it sent ${from}`;
}
