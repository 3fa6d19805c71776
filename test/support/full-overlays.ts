import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from './temp-folder.ts';

const FILE =
  'storage:\n  files:\n    - path: /etc/own-motd\n      mode: 0644\n      contents:\n        inline: hello\n';

/** Writes a Butane file of each variant, in versions that every release from 4.12 on reads; gives their paths. */
export function fullOverlays(): string[] {
  const folder = tempFolder();
  const texts = {
    'own-live.bu': `variant: fcos\nversion: 1.3.0\n${FILE}`,
    'own-node.bu': `variant: openshift\nversion: 4.8.0\nmetadata:\n  name: 99-own\n  labels:\n    machineconfiguration.openshift.io/role: master\n${FILE}`,
  };
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  });
}
