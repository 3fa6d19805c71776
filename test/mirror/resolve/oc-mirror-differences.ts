import type { ErrorCode } from '../../../src/errors.ts';

/** Where our list is not oc-mirror's, on purpose: exactly how, and why. */
export interface Difference {
  readonly why: string;
  /** We refuse where oc-mirror lists. */
  readonly refuses?: ErrorCode;
  /** Refused only without `--force-filter`; with it the lists are equal. */
  readonly equalWhenForced?: boolean;
  /** Images (`repo:tag` of the made-up registry) that we list and it does not. Where it refuses: all of ours. */
  readonly adds?: readonly string[];
  /** Images it lists and we do not. */
  readonly lacks?: readonly string[];
}

const BUNDLE =
  'OLM pulls the bundle image itself; v2 lists it only where relatedImages names it too, v1 and we always';
const UNKNOWN =
  'a package, channel or version that does not exist is a slip of the pen: a site would find out cut off';
const CROSSED = 'minVersion above maxVersion is a slip of the pen; oc-mirror lists the two releases';
const WHOLE_CATALOG =
  'v1 refuses a catalog for a fault anywhere in it; what was asked for is sound, and v2 lists it';
const EMPTY_RELATED =
  'real catalogs have related images without a name (community and older indexes): there is nothing to pull. Both peers hold code that passes over them, behind a check that refuses';
const BREAKS = 'a block that takes an image the install needs is refused until it is forced';

/** By the name of the case. Not named here: the lists are equal, or both sides refuse. */
export const ON_PURPOSE: Readonly<Record<string, Difference>> = {
  '01-catalog-heads-v2': { why: BUNDLE, adds: ['edge/odd-bundle:v1.1.0'] },
  '33-full-catalog-v2': { why: BUNDLE, adds: ['edge/odd-bundle:v1.0.0', 'edge/odd-bundle:v1.1.0'] },
  '67-related-images-v2': { why: BUNDLE, adds: ['edge/odd-bundle:v1.0.0', 'edge/odd-bundle:v1.1.0'] },
  '69-two-catalogs-v2': {
    why: 'v2 keeps images by bundle name over all catalogs, and the second catalog takes the place of the first; v1 and we keep both',
    adds: ['edge/lamp-bundle:v1.3.0', 'edge/lamp-operator:v1.3.0'],
  },
  '79-additional-missing-v2': {
    why: 'v2 does not look before it copies; a lock needs the digest, so we refuse now, as v1 does',
    refuses: 'MANIFEST_UNKNOWN',
  },
  '81-additional-bare-v2': {
    why: 'a name without tag and digest is read as :latest, as v1 and container engines do; the lock pins what it was',
    adds: ['edge/tool:latest'],
  },
  '83-blocked-v2': { why: BUNDLE, adds: ['edge/odd-bundle:v1.1.0'] },
  '84-blocked-v1': {
    why: 'v1 matches after it has put digests for tags, so the pattern tool:v2$ never hits; we match what was written',
    lacks: ['edge/tool:v2'],
  },
  '85-blocked-release-v2': { why: BREAKS, refuses: 'FILTER_BREAKS_INSTALL', equalWhenForced: true },
  '86-blocked-release-v1': { why: BREAKS, refuses: 'FILTER_BREAKS_INSTALL', equalWhenForced: true },
  '105-shortest-path-none-v2': { why: CROSSED, refuses: 'RELEASE_UNKNOWN' },
  '106-shortest-path-none-v1': { why: CROSSED, refuses: 'RELEASE_UNKNOWN' },
  '123-everything-v2': { why: BUNDLE, adds: ['edge/odd-bundle:v1.1.0'] },
  '125-unknown-package-v2': { why: UNKNOWN, refuses: 'CATALOG_CONTENT_UNKNOWN' },
  '127-unknown-channel-v2': { why: UNKNOWN, refuses: 'CATALOG_CONTENT_UNKNOWN' },
  '133-range-empty-other-v2': { why: UNKNOWN, refuses: 'CATALOG_CONTENT_UNKNOWN' },
  '134-range-empty-other-v1': { why: UNKNOWN, refuses: 'CATALOG_CONTENT_UNKNOWN' },
  '145-bad-empty-v2': {
    why: EMPTY_RELATED,
    adds: ['edge/bad-empty:v1', 'edge/empty-bundle:v1.0.0', 'edge/empty-operator:v1.0.0'],
  },
  '146-bad-empty-v1': {
    why: EMPTY_RELATED,
    adds: ['edge/bad-empty:v1', 'edge/empty-bundle:v1.0.0', 'edge/empty-operator:v1.0.0'],
  },
  '148-bad-orphan-v1': {
    why: WHOLE_CATALOG,
    adds: [
      'edge/bad-orphan:v1',
      'edge/orphan-bundle:v1.1.0',
      'edge/orphan-helper:common',
      'edge/orphan-operator:v1.1.0',
    ],
  },
  '154-bad-stranded-v1': {
    why: WHOLE_CATALOG,
    adds: [
      'edge/bad-stranded:v1',
      'edge/stranded-bundle:v1.2.0',
      'edge/stranded-helper:common',
      'edge/stranded-operator:v1.2.0',
    ],
  },
  '158-bad-heads-other-v1': {
    why: WHOLE_CATALOG,
    adds: [
      'edge/bad-heads:v1',
      'edge/sound-bundle:v1.0.0',
      'edge/sound-helper:common',
      'edge/sound-operator:v1.0.0',
    ],
  },
  '172-release-pinned-arm-v2': {
    why: 'an arm64 release on an amd64 site does not boot; v2 does not look',
    refuses: 'PAYLOAD_ARCH_MISMATCH',
  },
  '174-selected-bundles-v2': {
    why: 'other builds of v2 know the key bundles; this one refuses it',
    adds: [
      'edge/catalog:v1',
      'edge/lamp-bundle:v1.1.0',
      'edge/lamp-helper:common',
      'edge/lamp-operator:v1.1.0',
    ],
  },
  '176-blocked-target-v2': {
    why: 'v2 matches blocks with its own target path too; we have no target',
    adds: ['edge/tool:latest'],
  },
  '177-manifest-lists-v2': {
    why: 'with a flag of its own v2 also prints the members of lists; the lock holds the one of the site as archDigest',
    lacks: ['edge/tool-list:v1-amd64', 'edge/tool-list:v1-arm64'],
  },
  '179-real-all-v2': {
    why: BUNDLE,
    adds: [
      'test.registry/bar-operator/bar-bundle:v1.0.0',
      'test.registry/baz-operator/baz-bundle:v1.1.0',
      'test.registry/foo-operator/foo-bundle:v0.3.1',
    ],
  },
  '180-real-all-full-v2': {
    why: BUNDLE,
    adds: [
      'test.registry/bar-operator/bar-bundle:v0.1.0',
      'test.registry/bar-operator/bar-bundle:v0.2.0',
      'test.registry/bar-operator/bar-bundle:v1.0.0',
      'test.registry/baz-operator/baz-bundle:v1.0.0',
      'test.registry/baz-operator/baz-bundle:v1.0.1',
      'test.registry/baz-operator/baz-bundle:v1.1.0',
      'test.registry/foo-operator/foo-bundle:v0.1.0',
      'test.registry/foo-operator/foo-bundle:v0.2.0',
      'test.registry/foo-operator/foo-bundle:v0.3.0',
      'test.registry/foo-operator/foo-bundle:v0.3.1',
    ],
  },
  '181-real-foo-range-v2': {
    why: BUNDLE,
    adds: [
      'test.registry/foo-operator/foo-bundle:v0.2.0',
      'test.registry/foo-operator/foo-bundle:v0.3.0',
      'test.registry/foo-operator/foo-bundle:v0.3.1',
    ],
  },
};

