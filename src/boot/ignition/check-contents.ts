import { X509Certificate } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { EdgefabError } from '../../errors.ts';
import { decodePem } from '../../formats/pem.ts';
import { encodedParts } from './encoded-parts.ts';
import { inlineBytes } from './file-contents.ts';
import { type Entry, entriesAt, type Remark, textAt } from './finding.ts';
import { type JsonNode, memberOf } from './json-tree.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
/** Real certificates have a few kilobytes. */
const MAX_PEM_BYTES = 64 * 1024;
/** A manifest with a config with a file. */
const MAX_DEPTH = 3;

/** The area CoreOS live ISOs have for a config (coreos-assembler: 256 KiB). */
export const EMBED_AREA_BYTES = 262_144;

function isCertificate(pem: string): boolean {
  const [block] = pem.length > MAX_PEM_BYTES ? [] : decodePem(pem);
  if (block === undefined) return false;
  try {
    new X509Certificate(block.der);
    return true;
  } catch {
    return false;
  }
}

/** Counts the certificates of a text that cannot be read, also inside its base64 and data URLs. */
function badCertificates(bytes: Uint8Array, depth = 0): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  let bad = 0;
  for (let at = text.indexOf(BEGIN); at >= 0; at = text.indexOf(BEGIN, at + BEGIN.length)) {
    const end = text.indexOf(END, at);
    if (end < 0 || !isCertificate(text.slice(at, end + END.length))) bad += 1;
  }
  if (depth >= MAX_DEPTH) return bad;
  return encodedParts(text).reduce((sum, part) => sum + badCertificates(part, depth + 1), bad);
}

function resources({ field, node }: Entry): Entry[] {
  const contents = memberOf(node, 'contents');
  return [
    ...(contents?.kind === 'object' ? [{ field: `${field}.contents`, node: contents }] : []),
    ...entriesAt(node, ['append'], field),
  ];
}

function checkResource({ field, node }: Entry): Remark[] {
  const source = memberOf(node, 'source');
  if (source === undefined) return [];
  const remark = (level: Remark['level'], message: string): Remark[] => [
    { level, field: `${field}.source`, node: source, message },
  ];
  const text = textAt(source);
  const compression = textAt(memberOf(node, 'compression'));
  let bytes: Uint8Array | undefined;
  try {
    bytes = inlineBytes({
      ...(text === undefined ? {} : { source: text }),
      ...(compression === undefined ? {} : { compression }),
    });
  } catch (cause) {
    return remark('error', `the content ${cause instanceof EdgefabError ? cause.message : 'cannot be read'}`);
  }
  if (bytes === undefined)
    return remark('warning', 'the machine fetches this content when it boots, which needs a network');
  if (bytes.length > EMBED_AREA_BYTES) {
    const packed = gzipSync(bytes, { level: 9 }).length;
    if (packed > EMBED_AREA_BYTES)
      return remark(
        'error',
        `the content has ${bytes.length} bytes, ${packed} compressed: alone more than the ${EMBED_AREA_BYTES} bytes a live ISO has for the whole config`,
      );
  }
  const bad = badCertificates(bytes);
  return bad === 0
    ? []
    : remark('error', `${bad === 1 ? 'a certificate' : `${bad} certificates`} in it cannot be read`);
}

/** Finds contents that cannot be read, that are too big, that come from the network, and broken certificates. */
export function checkContents(root: JsonNode): Remark[] {
  return entriesAt(root, ['storage', 'files']).flatMap((file) => resources(file).flatMap(checkResource));
}
