import { mkdirSync, writeFileSync } from 'node:fs';
import { schemaFiles } from './schema-files.ts';

// Run as `node scripts/generate-schemas.ts` after a validator changed; a test holds the files current.
const folder = new URL('../schemas/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const { file, text } of schemaFiles()) {
  writeFileSync(new URL(file, folder), text);
  console.log(`schemas/${file}`);
}
