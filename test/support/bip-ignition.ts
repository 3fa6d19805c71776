import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import type {
  DemoFile,
  DemoIgnitionOptions,
  DemoLine,
} from '../../src/factory/demo/demo-ignition-options.ts';

export type { DemoIgnitionOptions, DemoLine };

export const RELEASE_IMAGE = `quay.io/made-up/release@sha256:${'1'.repeat(64)}`;

/** A made-up bootstrap-in-place config, parsed. */
export function bipIgnition(options: Partial<DemoIgnitionOptions> = {}): Ignition {
  const bytes = demoBipIgnition({
    clusterName: 'bip',
    domain: 'example.com',
    installDisk: '/dev/sda',
    releaseImage: RELEASE_IMAGE,
    ...options,
  });
  return parseIgnition(bytes, 'made-up.ign');
}

/** The folder of shared conformance data, when the tests are told about one. */
export const FIXTURES = process.env.EDGEFAB_FIXTURES;

/** A signer and a leaf certificate with their keys, made by openssl, as files of a made-up config. */
export function tlsFiles(): DemoFile[] {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-tls-'));
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  try {
    const key = ['-newkey', 'rsa:2048', '-nodes'];
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '1',
      '-subj',
      '/OU=openshift/CN=kubelet-signer',
    );
    openssl(
      'req',
      ...key,
      '-keyout',
      'leaf.key',
      '-out',
      'leaf.csr',
      '-subj',
      '/O=kube-master/CN=system:kube-apiserver',
    );
    openssl(
      'x509',
      '-req',
      '-in',
      'leaf.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-set_serial',
      '7',
      '-days',
      '30',
      '-out',
      'leaf.crt',
    );
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const tls = (name: string, content: string): DemoFile => ({
      path: `/opt/openshift/tls/${name}`,
      mode: 0o600,
      text: content,
    });
    return [
      tls('kubelet-signer.key', text('ca.key')),
      tls('kubelet-signer.crt', text('ca.crt')),
      tls('kube-apiserver-localhost-server.key', text('leaf.key')),
      tls('kube-apiserver-localhost-server.crt', `${text('leaf.crt')}\n${text('ca.crt')}`),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
