import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isSecretFile, isSecretText } from '../../../src/boot/ignition/secret.ts';

const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const KEY = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----\n`;
const KUBECONFIG = `users:\n- name: a\n  user:\n    client-key-data: ${b64(KEY)}\n`;
const lines = (text: string): string => (text.match(/.{1,64}/g) ?? []).join('\n    ');

describe('secrets are found', () => {
  test.each([
    ['a private key', KEY],
    ['an RSA private key', KEY.replaceAll('PRIVATE', 'RSA PRIVATE')],
    ['an OpenSSH private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['a pull secret', '{"auths":{"quay.io":{"auth":"eA=="}}}'],
    ['a kubeconfig', KUBECONFIG],
    ['a kubeconfig as JSON', JSON.stringify({ 'client-key-data': 'x' })],
    ['a Secret', 'apiVersion: v1\nkind: Secret\n'],
    ['a Secret in a List', 'items:\n- kind: Secret\n'],
    ['a password hash', 'core:$6$saltsalt$abcdefghijklmnop'],
    ['a yescrypt hash', 'root:$y$j9T$saltsaltsalt$hashhashhash'],
    ['a user of a MachineConfig', 'passwd:\n  users:\n  - passwordHash: x\n'],
    ['a token of a kubeconfig', 'user:\n    token: abc\n'],
    ['a token in JSON', '{"identitytoken": "abc"}'],
    ['an OpenShift token', 'curl -H x sha256~abcdefghijklmnopqrstuvwxyz0123456789abcdefg'],
    ['a web token', 'x eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl'],
    ['a header', 'Authorization: Bearer abcdefghijk'],
    ['a URL with a password', 'proxy=http://me:hush@proxy:3128'],
    ['a Wi-Fi key', '[wifi-security]\npsk=hush\n'],
    ['a key in base64', `data: ${b64(KEY)}`],
    ['a key in base64 over lines', `data: |\n    ${lines(b64(KEY))}\n`],
    ['a key in base64 in base64', `a: ${b64(`b: ${b64(KEY)}`)}`],
    ['a key in a data URL', `source: data:,${encodeURIComponent(KEY)}`],
    ['a key in a compressed data URL', `source: data:;base64,${b64(gzipSync(KEY))}`],
    [
      'a kubeconfig in a MachineConfig in a manifest',
      `source: data:;base64,${b64(`x: data:,${encodeURIComponent(KUBECONFIG)}`)}`,
    ],
  ])('%s', (_name, text) => {
    expect(isSecretText(text)).toBe(true);
    expect(isSecretFile('/etc/x', Buffer.from(text))).toBe(true);
    expect(isSecretFile('/etc/x.gz', gzipSync(text))).toBe(true);
  });
  test('what is packed and cannot be looked into', () => {
    expect(isSecretFile('/x', gzipSync(KEY).subarray(0, 20))).toBe(true);
    expect(isSecretFile('/x', gzipSync(Buffer.alloc(20_000_000)))).toBe(true);
  });
});

describe('what is no secret is shown', () => {
  test.each([
    ['a script', '#!/bin/bash\nTOKEN=$(curl localhost)\necho "password"\n'],
    ['a certificate', `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\n-----END CERTIFICATE-----\n`],
    ['a digest', `quay.io/a/b@sha256:${'0'.repeat(64)}`],
    ['a long word', 'a'.repeat(1000)],
    ['a manifest with a file in it', `source: data:;base64,${b64('[main]\nplugins=keyfile\n'.repeat(5))}`],
    ['a reference to a Secret', 'kind: Deployment\nspec: {secretName: x}\n'],
  ])('%s', (_name, text) => expect(isSecretText(text)).toBe(false));
});

test.each([
  ['one long run', 'A'.repeat(3_000_000)],
  ['empty lines', '\n'.repeat(3_000_000)],
  ['a data URL', `data:,${'A'.repeat(3_000_000)}`],
  ['beginnings of tokens', 'eyJ-'.repeat(400_000)],
  ['lines of base64', `${'A'.repeat(76)}\n`.repeat(40_000)],
])('megabytes meant to hurt: %s', (_name, text) => {
  expect(isSecretText(text)).toBe(false);
});
