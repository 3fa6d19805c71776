import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryCertificates } from '../../src/boot/patch/registry-certificates.ts';
import { tempFolder } from './temp-folder.ts';

/** Makes a CA and a leaf for the registry on loopback with openssl. */
export function makeRegistryCertificates(): RegistryCertificates {
  const folder = tempFolder();
  const openssl = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
  };
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`req -x509 ${key} -keyout ca.key -out ca.crt -days 2 -subj /CN=edgefab-test-ca`);
  openssl(`req ${key} -keyout leaf.key -out leaf.csr -subj /CN=localhost`);
  openssl(
    'x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 2 -extfile names -out leaf.crt',
  );
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return { caPem: text('ca.crt'), certificatePem: text('leaf.crt'), keyPem: text('leaf.key') };
}
