import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planPull } from '../../../../src/mirror/plan/plan.ts';
import { formatImageLists } from '../../../../src/mirror/resolve/lists/image-lists.ts';
import {
  formatLock,
  type ImageRole,
  type Lock,
  type LockedImage,
  parseLock,
} from '../../../../src/mirror/resolve/lock.ts';
import { payloadRoles } from '../../../../src/mirror/resolve/roles/payload-roles.ts';
import { parseDigest } from '../../../../src/oci/digest.ts';
import { digestFor, lockedImage } from '../../../support/locked-image.ts';

function lockOf(images: readonly LockedImage[], rest: Partial<Lock> = {}): Lock {
  return {
    arch: 'x86_64',
    inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
    images,
    ...rest,
  };
}

/** An image whose digest is made of its source. */
function image(source: string, roles: readonly ImageRole[], rest: Partial<LockedImage> = {}): LockedImage {
  return lockedImage(source, {}, { roles, ...rest });
}

function at(source: string): string {
  return `${source}@${digestFor(source)}`;
}

describe('where a mirror has an image', () => {
  test.each([
    [
      'a component: by the names of the release, one line each',
      image('quay.io/ocp/art', ['release'], {
        mirrorNames: ['openshift/release:4.18.9-x86_64-b', 'openshift/release:4.18.9-x86_64-a'],
      }),
      ['openshift/release:4.18.9-x86_64-a', 'openshift/release:4.18.9-x86_64-b'],
    ],
    ['one with a tag', image('quay.io:443/org/tool', ['additional'], { tag: 'v1' }), ['org/tool:v1']],
    [
      'one of Docker Hub',
      image('docker.io/library/nginx', ['additional'], { tag: '1' }),
      ['library/nginx:1'],
    ],
  ])('%s', (_, locked, names) => {
    expect(formatImageLists(lockOf([locked]))['mapping.txt']).toBe(
      names.map((name) => `${at(locked.source)}=${name}\n`).join(''),
    );
  });

  test('one known by digest only: by the hash of its reference, which two images do not share', () => {
    const digest = parseDigest('sha256:595361b3b767fff18bb0934a851e5fc8ab6101e6cb58c46e884c96edafc620bf');
    const locked = image('registry.redhat.io/openshift4/ose-coredns', ['operator'], { digest });
    expect(formatImageLists(lockOf([locked]))['mapping.txt']).toBe(
      `registry.redhat.io/openshift4/ose-coredns@${digest}=openshift4/ose-coredns:13a3b3f1\n`,
    );
  });

  test('a signature: beside the image it signs, by its tag; no list to load has it', () => {
    const signature = image('quay.io/ocp/art', ['release'], {
      digest: digestFor('signature'),
      tag: 'sha256-abc.sig',
    });
    const signed = image('quay.io/ocp/art', ['release'], {
      mirrorNames: ['openshift/release:4.21.1-x86_64-etcd'],
      signatures: [digestFor('signature')],
    });
    const lists = formatImageLists(lockOf([signature, signed]));
    expect(lists['mapping.txt']).toContain(
      `quay.io/ocp/art@${digestFor('signature')}=openshift/release:sha256-abc.sig\n`,
    );
    expect(lists['ocp-images.txt']).toBe(`${at('quay.io/ocp/art')}\n`);
    expect(lists['ai-images.txt']).toBe('');
  });
});

test.each<[readonly ImageRole[], boolean, boolean]>([
  [['bootstrap'], true, false],
  [['bootstrap', 'release'], true, true],
  [['release'], false, true],
  [['os'], false, true],
  [['operator'], false, true],
  [['additional'], false, true],
  [['tool'], true, true],
])('an image with the roles %j: live phase %s, installed node %s', (roles, live, installed) => {
  const lists = formatImageLists(lockOf([image('quay.io/a/b', roles)]));
  expect(lists['ai-images.txt']).toBe(live ? `${at('quay.io/a/b')}\n` : '');
  expect(lists['ocp-images.txt']).toBe(installed ? `${at('quay.io/a/b')}\n` : '');
});

test('what filters dropped is listed as it would have been mapped', () => {
  const ignored = [
    { reference: 'quay.io/org/tool:v1', reason: 'matches "tool"' },
    {
      reference: at('quay.io/ocp/art'),
      mirrorName: 'openshift/release:4.18.9-x86_64-aws',
      reason: 'matches "aws"',
    },
  ];
  const lock = lockOf([image('quay.io/a/b', ['release'])], { ignored });
  const read = parseLock(formatLock(lock), 'edgefab.lock');
  expect(read.ignored).toEqual([ignored[1], ignored[0]]);
  const lists = formatImageLists(read);
  expect(lists['ignored-images.txt']).toBe(
    `${at('quay.io/ocp/art')}=openshift/release:4.18.9-x86_64-aws\nquay.io/org/tool:v1=org/tool:v1\n`,
  );
  expect(lists['mapping.txt']).not.toContain('aws');
});

