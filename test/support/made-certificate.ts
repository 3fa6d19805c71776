import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface MadeCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a self-signed RSA certificate with openssl that is its own root, for the given names (SAN syntax). */
export function makeCertificate(names = 'IP:127.0.0.1,DNS:localhost'): MadeCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-certificate-'));
  try {
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=edgefab test',
    ];
    execFileSync(
      'openssl',
      [...request, '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', certificate],
      {
        stdio: 'ignore',
      },
    );
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
