import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { openButane } from '../../../src/boot/ignition/butane-engine.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { parseIgnition, serializeIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { validateIgnition } from '../../../src/boot/ignition/validate-ignition.ts';
import { patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { stepFacts } from '../../../src/boot/patch/step-facts.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM } from '../../support/butane.ts';
import { fullOverlays } from '../../support/full-overlays.ts';
import { CA_KEY, CERTIFICATES, fullPatch, LINES, REAL_LINES } from '../../support/full-patch.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const judges = HAS_IGNITION_VALIDATE ? '' : ' (SKIPPED: no ignition-validate on PATH)';

/** What Ignition's own validator and edgefab's say, as texts without places, which any edit moves. */
async function findings(ignition: Ignition): Promise<string[]> {
  const bytes = serializeIgnition(ignition);
  const report = await validateIgnition(Buffer.from(bytes).toString(), 'a.ign', await openButane());
  expect(report.missing).toBeUndefined();
  return report.findings.map(({ level, message }) => `${level}: ${message}`).sort();
}

/** Patches with every step on, and again, also after a way through a file; judges what comes out. */
async function judge(before: Ignition, version: string, location: 'usb' | 'installDisk'): Promise<void> {
  const options = fullPatch(before, { version, location, userOverlays: fullOverlays() });
  const once = await patchIgnition(before, options);
  const read = parseIgnition(serializeIgnition(once.ignition), 'read.ign');
  for (const again of [once.ignition, read]) {
    const twice = await patchIgnition(again, options);
    expect(twice.report.flatMap(({ changes }) => changes)).toEqual([]);
    expect(twice.ignition.text).toBe(once.ignition.text);
  }
  expect(ignitionValidate(serializeIgnition(once.ignition))).toBe('');
  const known = await findings(before);
  expect((await findings(once.ignition)).filter((finding) => !known.includes(finding))).toEqual([]);
  const configs = once.ignition.files.flatMap(({ path }) => {
    const text = /^\/opt\/openshift\/openshift\/99_edgefab/.test(path)
      ? fileText(once.ignition, path)
      : undefined;
    const manifest = text === undefined ? undefined : parseYaml(text);
    return manifest?.kind === 'MachineConfig' ? [[path, JSON.stringify(manifest.spec.config)] as const] : [];
  });
  expect(configs.length).toBeGreaterThan(6);
  for (const [path, config] of configs) expect([path, ignitionValidate(config)]).toEqual([path, '']);
}

const PLACES = ['usb', 'installDisk'] as const;

describe.skipIf(!HAS_WASM || !HAS_IGNITION_VALIDATE)(
  `with every step on, Ignition and butane-wasm find nothing new, and twice is once${NEEDS_WASM}${judges}`,
  () => {
    for (const location of PLACES) {
      test.each(LINES)(`made-up $version, cache on ${location}`, async ({ shape, version }) => {
        await judge(bipIgnition({ line: shape }), version, location);
      });
      describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
        test.each(REAL_LINES)(`$name, cache on ${location}`, async ({ name, version }) => {
          await judge(await loadIgnition(join(FIXTURES ?? '', 'ignition', `${name}.ign`)), version, location);
        });
      });
    }
  },
);

test.each(['registry', 'preload'] as const)(
  'in mode %s every step tells what it does and why',
  async (mode) => {
    const before = bipIgnition();
    const options = { ...fullPatch(before, { version: '4.18.9', mode }), explain: true };
    const { report } = await patchIgnition(before, options);
    for (const { name, why, changes, explained } of report) {
      expect(why.length).toBeGreaterThan(10);
      expect(explained).toMatchObject(stepFacts(name));
      expect(explained?.differences.length).toBe(changes.length);
      for (const difference of explained?.differences ?? []) expect(difference.length).toBeGreaterThan(0);
    }
    const told = JSON.stringify(report);
    for (const pem of [CERTIFICATES.keyPem, CA_KEY])
      for (const line of pem.split('\n').slice(1, -2)) expect(told).not.toContain(line);
    expect(told).toContain(
      mode === 'registry' ? '/etc/edgefab/tls/registry.key' : '/etc/edgefab/preload.env',
    );
  },
);

test('without being asked a report tells no step at length', async () => {
  const before = bipIgnition();
  const { report } = await patchIgnition(before, fullPatch(before, { version: '4.18.9' }));
  expect(report.filter(({ explained }) => explained !== undefined)).toEqual([]);
});
