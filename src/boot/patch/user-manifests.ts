import { EdgefabError } from '../../errors.ts';
import { faultsError } from '../../formats/faults-error.ts';
import { parseYamlDocument } from '../../formats/yaml-document.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { addManifest } from './add-manifest.ts';
import { isServedAtBootstrap } from './bootstrap-kinds.ts';
import type { Change, Step } from './step.ts';
import { MANIFEST_FOLDER, userFileStem } from './user-file-name.ts';

/** A file of manifests as the user has it: `name` with its ending, `text` YAML or JSON. */
export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

/** One object is at most 1.5 MiB in etcd, and all of them share an embed area of 256 KiB, compressed. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_DOCUMENTS = 1000;

interface Manifest {
  readonly path: string;
  readonly text: string;
  readonly from: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The API group a CustomResourceDefinition brings with it. */
  readonly definedGroup?: string;
}

/**
 * Plans a site's own manifests, one file in the config for each document: of a file with several, the bootstrap
 * would read the first alone. Throws MANIFEST_FILE_INVALID with all faults and their places, TARGET_EXISTS.
 */
export function manifestsStep(ignition: Ignition, files: readonly ManifestFile[]): Step {
  const manifests = files.flatMap(manifestsOf);
  refuseTwins(manifests);
  manifests.reduce((now, manifest) => addManifest(now, manifest, manifest.from), ignition);
  const warnings = warningsOf(manifests);
  return {
    name: 'manifests',
    why: 'the site has manifests of its own',
    changes: manifests.map(
      (manifest): Change => ({
        describe: `manifest ${manifest.path}: ${manifest.kind} ${manifest.name}`,
        apply: (config) => addManifest(config, manifest, manifest.from),
      }),
    ),
    own: {
      files: manifests.map(({ path, from }) => ({
        path,
        kind: 'manifests',
        from: [from],
        replaces: ignition.files.some((file) => file.path === path),
      })),
      units: [],
    },
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(files.length === 0 ? { skipped: 'the site has no manifests' } : {}),
  };
}

function manifestsOf({ name, text }: ManifestFile): Manifest[] {
  const stem = userFileStem(name, 'MANIFEST_FILE_INVALID');
  const invalid = (why: string): EdgefabError =>
    new EdgefabError(`${name}: ${why}`, { code: 'MANIFEST_FILE_INVALID', place: { file: name } });
  const ending = /\.(ya?ml|json)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === undefined) throw invalid('want a name that ends in .yaml, .yml or .json');
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FILE_BYTES) throw invalid(`${bytes} bytes of manifests, want at most ${MAX_FILE_BYTES}`);
  const documents = documentsOf(text);
  if (documents.length === 0) throw invalid('got no manifest, want at least one');
  if (documents.length > MAX_DOCUMENTS)
    throw invalid(`${documents.length} manifests in one file, want at most ${MAX_DOCUMENTS}`);
  const width = String(documents.length).length;
  return documents.map((document, index) => {
    const number = documents.length === 1 ? '' : `-${String(index + 1).padStart(width, '0')}`;
    return {
      // JSON is YAML, but for the readers of the bootstrap not where it is indented with tabs.
      text: ending === 'json' ? document.text.replaceAll('\t', ' ') : document.text,
      path: `${MANIFEST_FOLDER}/99_edgefab-manifest-${stem}${number}.yaml`,
      from: name,
      ...identityOf(document, name),
    };
  });
}

interface Document {
  readonly text: string;
  /** How many lines of the file come before it. */
  readonly linesBefore: number;
}

/** Splits at `---` lines (YAML 1.2.2 section 9.1.2), leaving out documents without content. */
function documentsOf(text: string): Document[] {
  const found: Document[] = [];
  let linesBefore = 0;
  for (const part of text.replace(/^\ufeff/, '').split(/^---(?=[ \t\r\n]|$)/m)) {
    if (/^[ \t]*[^#\s]/m.test(part.replace(/^\.\.\.[ \t]*$/gm, '')))
      found.push({
        text: `${part.replace(/^[ \t]*\r?\n/, '').trimEnd()}\n`,
        linesBefore: linesBefore + leadingLines(part),
      });
    linesBefore += part.split('\n').length - 1;
  }
  return found;
}

function leadingLines(part: string): number {
  return /^[ \t]*\r?\n/.test(part) ? 1 : 0;
}

function identityOf(
  { text, linesBefore }: Document,
  file: string,
): Pick<Manifest, 'apiVersion' | 'kind' | 'name' | 'definedGroup'> {
  // Empty lines in front, so that places are those of the user's file.
  const document = parseYamlDocument('\n'.repeat(linesBefore) + text, {
    file,
    code: 'MANIFEST_FILE_INVALID',
  });
  const at = (path: readonly string[]): unknown =>
    path.reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      document.data,
    );
  const wanted = [['apiVersion'], ['kind'], ['metadata', 'name']];
  const faults = wanted.flatMap((path) => {
    const value = at(path);
    if (typeof value === 'string' && value !== '') return [];
    const place = { ...document.placeOf(path), field: path.join('.') };
    return [{ place, message: `got ${value === undefined ? 'nothing' : `a ${typeof value}`}, want a text` }];
  });
  if (faults.length > 0) {
    const suggestions =
      at(['kind']) === 'List'
        ? ['Write the items of a List as documents of their own, with --- between']
        : [];
    throw faultsError(file, faults, { code: 'MANIFEST_FILE_INVALID', suggestions });
  }
  const [apiVersion, kind, name] = wanted.map((path) => String(at(path))) as [string, string, string];
  const group = kind === 'CustomResourceDefinition' ? at(['spec', 'group']) : undefined;
  return { apiVersion, kind, name, ...(typeof group === 'string' ? { definedGroup: group } : {}) };
}

function refuseTwins(manifests: readonly Manifest[]): void {
  const seen = new Map<string, string>();
  for (const { path, from } of manifests) {
    const other = seen.get(path);
    if (other !== undefined) {
      throw new EdgefabError(`${other} and ${from} both become ${path}: want names that differ`, {
        code: 'MANIFEST_FILE_INVALID',
        place: { file: from },
      });
    }
    seen.set(path, from);
  }
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

function warningsOf(manifests: readonly Manifest[]): string[] {
  const defined = new Set(manifests.flatMap(({ definedGroup }) => definedGroup ?? []));
  return manifests.flatMap(({ from, apiVersion, kind, name }) => {
    const group = groupOf(apiVersion);
    if (defined.has(group) || isServedAtBootstrap(group)) return [];
    return [
      `${from}: ${kind} ${name} is of ${apiVersion}, which the bootstrap does not serve: it comes from an operator or a later part of the cluster, and the bootstrap waits for it until it gives up. Apply it after the install.`,
    ];
  });
}
