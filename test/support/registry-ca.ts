import { randomBytes } from 'node:crypto';
import {
  issueRegistryLeaf,
  LOOPBACK,
  makeRegistryCa,
  type RegistryCa,
  type RegistryCaOptions,
  registryValidity,
} from '../../src/boot/certs/registry-ca.ts';
import type { MadeCertificate } from './made-certificate.ts';

export const BUILD_TIME = new Date('2026-11-21T12:00:00Z');

/** A registry CA with a fresh key. */
export function registryCa(options: Partial<RegistryCaOptions> = {}): RegistryCa {
  return makeRegistryCa({ ...registryValidity(BUILD_TIME), ...options }, { randomBytes });
}

/** The certificate a registry on loopback serves, in the form the tests' registry takes. */
export function loopbackLeaf(ca: RegistryCa): MadeCertificate {
  const { certPem, keyPem } = issueRegistryLeaf(ca, LOOPBACK, { randomBytes });
  return { certificate: certPem, key: keyPem };
}
