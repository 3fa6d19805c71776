import type { Writable } from 'node:stream';
import { buildSiteIso, embedInPlace, type IsoReceipt, streamSiteIso } from '../boot/iso/build-site-iso.ts';
import { recoverIso } from '../boot/iso/edit-in-place.ts';
import type { SiteContent } from '../boot/iso/plan-site-iso.ts';
import { refuseTarget } from '../boot/iso/refuse-target.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { comesOnce, type IsoOrigins, openIsoInput } from './fetch/iso-input.ts';

/** Where the finished ISO goes. */
export type IsoOutput =
  | { readonly kind: 'file'; readonly path: string; readonly overwrite: boolean }
  | { readonly kind: 'stream'; readonly sink: Writable }
  | { readonly kind: 'in-place' };

export interface EmbedRequest {
  /** A path, `-` for stdin, or an http(s) address. */
  readonly iso: string;
  /** 64 hex digits the ISO must have, with or without `sha256:`. */
  readonly sha256?: string | undefined;
  readonly content: SiteContent;
  readonly output: IsoOutput;
}

/** `restored`: a change in place that was cut off has been taken back first; then there may be no receipt. */
export interface Embedded {
  readonly receipt?: IsoReceipt;
  readonly restored: boolean;
  /** Of the ISO that came in, where it was computed. */
  readonly inputDigest?: Digest;
}

function parseSha256(text: string): Digest {
  return parseDigest(text.startsWith('sha256:') ? text : `sha256:${text}`);
}

function isEmpty({ ignition, networkFiles, kargs }: SiteContent): boolean {
  return ignition === undefined && networkFiles === undefined && kargs === undefined;
}

async function changeInPlace(
  { iso, content }: EmbedRequest,
  digest: Digest | undefined,
  origins: IsoOrigins,
  host: Pick<Host, 'randomBytes'>,
): Promise<Embedded> {
  if (comesOnce(iso)) {
    throw new EdgefabError(`${iso === '-' ? 'stdin' : 'what a server sends'} cannot be changed in place`, {
      code: 'USAGE_INVALID',
      suggestions: ['Name the ISO to write with -o'],
    });
  }
  const restored = await recoverIso(iso);
  if (restored && isEmpty(content)) return { restored };
  await using _checked = await openIsoInput({ iso, digest, target: undefined }, origins, host);
  return { restored, receipt: await embedInPlace(iso, content) };
}

/**
 * Puts Ignition, keyfiles and kernel arguments into an ISO from a file, stdin or a server: into a copy, onto a stream,
 * or into the file itself. Throws what its parts throw, before the ISO is fetched where that can be.
 */
export async function embedIso(
  request: EmbedRequest,
  origins: IsoOrigins,
  host: Pick<Host, 'randomBytes'>,
): Promise<Embedded> {
  const { iso, sha256, content, output } = request;
  const digest = sha256 === undefined ? undefined : parseSha256(sha256);
  if (output.kind === 'in-place') return await changeInPlace(request, digest, origins, host);
  const target = output.kind === 'file' ? output.path : undefined;
  if (output.kind === 'file' && comesOnce(iso)) await refuseTarget(output.path, undefined, output.overwrite);
  await using input = await openIsoInput({ iso, digest, target }, origins, host);
  const receipt =
    output.kind === 'stream'
      ? await streamSiteIso({ ...content, source: input.path, target: '-' }, output.sink, origins.signal)
      : await buildSiteIso(
          {
            ...content,
            source: input.path,
            target: output.path,
            overwrite: output.overwrite,
            adopt: input.adopt,
          },
          host,
        );
  return {
    restored: false,
    receipt: { ...receipt, source: input.name },
    ...(input.digest === undefined ? {} : { inputDigest: input.digest }),
  };
}
