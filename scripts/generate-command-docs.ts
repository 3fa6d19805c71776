import { readFileSync, writeFileSync } from 'node:fs';
import { commandDocs } from './command-docs.ts';

writeFileSync('docs/commands.md', commandDocs(JSON.parse(readFileSync('oclif.manifest.json', 'utf8'))));
