import { writeFileSync } from 'node:fs';

/** Writes an image set that names images and nothing else. */
export function writeImageSet(file: string, images: readonly string[]): void {
  const lines = images.map((image) => `    - name: ${image}\n`);
  writeFileSync(
    file,
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n${lines.join('')}`,
  );
}