/** With which code we refuse where oc-mirror refuses too, by the case's name without number and version. */
export const BOTH_REFUSE: Readonly<Record<string, ErrorCode>> = {
  'additional-missing': 'MANIFEST_UNKNOWN',
  'bad-cycle': 'CATALOG_INVALID',
  'bad-ghost': 'CATALOG_INVALID',
  'bad-heads': 'CATALOG_INVALID',
  'bad-nolabel': 'CATALOG_INVALID',
  'bad-noversion': 'CATALOG_INVALID',
  'chain-hole': 'CATALOG_FILTER_INVALID',
  'channel-empty': 'RELEASE_UNKNOWN',
  'channel-min-absent': 'CATALOG_CONTENT_UNKNOWN',
  'default-channel-lost': 'CATALOG_FILTER_INVALID',
  'default-channel-priority': 'CATALOG_FILTER_INVALID',
  'full-range': 'CATALOG_FILTER_INVALID',
  'manifest-unknown': 'MANIFEST_UNKNOWN',
  'range-both': 'CATALOG_FILTER_INVALID',
  'range-empty': 'CATALOG_CONTENT_UNKNOWN',
  'real-bar': 'CATALOG_CONTENT_UNKNOWN',
  'shortest-path-absent': 'RELEASE_UNKNOWN',
  'unknown-channel': 'CATALOG_CONTENT_UNKNOWN',
  'unknown-only': 'CATALOG_CONTENT_UNKNOWN',
  'unknown-package': 'CATALOG_CONTENT_UNKNOWN',
};
