import type { ReleaseVersion } from '../../formats/release-version.ts';
import type { ImageSetDocument } from './document.ts';
import type { OperatorWish } from './operator-wish.ts';
import { operatorCatalog, platformType, releaseChannel } from './release-sources.ts';

export const IMAGE_SET_APIS = ['v1alpha2', 'v2alpha1'] as const;

export interface NewImageSet {
  readonly release: ReleaseVersion;
  readonly api: (typeof IMAGE_SET_APIS)[number];
  /** In the words of image sets (amd64, arm64, …, multi); where there is none, whoever resolves the set says. */
  readonly architecture?: 'amd64' | 'arm64' | 'ppc64le' | 's390x' | 'multi';
  readonly operators: readonly OperatorWish[];
}

interface NewChannel {
  readonly name: string;
  readonly minVersion?: string;
  readonly maxVersion?: string;
}

function newChannel({ channel, version }: OperatorWish): NewChannel[] {
  if (channel === undefined) return [];
  return [{ name: channel, ...(version === undefined ? {} : { minVersion: version, maxVersion: version }) }];
}

/** One entry a catalog and a package, in the order they were first named; a channel once, as it was first named. */
function catalogsOf(wishes: readonly OperatorWish[], release: ReleaseVersion) {
  const catalogs = new Map<string, Map<string, NewChannel[]>>();
  for (const wish of wishes) {
    const image = operatorCatalog(wish.catalog, release);
    const packages = catalogs.get(image) ?? new Map<string, NewChannel[]>();
    const channels = packages.get(wish.name) ?? [];
    const added = newChannel(wish).filter(({ name }) => !channels.some((channel) => channel.name === name));
    catalogs.set(image, packages.set(wish.name, [...channels, ...added]));
  }
  return [...catalogs].map(([catalog, packages]) => ({
    catalog,
    packages: [...packages].map(([name, channels]) => ({
      name,
      ...(channels.length === 0 ? {} : { channels }),
    })),
  }));
}

/** Makes an ImageSetConfiguration that pins one release and names operators. Throws USAGE_INVALID. */
export function createImageSet({ release, api, architecture, operators }: NewImageSet): ImageSetDocument {
  const { text } = release;
  const type = platformType(release);
  const mirror = {
    platform: {
      ...(architecture === undefined ? {} : { architectures: [architecture] }),
      channels: [{ name: releaseChannel(release), type, minVersion: text, maxVersion: text }],
    },
    ...(operators.length === 0 ? {} : { operators: catalogsOf(operators, release) }),
  };
  const kind = 'ImageSetConfiguration';
  return api === 'v1alpha2'
    ? { apiVersion: 'mirror.openshift.io/v1alpha2', kind, mirror }
    : { apiVersion: 'mirror.openshift.io/v2alpha1', kind, mirror };
}
