import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';

export const TLS = '/opt/openshift/tls/';

/** The blocks of a file of a config, each as PEM; also from base64 in a kubeconfig. */
export function pemsOf(ignition: Ignition, path: string): string[] {
  const text = fileText(ignition, path) ?? '';
  const inner = Array.from(text.matchAll(/LS0tLS1CRUdJ[A-Za-z0-9+/=]+/g), ([run]) =>
    Buffer.from(run, 'base64').toString('latin1'),
  );
  return [text, ...inner].flatMap(
    (each) => each.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [],
  );
}

function openssl(args: readonly string[], input?: Uint8Array): string {
  return execFileSync('openssl', [...args], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'], input });
}

/** Whether openssl verifies a leaf against a bundle at a time, for a use and (a server's) a host name. */
export type Verify = (leaf: string, bundle: readonly string[], at: Date, use: readonly string[]) => boolean;

export function opensslVerify(): Verify {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-verify-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return (leaf, bundle, at, use) => {
    const [leafFile, bundleFile] = [join(folder, 'leaf.pem'), join(folder, 'bundle.pem')];
    writeFileSync(leafFile, leaf);
    writeFileSync(bundleFile, bundle.join('\n'));
    const time = String(Math.floor(at.getTime() / 1000));
    try {
      openssl(['verify', '-CAfile', bundleFile, '-attime', time, ...use, leafFile]);
      return true;
    } catch {
      return false;
    }
  };
}

/** Offset and length of serial number, validity and signature in a certificate, as openssl tells them. */
function datedParts(der: Uint8Array): [number, number][] {
  const rows = openssl(['asn1parse', '-inform', 'DER'], der)
    .split('\n')
    .flatMap((line) => {
      const [, offset, depth, head, length, kind] =
        /^\s*(\d+):d=(\d+)\s+hl=(\d+) l=\s*(\d+) \w+:\s+(\w+)/.exec(line) ?? [];
      return offset === undefined
        ? []
        : [{ offset: Number(offset), depth: Number(depth), length: Number(head) + Number(length), kind }];
    });
  const fields = rows.filter(({ depth }) => depth === 2);
  const serial = fields.find(({ kind }) => kind === 'INTEGER');
  // Algorithm, issuer, validity.
  const validity = fields.filter(({ kind }) => kind === 'SEQUENCE')[2];
  const signature = rows.find(({ depth, kind }) => depth === 1 && kind === 'BIT');
  return [serial, validity, signature].map((row) => [row?.offset ?? 0, row?.length ?? 0]);
}

/** A certificate as hex with those three parts cut out, so that what must not change can be compared. */
export function undatedHex(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  let at = 0;
  const kept: Buffer[] = [];
  for (const [offset, length] of datedParts(der)) {
    kept.push(der.subarray(at, offset));
    at = offset + length;
  }
  // The outer lengths change with the length of an ECDSA signature.
  return Buffer.concat([...kept, der.subarray(at)])
    .subarray(8)
    .toString('hex');
}
