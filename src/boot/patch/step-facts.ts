/** What a step does, at length, and on which releases; its `why` and its changes are in its report. */
export interface StepFacts {
  readonly what: string;
  readonly applies: string;
}

const EVERY = 'every release';

/** Every step by its name; the order of the steps is that of `patchIgnition`. */
const FACTS: Readonly<Record<string, StepFacts>> = {
  'registry-mirrors': {
    what: 'writes mirrors to localhost for every repository of the lock, and trust in the CA of the registry; what the installer wrote is kept and completed',
    applies:
      'every release; ImageDigestMirrorSet from 4.13 on, before that ImageContentSourcePolicy; mirrors by tag from 4.13 on',
  },
  'registry-live': {
    what: 'adds the registry to the live system: clock floor, mount of the cache, a server on 127.0.0.1 and one on [::1], a check that it really serves; all that pulls waits for that check',
    applies: 'every release; from 4.19 on node-image-pull.service waits too',
  },
  'registry-installed': {
    what: 'adds the same registry to the installed node by a MachineConfig; machine-config-daemon-pull.service waits for it',
    applies: EVERY,
  },
  'release-cache': {
    what: 'puts a program named coreos-installer before the real one: it ends the registry, unmounts the cache and makes sure that nothing holds the disk',
    applies: 'every release; only where the cache is on the install disk',
  },
  'keep-cache': {
    what: 'adds a unit to the installed node that copies the cache from the USB disk and serves from the copy, or gives the place of the cache back after the install',
    applies: EVERY,
  },
  'reinstall-guard': {
    what: 'lets nothing of the install begin where this very build is on the install disk already; after the install it leaves the mark for that, and on UEFI puts the disk first in the boot order',
    applies: 'every release; from 4.19 on node-image-pull.service waits too',
  },
  'operator-hub': {
    what: 'adds an OperatorHub with the default catalogs off, and tells the bootstrap not to make its own',
    applies: 'every release; skipped for a cluster without the marketplace',
  },
  'catalog-sources': {
    what: 'adds a CatalogSource, by digest and without polling, for each catalog in the cache',
    applies: 'every release; skipped where the cache has no catalogs',
  },
  'status-line': {
    what: 'shows above and after the login prompt what each part of edgefab is doing and what to do next, in both phases',
    applies: EVERY,
  },
  'preload-live': {
    what: 'adds a unit to the live system that loads the images of the bootstrap from the cache disk into the image store',
    applies:
      'every release; up to 4.13 release-image.service is also made to look into the store first; from 4.19 on node-image-pull.service waits too',
  },
  'preload-installed': {
    what: 'adds the same unit, with the images of the node, to the installed node by a MachineConfig',
    applies: EVERY,
  },
  hostname: {
    what: 'writes /etc/hostname in the live system, and by a MachineConfig on the node: from 4.14 on etcd needs the two to be equal',
    applies: EVERY,
  },
  network: {
    what: 'writes the NetworkManager keyfiles of the live system on the installed node too, by a MachineConfig',
    applies: 'every release; skipped where the node asks DHCP',
  },
  'local-dns': {
    what: 'has dnsmasq on the node answer api, api-int and *.apps of the cluster, first in resolv.conf; the live system finds api and api-int in /etc/hosts',
    applies: 'every release; skipped with dns: site and without a fixed address',
  },
  ntp: {
    what: "writes chrony's time servers in both phases; without one that answers the node keeps time by its own clock",
    applies: 'every release; skipped without time servers',
  },
  'save-partlabel': {
    what: "gives the one call of coreos-installer a flag that keeps the cache partition: the only edit of the installer's own text",
    applies: 'every release; only where a partition is to be kept',
  },
  manifests: {
    what: "puts the user's own manifests where the bootstrap finds them, one document a file",
    applies: 'every release; skipped without any',
  },
  overlays: {
    what: "merges the user's Butane files: fcos into the live config, openshift as a MachineConfig",
    applies: 'every release, up to the Ignition spec it reads; skipped without any',
  },
};

/** Says what a step does and to which releases it applies, for people. */
export function stepFacts(name: string): StepFacts {
  const facts = FACTS[name];
  if (facts === undefined) throw new RangeError(`the step ${name} has no description`);
  return facts;
}