test('the order of the images does not show, and an empty lock gives four empty lists', () => {
  const images = ['quay.io/z/a', 'quay.io/a/z', 'quay.io/a/b'].map((source) => image(source, ['release']));
  expect(formatImageLists(lockOf(images.toReversed()))).toEqual(formatImageLists(lockOf(images)));
  expect(Object.values(formatImageLists(lockOf([])))).toEqual(['', '', '', '']);
});

const folder = join(process.env.EDGEFAB_FIXTURES ?? '', 'imageset/4.13.1');
const hasFixture = process.env.EDGEFAB_FIXTURES !== undefined && existsSync(join(folder, 'mapping.txt'));

function fixtureLines(file: string): string[] {
  return readFileSync(join(folder, file), 'utf8').trimEnd().split('\n');
}

/** The lock that stands for a real cache of 4.13.1; what the live phase pulled then is told by its `ai-images.txt`. */
function realLock(): Lock {
  const live = new Set(fixtureLines('ai-images.txt'));
  const installed = new Set(fixtureLines('ocp-images.txt'));
  return lockOf(
    fixtureLines('mapping.txt').map((line) => {
      const [reference = '', name = ''] = line.split('=');
      const [source = '', digest = ''] = reference.split('@');
      const ofRelease = name.startsWith('openshift/release');
      const roles: ImageRole[] = [
        ...(live.has(reference) ? (['bootstrap'] as const) : []),
        ...(installed.has(reference) ? [ofRelease ? ('release' as const) : ('operator' as const)] : []),
      ];
      return lockedImage(
        source,
        { [reference]: 1000, 'a shared base': 5000 },
        { digest: parseDigest(digest), roles, ...(ofRelease ? { mirrorNames: [name] } : {}) },
      );
    }),
  );
}

describe.skipIf(!hasFixture)('a real cache of 4.13.1 (skipped without EDGEFAB_FIXTURES)', () => {
  test.each(['mapping.txt', 'ai-images.txt', 'ocp-images.txt'] as const)('%s has the same lines', (file) => {
    const lock = parseLock(formatLock(realLock()), 'edgefab.lock');
    expect(formatImageLists(lock)[file].trimEnd().split('\n')).toEqual(fixtureLines(file).sort());
  });

  test('its plan counts each blob once', () => {
    const { images } = realLock();
    expect(images).toHaveLength(320);
    expect(planPull(images, new Set())).toMatchObject({
      images: 320,
      uniqueBlobs: 321,
      uniqueBytes: 320 * 1000 + 5000,
      duplicateBytes: 319 * 5000,
    });
  });

  test('our bootstrap set and its ai-images.txt differ in what is known: a list that was kept by hand', () => {
    const names = new Map(
      fixtureLines('mapping.txt').flatMap((line): [string, string][] => {
        const found = /^(\S+)=openshift\/release:4\.13\.1-x86_64-(\S+)$/.exec(line);
        return found === null ? [] : [[found[1] ?? '', found[2] ?? '']];
      }),
    );
    const { components } = payloadRoles({
      names: [...names.values()],
      bootstrap: undefined,
      version: '4.13.1',
    });
    const ours = components.filter(({ roles }) => roles.includes('bootstrap')).map(({ name }) => name);
    const theirs = fixtureLines('ai-images.txt').map((reference) => names.get(reference) ?? reference);
    // bootkube.sh asks for the node tuning operator from 4.13 on; a node of then pulled it over its line.
    expect(ours.filter((name) => !theirs.includes(name))).toEqual(['cluster-node-tuning-operator']);
    expect(
      theirs
        .filter((name) => !ours.includes(name))
        .map((name) => name.replace(/@.*/, ''))
        .sort(),
    ).toEqual([
      'must-gather',
      'quay.io/openshift-release-dev/ocp-release',
      'registry.redhat.io/multicluster-engine/assisted-installer-agent-rhel8',
      'registry.redhat.io/multicluster-engine/assisted-installer-reporter-rhel8',
      'registry.redhat.io/multicluster-engine/assisted-installer-rhel8',
    ]);
  });
});
