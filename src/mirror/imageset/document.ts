import { z } from 'zod/v4';
import type { Checked } from '../../formats/checked-value.ts';
import { checkYaml } from '../../formats/checked-yaml.ts';
import { faultsError } from '../../formats/faults-error.ts';
import { stringifyYaml } from '../../formats/stringify-yaml.ts';
import { parseYamlDocument, type YamlDocument } from '../../formats/yaml-document.ts';
import { imageSetV1Schema, imageSetV2Schema } from './schema.ts';

/** An ImageSetConfiguration as it is written, with every key of its version. */
export type ImageSetDocument = z.infer<typeof imageSetV1Schema> | z.infer<typeof imageSetV2Schema>;

const API_VERSIONS = [
  imageSetV1Schema.shape.apiVersion.value,
  imageSetV2Schema.shape.apiVersion.value,
] as const;

/** Checks a set against its own version; one without a known version is told both. */
function checkSet(document: YamlDocument): Checked<ImageSetDocument> {
  const { data } = document;
  const apiVersion =
    typeof data === 'object' && data !== null && 'apiVersion' in data ? data.apiVersion : undefined;
  if (apiVersion === API_VERSIONS[0]) return checkYaml<ImageSetDocument>(document, imageSetV1Schema);
  if (apiVersion === API_VERSIONS[1]) return checkYaml<ImageSetDocument>(document, imageSetV2Schema);
  // Never passes: the version is one of neither. All else is checked as the newer version.
  const either = imageSetV2Schema.extend({ apiVersion: z.enum(API_VERSIONS) });
  return checkYaml(document, either) as Checked<ImageSetDocument>;
}

/**
 * Parses an ImageSetConfiguration, v1alpha2 or v2alpha1 (openshift/oc-mirror), and keeps all of it. `file` is its
 * name in faults. Throws IMAGESET_INVALID with all faults together; keys the version does not have are faults.
 */
export function parseImageSetDocument(
  text: string,
  file: string,
): { readonly value: ImageSetDocument; readonly document: YamlDocument } {
  const document = parseYamlDocument(text, { file, code: 'IMAGESET_INVALID' });
  const checked = checkSet(document);
  if (!checked.ok) throw faultsError(file, checked.faults, { code: 'IMAGESET_INVALID' });
  return { value: checked.value, document };
}

/** Writes an ImageSetConfiguration: keys in the order of its schema, the same bytes for the same set. */
export function formatImageSet(value: ImageSetDocument): string {
  const schema = value.apiVersion === API_VERSIONS[0] ? imageSetV1Schema : imageSetV2Schema;
  return stringifyYaml(schema.parse(value));
}
