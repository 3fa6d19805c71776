import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { filterCatalog } from '../../../../src/mirror/resolve/catalog/filter-catalog.ts';
import { readCatalog } from '../../../../src/mirror/resolve/catalog/read-catalog.ts';

/**
 * Run as a program of its own: `measure-catalog.ts MEGABYTES`. Makes up a gzip layer of that size while it is read,
 * resolves it, and prints what was found and the most memory the process ever had.
 */
const BLOCK = 512;
const OBJECTS_PER_BUNDLE = 6;
const OBJECT = 'QUJDREVGRw'.repeat(2_000);

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('        0', 148);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A catalog file of one package of some 5 MB in the proportions of real ones: mostly manifests in base64. */
function packageFile(name: string): string {
  const documents: unknown[] = [
    { schema: 'olm.package', name, defaultChannel: 'stable', icon: { base64data: OBJECT } },
  ];
  const bundles = Array.from({ length: 40 }, (_, at) => `${name}.v1.${at}.0`);
  const entries = bundles.map((bundle, at) =>
    at === 0 ? { name: bundle } : { name: bundle, replaces: bundles[at - 1] },
  );
  documents.push({ schema: 'olm.channel', package: name, name: 'stable', entries });
  for (const [at, bundle] of bundles.entries()) {
    documents.push({
      schema: 'olm.bundle',
      package: name,
      name: bundle,
      image: `quay.io/edge/${name}-bundle@sha256:${String(at).padStart(64, '0')}`,
      properties: [
        { type: 'olm.package', value: { packageName: name, version: `1.${at}.0` } },
        {
          type: 'olm.csv.metadata',
          value: { displayName: name, annotations: { text: `"${OBJECT.slice(0, 3000)}\\"` } },
        },
        ...Array.from({ length: OBJECTS_PER_BUNDLE }, () => ({
          type: 'olm.bundle.object',
          value: { data: OBJECT },
        })),
      ],
      relatedImages: Array.from({ length: 20 }, (_, image) => ({
        name: `image-${image}`,
        image: `quay.io/edge/${name}-${image}@sha256:${String(at).padStart(64, 'a')}`,
      })),
    });
  }
  return documents.map((document) => JSON.stringify(document, null, 4)).join('\n');
}

function* tar(bytes: number): Generator<Buffer> {
  for (let made = 0, at = 0; made < bytes; at++) {
    const body = Buffer.from(packageFile(`operator-${at}`));
    made += body.length;
    yield header(`configs/operator-${at}/catalog.json`, body.length);
    yield body;
    yield Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

const bytes = Number(process.argv[2]) * 1024 * 1024;
const config = { config: { Labels: { 'operators.operatorframework.io.index.configs.v1': '/configs' } } };
const open = async (): Promise<AsyncIterable<Uint8Array>> =>
  Readable.from(tar(bytes)).pipe(createGzip({ level: 1 }));
const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', open }];
const started = process.hrtime.bigint();
const catalog = await readCatalog(
  { config: Buffer.from(JSON.stringify(config)), layers },
  'made-up/catalog:1',
);
const heads = filterCatalog(catalog, {}, 'v2alpha1');
const result = {
  packages: catalog.packages.size,
  images: heads.images.length,
  maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  seconds: Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
