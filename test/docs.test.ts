import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { commandDocs } from '../scripts/command-docs.ts';
import { patchDocs } from '../scripts/patch-docs.ts';
import { ROTATE_COMMANDS } from '../src/boot/certs/life-warnings.ts';
import { GOLDEN_CASES, MODES, readGolden } from './support/golden-report.ts';
import { tempFolder } from './support/temp-folder.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text.trim());

test('the README is at most 150 lines', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(151);
});

test('the shell blocks of the README run as written', () => {
  const cwd = tempFolder();
  // Where `npm ci` has been run: npx finds the program, and node the version that came with it.
  const bin = join(cwd, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(resolve('bin/edgefab.js'), join(bin, 'edgefab'));
  const setUp = /^npm ci && /;
  const own = blocks.filter((block) => block !== 'npm ci && npm test');
  expect(own.length).toBeGreaterThanOrEqual(3);
  for (const block of own) {
    const script = block.replace(setUp, '');
    execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd,
      stdio: 'pipe',
      env: { ...process.env, NO_COLOR: '1' },
    });
  }
}, 120_000);

test('the README names the command that sets up and passes the tests', () => {
  expect(blocks).toContain('npm ci && npm test');
});

test('the command reference is what the commands say', () => {
  const manifest = JSON.parse(readFileSync('oclif.manifest.json', 'utf8')) as Parameters<
    typeof commandDocs
  >[0];
  expect(readFileSync('docs/commands.md', 'utf8')).toBe(commandDocs(manifest));
});

test('the page on patches says what the steps do', () => {
  const reports = GOLDEN_CASES.flatMap((one) => MODES.map((mode) => readGolden(one, mode)));
  const page = readFileSync('docs/patch.md', 'utf8');
  expect(page).toBe(patchDocs(page, reports));
});

test('the page on certificates has the commands that certs extend prints', () => {
  const page = readFileSync('docs/certificates.md', 'utf8');
  for (const command of ROTATE_COMMANDS) expect(page).toContain(`$ ${command}\n`);
});

test.each([
  '',
  'cache',
  'cache apply',
  'cache diff',
  'cache export',
  'cache gc',
  'cache list',
  'cache verify',
  'certs',
  'certs extend',
  'certs show',
  'demo',
  'doctor',
  'fetch',
  'ignition',
  'ignition diff',
  'ignition patch',
  'ignition show',
  'ignition validate',
  'imageset',
  'imageset create',
  'imageset operators',
  'imageset show',
  'init',
  'iso',
  'iso diff',
  'iso embed',
  'iso extract',
  'iso reset',
  'iso show',
  'iso write',
  'partition',
  'plan',
  'precache',
])('edgefab %s --help says what it is for', (id) => {
  const args = [...id.split(' ').filter((word) => word !== ''), '--help'];
  const text = execFileSync(process.execPath, ['bin/edgefab.js', ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect(text).toContain('USAGE');
  expect(text).not.toMatch(/undefined|<%=|\|\s+\|/);
});
