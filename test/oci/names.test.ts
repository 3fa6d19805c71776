import { describe, expect, test } from 'vitest';
import { architectureOf } from '../../src/oci/architecture.ts';
import { digestHex, digestOf, isDigest, parseDigest } from '../../src/oci/digest.ts';
import { printable } from '../../src/oci/printable.ts';
import { atDigest, formatReference, parseReference, repositoryOf } from '../../src/oci/reference.ts';

const HEX = 'a'.repeat(64);
const DIGEST = `sha256:${HEX}`;

describe('parseDigest', () => {
  test('accepts sha256 and gives its file name', () => {
    expect(digestHex(parseDigest(DIGEST))).toBe(HEX);
    expect(digestOf(new Uint8Array())).toBe(
      'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });
  test.each([
    ['empty', ''],
    ['no algorithm', HEX],
    ['upper case', `sha256:${'A'.repeat(64)}`],
    ['short', `sha256:${'a'.repeat(63)}`],
    ['long', `sha256:${'a'.repeat(65)}`],
    ['another algorithm', `sha512:${'a'.repeat(128)}`],
    ['a line feed after it', `${DIGEST}\n`],
    ['a path', `sha256:../${'a'.repeat(61)}`],
  ])('refuses %s', (_, text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID', exitCode: 3 }));
  });
});

describe('parseReference', () => {
  test.each([
    ['quay.io/org/app', { domain: 'quay.io', path: 'org/app' }],
    ['quay.io/org/app:v1.2_3-x', { domain: 'quay.io', path: 'org/app', tag: 'v1.2_3-x' }],
    [`quay.io/org/app@${DIGEST}`, { domain: 'quay.io', path: 'org/app', digest: DIGEST }],
    [`quay.io/org/app:v1@${DIGEST}`, { domain: 'quay.io', path: 'org/app', tag: 'v1', digest: DIGEST }],
    ['localhost/app', { domain: 'localhost', path: 'app' }],
    ['localhost:5000/app:x', { domain: 'localhost:5000', path: 'app', tag: 'x' }],
    ['127.0.0.1:5000/a/b/c', { domain: '127.0.0.1:5000', path: 'a/b/c' }],
    ['[::1]:5000/app', { domain: '[::1]:5000', path: 'app' }],
    ['registry:5000/app', { domain: 'registry:5000', path: 'app' }],
    ['a-b.example.com/x__y/z--w.v', { domain: 'a-b.example.com', path: 'x__y/z--w.v' }],
    ['docker.io/library/busybox:1', { domain: 'docker.io', path: 'library/busybox', tag: '1' }],
  ])('reads %s and writes it again', (text, want) => {
    const reference = parseReference(text);
    expect(reference).toEqual(want);
    expect(formatReference(reference)).toBe(text);
  });

  test.each([
    ['docker.io/busybox', 'docker.io/library/busybox'],
    ['index.docker.io/busybox:1', 'docker.io/library/busybox:1'],
    ['index.docker.io/org/app', 'docker.io/org/app'],
  ])('writes the Docker Hub name %s as %s', (text, want) => {
    expect(formatReference(parseReference(text))).toBe(want);
  });

  test.each([
    ['nothing', '', /names no registry host/],
    ['a short name', 'busybox', /names no registry host/],
    ['a short name with a namespace', 'org/app:v1', /names no registry host/],
    ['a scheme', 'https://quay.io/org/app', /bad host/],
    ['a transport', 'docker://quay.io/org/app', /bad host/],
    ['no path', 'quay.io/', /bad repository path/],
    ['upper case in the path', 'quay.io/Org/app', /bad repository path/],
    ['climbing', 'quay.io/../etc/passwd', /bad repository path/],
    ['an empty part', 'quay.io/org//app', /bad repository path/],
    ['an empty tag', 'quay.io/org/app:', /bad tag/],
    ['a tag with a slash', 'quay.io/org/app:v1/x', /bad tag/],
    ['a long tag', `quay.io/org/app:${'v'.repeat(129)}`, /bad tag/],
    ['a short digest', 'quay.io/org/app@sha256:abc', /bad digest/],
    ['two digests', `quay.io/org/app@${DIGEST}@${DIGEST}`, /bad digest/],
    ['a port that is none', 'quay.io:99999/org/app', /bad host/],
    ['an empty port', 'quay.io:/org/app', /bad host/],
    ['a user', 'user:pass@quay.io/org/app', /bad digest/],
    ['an IPv6 host that is none', '[:::1::]:5000/app', /bad host/],
    ['a query in the path', 'quay.io/org/app?x=1', /bad repository path/],
    ['a long path', `quay.io/${'a'.repeat(256)}`, /bad repository path/],
    ['a very long text', `quay.io/${'a/'.repeat(100_000)}`, /characters, more than/],
    ['a blank', 'quay.io/org/app ', /bad repository path/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({
        code: 'REFERENCE_INVALID',
        exitCode: 3,
        message: expect.stringMatching(message),
      }),
    );
  });

  test('never repeats control characters', () => {
    expect(() => parseReference('quay.io/\u001b[2J\u202eorg')).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/\p{Cc}|\p{Cf}/u) }),
    );
  });

  test('names the repository and the pull-by-digest form', () => {
    const reference = parseReference('quay.io:443/org/app:v1');
    expect(repositoryOf(reference)).toBe('quay.io:443/org/app');
    expect(formatReference(atDigest(reference, parseDigest(DIGEST)))).toBe(`quay.io:443/org/app@${DIGEST}`);
  });
});

test.each([
  ['x86_64', 'amd64'],
  ['amd64', 'amd64'],
  ['aarch64', 'arm64'],
  ['arm64', 'arm64'],
  ['ppc64le', 'ppc64le'],
  ['s390x', 's390x'],
  ['riscv64', undefined],
  ['X86_64', undefined],
  ['__proto__', undefined],
])('the architecture meant by %s is %s', (name, want) => {
  expect(architectureOf(name)).toBe(want);
});

test.each([
  ['plain', 'plain', 10],
  [' a\r\n\tb ', 'a b', 10],
  ['\u001b[31mred\u0007', '[31mred', 20],
  ['x\u202egnp.exe', 'x gnp.exe', 20],
  ['abcdef', 'abc…', 3],
  ['\ud800', '\ufffd', 3],
])('shows %j as %j', (text, want, limit) => {
  expect(printable(text, limit)).toBe(want);
});
