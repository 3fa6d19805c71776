import { z } from 'zod/v4';
import { EdgefabError } from '../../errors.ts';
import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import { nearMatch } from '../../formats/near-match.ts';
import type { ReleaseVersion } from '../../formats/release-version.ts';
import { listPackaged, packagedText } from '../../packaged.ts';
import type { OperatorWish } from './operator-wish.ts';
import { minorOf } from './release-sources.ts';

/** They come with edgefab, beside its image sets. */
const FOLDER = 'imagesets/operator-sets';
const ENDING = '.yaml';

const operatorSet = z.array(
  z.strictObject({
    name: z.string().min(1),
    catalog: z.enum(['redhat', 'certified', 'community']).default('redhat'),
    channel: z.string().min(1).optional(),
  }),
);

async function operatorSetNames(): Promise<string[]> {
  const files = await listPackaged(FOLDER);
  return files
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}

/**
 * Loads an operator set that comes with edgefab, by name; `{minor}` in its channels is that of the release. Throws
 * USAGE_INVALID with the nearest name.
 */
export async function loadOperatorSet(name: string, release: ReleaseVersion): Promise<OperatorWish[]> {
  const known = await operatorSetNames();
  if (!known.includes(name)) {
    const near = nearMatch(name, known);
    throw new EdgefabError(`there is no operator set "${name}"; there are: ${known.join(', ')}`, {
      code: 'USAGE_INVALID',
      suggestions: near === undefined ? [] : [`Did you mean "${near}"?`],
    });
  }
  const file = `${name}${ENDING}`;
  const text = packagedText(`${FOLDER}/${file}`);
  const { value } = parseCheckedYaml(text, { file, code: 'IMAGESET_INVALID', schema: operatorSet });
  return value.map(({ channel, ...rest }) => ({
    ...rest,
    ...(channel === undefined ? {} : { channel: channel.replace('{minor}', minorOf(release)) }),
  }));
}
