import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import buildOnce from '../support/build-once.ts';

const ENDING = '.bench.ts';

/** What a file `NAME.bench.ts` exports. */
interface Bench {
  readonly summary: string;
  readonly run: (args: readonly string[]) => Promise<void>;
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(ENDING))
  .map((file) => file.slice(0, -ENDING.length))
  .sort();

async function load(name: string): Promise<Bench> {
  return (await import(`./${name}${ENDING}`)) as Bench;
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  if (name !== undefined) process.stderr.write(`There is no bench "${name}".\n`);
  process.stderr.write('npm run bench NAME [-- OPTIONS], with NAME one of\n');
  for (const each of names) process.stderr.write(`  ${each.padEnd(10)} ${(await load(each)).summary}\n`);
  process.exitCode = 2;
} else {
  buildOnce();
  await (await load(name)).run(args);
}
