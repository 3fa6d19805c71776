import { X509Certificate } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { extendCertificates } from '../../../src/boot/certs/extend-certificates.ts';
import { mapIgnitionTexts } from '../../../src/boot/certs/ignition-texts.ts';
import { inventory } from '../../../src/boot/certs/inventory.ts';
import { mapPem } from '../../../src/boot/certs/map-pem.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { EdgefabError } from '../../../src/errors.ts';
import type { DemoFile } from '../../../src/factory/demo/demo-ignition-options.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import {
  DAY_MS,
  EXTENDED_AT,
  keyPem,
  MADE_AT,
  type Made,
  madeCertificate,
  madeKey,
} from '../../support/made-pki.ts';

const KINDS = ['P-256 SEC1', 'P-384 PKCS#8', 'RSA PKCS#1', 'RSA PKCS#8'] as const;

/** mulberry32: small, seeded, good enough to choose cases. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const PLACES: ((pem: string) => string)[] = [
  (pem) => pem,
  (pem) => `${pem}\n`,
  (pem) => pem.replaceAll('\n', '\r\n'),
  (pem) => `data:\n  ca: |\n${pem.replace(/^/gm, '    ')}\n`,
  (pem) => `${JSON.stringify({ ca: pem })}\n`,
  (pem) => `x: ${base64(pem)}\n`,
  (pem) => `userData: ${base64(JSON.stringify({ source: `data:;base64,${base64(pem)}` }))}\n`,
  (pem) => `source: data:,${encodeURIComponent(pem)}\n`,
  (pem) => `source: data:;base64,${base64(gzipSync(pem, { level: 9 }))}\n`,
];

/** A config with a made-up forest of CAs and leaves, some keys withheld, in a made-up mix of places. */
function madeConfig(seed: number): Ignition {
  const next = random(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const pick = <T>(from: readonly T[], or: T): T => from[below(from.length)] ?? or;
  const files: DemoFile[] = [];
  const cas: Made[] = [];
  const all: Made[] = [];
  const count = 2 + below(8);
  for (let at = 0; at < count; at++) {
    const issuer = cas.length > 0 && next() < 0.7 ? cas[below(cas.length)] : undefined;
    const ca = issuer === undefined || next() < 0.4;
    const kind = pick(KINDS, 'P-256 SEC1');
    const key = madeKey(kind, at);
    const made = madeCertificate({
      organization: `seed ${seed}`,
      commonName: `number ${at}`,
      key,
      issuer,
      ca,
      days: pick([1, 1, 5, 30, 365, 3650], 1),
      from: new Date(MADE_AT.getTime() + below(1000) * 1000),
    });
    all.push(made);
    if (ca) cas.push(made);
    // In three of four the key is there.
    if (next() < 0.75) files.push({ path: `/x/${seed}-${at}.key`, mode: 0o600, text: keyPem(kind, key) });
    files.push({ path: `/x/${seed}-${at}.crt`, mode: 0o600, text: made.pem });
  }
  for (let at = 0; at < 4; at++) {
    const place = pick(PLACES, (pem) => pem);
    const bundle = all.filter(() => next() < 0.5).map(({ pem }) => pem);
    files.push({ path: `/x/bundle-${at}`, mode: 0o644, text: `before\n${place(bundle.join(''))}\nafter\n` });
  }
  return bipIgnition({ extraFiles: files });
}

/** Puts other certificates in the places of some, by their bytes in base64. */
function swap(ignition: Ignition, ders: ReadonlyMap<string, Uint8Array>): Ignition {
  return mapIgnitionTexts(ignition, ({ text }) => mapPem(text, ({ der }) => ders.get(base64(der))));
}

function certificatesById(ignition: Ignition): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  mapIgnitionTexts(ignition, ({ text }) =>
    mapPem(text, ({ label, der }) => {
      if (label === 'CERTIFICATE')
        found.set(new X509Certificate(der).fingerprint256.replaceAll(':', '').toLowerCase(), der);
      return undefined;
    }),
  );
  return found;
}

describe('made-up trees of certificates, each with its seed', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed + 1))('%d', (seed) => {
    const before = madeConfig(seed);
    const validForMs = [2, 30, 400, 3000][seed % 4] ?? 30;
    const life = { validForMs: validForMs * DAY_MS, now: EXTENDED_AT, allowShorter: true };
    const horizon = EXTENDED_AT.getTime() + life.validForMs;
    const { ignition: after, changes, short } = extendCertificates(before, life);

    // Whatever is said to be short is; everything else lasts.
    const shortNames = new Set(short.map(({ subject }) => subject));
    for (const each of inventory(after).certificates)
      if (!each.outside && !shortNames.has(each.subject))
        expect(each.notAfter.getTime(), each.subject).toBeGreaterThanOrEqual(horizon);
    for (const { notAfter } of short) expect(notAfter.getTime()).toBeLessThan(horizon);

    // No copy of an old one is left, and each new one verifies within its issuer's life.
    const [old, now] = [certificatesById(before), certificatesById(after)];
    const parsed = [...now.values()].map((der) => new X509Certificate(der));
    for (const { sha256, signedBy, after: dates } of changes) {
      expect(now.has(sha256.before)).toBe(false);
      const certificate = new X509Certificate(now.get(sha256.after) ?? new Uint8Array());
      const issuer = parsed.find(
        (each) => each.subject.replaceAll('\n', ', ') === signedBy && certificate.verify(each.publicKey),
      );
      expect(certificate.validToDate).toEqual(dates.notAfter);
      expect(issuer?.validFromDate.getTime()).toBeLessThanOrEqual(dates.notBefore.getTime());
      expect(issuer?.validToDate.getTime()).toBeGreaterThanOrEqual(dates.notAfter.getTime());
    }

    // The old ones put back give the very text that was read.
    const back = new Map(
      changes.map(({ sha256 }) => [
        base64(now.get(sha256.after) ?? ''),
        old.get(sha256.before) ?? new Uint8Array(),
      ]),
    );
    expect(swap(after, back).text === before.text).toBe(true);
    // Where all could be done there is nothing left to do.
    if (short.length === 0) expect(extendCertificates(after, life).ignition.text === after.text).toBe(true);
  });
});

describe('a config that is damaged anywhere gives a result or a clear error', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed + 1001))('%d', (seed) => {
    const next = random(seed);
    const { text } = madeConfig(seed % 7);
    for (let round = 0; round < 10; round++) {
      const at = Math.floor(next() * text.length);
      const other = '{}"\\,:-=AaMI\n%'[Math.floor(next() * 14)] ?? ' ';
      const damaged = text.slice(0, at) + other + text.slice(at + Math.floor(next() * 3));
      try {
        const life = { validForMs: 30 * DAY_MS, now: EXTENDED_AT };
        extendCertificates(parseIgnitionText(damaged, 'damaged.ign'), life);
      } catch (error) {
        expect(error).toBeInstanceOf(EdgefabError);
        expect((error as EdgefabError).code).not.toBe('CERTIFICATE_PROOF_FAILED');
        expect((error as EdgefabError).message).not.toContain('PRIVATE KEY');
      }
    }
  });
});
