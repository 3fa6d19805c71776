import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EdgefabError } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';

/** The live ISO an installer was made for. */
export interface LiveIso {
  readonly location: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Where its detached OpenPGP signature lies; Fedora's streams name one, Red Hat's do not. */
  readonly signature?: string;
  /** The CoreOS build: `418.94.202501221327-0`, `9.6.20250523-0`. */
  readonly release: string;
}

// coreos/stream-metadata-go: only the parts that lead to the live ISO.
const streamSchema = z.object({
  architectures: z.record(
    z.object({
      artifacts: z.record(
        z.object({
          release: z.string(),
          formats: z.record(
            z.object({
              disk: z
                .object({
                  location: z.string(),
                  sha256: z.string().regex(/^[0-9a-f]{64}$/),
                  signature: z.string().optional(),
                })
                .optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Reads a CoreOS stream document for the live ISO of an architecture (a machine name); `where` is its source. */
export function parseCoreosStream(json: string, arch: string, where: string): LiveIso {
  const fault = (what: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`${where}: ${what}`, {
      code: 'TOOL_FAILED',
      suggestions: ['Check that the program is openshift-install 4.10 or newer'],
      ...(cause === undefined ? {} : { cause }),
    });
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch (cause) {
    throw fault('what it printed is not JSON', cause);
  }
  const parsed = streamSchema.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fault(`the CoreOS stream: ${issue?.path.join('.') ?? 'document'}: ${issue?.message ?? 'invalid'}`);
  }
  const { architectures } = parsed.data;
  const of = Object.hasOwn(architectures, arch) ? architectures[arch] : undefined;
  if (of === undefined)
    throw fault(`it knows no ${arch}, only ${showText(Object.keys(architectures).join(', '), 200)}`);
  const metal = of.artifacts.metal;
  const disk = metal?.formats.iso?.disk;
  if (metal === undefined || disk === undefined) throw fault(`it knows no live ISO for ${arch}`);
  const { location, sha256, signature } = disk;
  return { location, sha256, release: metal.release, ...(signature === undefined ? {} : { signature }) };
}

/**
 * Asks an installer for the live ISO it was made for. It runs in a private folder, which is gone afterwards, as
 * it writes a log where it is run. Throws TOOL_MISSING, and TOOL_FAILED.
 */
export async function liveIsoOf(
  installer: string,
  arch: string,
  workFolder: string,
  host: Pick<Host, 'run'>,
): Promise<LiveIso> {
  const cwd = await mkdtemp(join(workFolder, 'edgefab-stream-'));
  try {
    const { exitCode, stdout, stderr } = await host.run(installer, ['coreos', 'print-stream-json'], { cwd });
    if (exitCode === 0) return parseCoreosStream(stdout, arch, `${installer} coreos print-stream-json`);
    const said = showText(stderr.trim().split('\n').at(-1) ?? '', 200);
    throw new EdgefabError(
      `${installer} coreos print-stream-json ended with status ${exitCode ?? 'none (killed)'}: ${said}`,
      {
        code: 'TOOL_FAILED',
        suggestions: ['Check that the program is openshift-install 4.10 or newer, and for this machine'],
      },
    );
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}
