import { SeededText } from './seeded-text.ts';

/** Bundles of a package; with what they hold a package takes some 1.6 MB, as in the large public catalogs. */
const BUNDLES = 32;

/** Small images each package's repository holds; its bundles and related images share them in turn. */
export const PACKAGE_IMAGES = 12;

export interface MadePackage {
  readonly name: string;
  /** The package's catalog.json: JSON documents one after another, as `opm render` prints them. */
  readonly text: string;
}

export function packageName(at: number): string {
  return `made-${String(at).padStart(3, '0')}-operator`;
}

/** An object as examples and custom resource definitions are: nested, with text in it. */
function manifestOf(text: SeededText, kind: string, length: number): object {
  const fields: Record<string, object> = {};
  for (let left = length; left > 0; left -= 240) {
    fields[`field${text.below(100_000)}`] = {
      type: 'string',
      default: `"${kind}"`,
      description: text.prose(160),
    };
  }
  return {
    apiVersion: 'made.example.test/v1',
    kind,
    metadata: { name: kind.toLowerCase() },
    spec: { fields },
  };
}

function embedded(manifest: object): object {
  const data = Buffer.from(JSON.stringify(manifest)).toString('base64');
  return { type: 'olm.bundle.object', value: { data } };
}

/** What most packages carry since `olm.csv.metadata`: texts inside the catalog's own JSON. */
function metadata(text: SeededText, name: string): object[] {
  const examples = JSON.stringify([manifestOf(text, 'Made', 9000), manifestOf(text, 'Other', 5000)], null, 2);
  const value = {
    annotations: { 'alm-examples': examples, capabilities: 'Deep Insights', categories: 'Networking' },
    crdDescriptions: { owned: [{ name: 'mades.example.test', version: 'v1', kind: 'Made' }] },
    description: text.prose(12_000),
    displayName: name,
    keywords: ['made', 'up'],
    provider: { name: 'made up' },
  };
  return [{ type: 'olm.csv.metadata', value }];
}

/** What older packages carry: every manifest of the bundle in base64. */
function objects(text: SeededText, name: string): object[] {
  const service = {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'ClusterServiceVersion',
    metadata: { name, annotations: { 'alm-examples': JSON.stringify([manifestOf(text, 'Made', 6000)]) } },
    spec: {
      displayName: name,
      description: text.prose(10_000),
      install: manifestOf(text, 'Deployment', 8000),
    },
  };
  const definitions = ['Made', 'Other'].map((kind) => manifestOf(text, kind, 12_000));
  return [service, ...definitions].map(embedded);
}

/**
 * Makes one package of a file-based catalog (operator-framework, "File-based catalogs"): three channels over one
 * chain of bundles, each bundle naming itself among its related images. `image` gives the reference of image N.
 */
export function madePackage(seed: string, at: number, image: (number: number) => string): MadePackage {
  const name = packageName(at);
  const text = new SeededText(`${seed} ${name}`);
  const bundle = (number: number): string => `${name}.v1.${number}.0`;
  const channel = (channelName: string, from: number, to: number): object => ({
    schema: 'olm.channel',
    name: channelName,
    package: name,
    entries: Array.from({ length: to - from }, (_, index) => {
      const number = from + index;
      const replaces = number > from ? { replaces: bundle(number - 1) } : {};
      return { name: bundle(number), ...replaces, skipRange: `>=1.0.0 <1.${number}.0` };
    }),
  });
  const documents: object[] = [
    {
      schema: 'olm.package',
      name,
      defaultChannel: 'stable',
      icon: { base64data: text.noise(12_000), mediatype: 'image/png' },
      description: text.prose(2000),
    },
    channel('candidate', 0, BUNDLES),
    channel('stable', 0, BUNDLES - 1),
    channel('stable-v1', BUNDLES / 2, BUNDLES - 1),
  ];
  for (let number = 0; number < BUNDLES; number++) {
    const group = `${name}.example.test`;
    const related = [number, number + 1, number + 2, 5, 6, 7].map((item) => image(item % PACKAGE_IMAGES));
    documents.push({
      schema: 'olm.bundle',
      name: bundle(number),
      package: name,
      image: image(number % PACKAGE_IMAGES),
      properties: [
        { type: 'olm.gvk', value: { group, kind: 'Made', version: 'v1' } },
        { type: 'olm.gvk', value: { group, kind: 'Other', version: 'v1' } },
        { type: 'olm.package', value: { packageName: name, version: `1.${number}.0` } },
        ...(at % 2 === 0 ? metadata(text, name) : objects(text, bundle(number))),
      ],
      relatedImages: [...new Set(related)].map((reference, item) => ({
        name: item === 0 ? '' : `image-${item}`,
        image: reference,
      })),
    });
  }
  return { name, text: documents.map((document) => `${JSON.stringify(document, null, 4)}\n`).join('') };
}
