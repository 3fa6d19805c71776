import { readdirSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { expect, test } from 'vitest';

/** Which folders of `src/` a folder may import, besides itself, npm packages, `src/errors.ts` and `src/packaged.ts`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/formats': [],
  'src/host': [],
  'src/oci': ['src/formats', 'src/host/host.ts'],
  'src/disk': ['src/formats', 'src/host/host.ts'],
  'src/mirror/imageset': ['src/oci', 'src/formats', 'src/host/host.ts'],
  'src/mirror/resolve': ['src/mirror/imageset', 'src/oci', 'src/formats', 'src/host/host.ts'],
  'src/mirror/plan': [
    'src/mirror/imageset',
    'src/mirror/resolve',
    'src/oci',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/mirror/pull': [
    'src/mirror/imageset',
    'src/mirror/resolve',
    'src/mirror/plan',
    'src/oci',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/mirror/store': [
    'src/mirror/imageset',
    'src/mirror/resolve',
    'src/mirror/plan',
    'src/mirror/pull',
    'src/oci',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/boot/install-config': ['src/formats', 'src/host/host.ts'],
  'src/boot/ignition': ['src/boot/install-config', 'src/formats', 'src/host/host.ts'],
  'src/boot/network': ['src/formats', 'src/host/host.ts'],
  'src/boot/patch': [
    'src/boot/network',
    'src/boot/ignition',
    'src/boot/install-config',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/boot/certs': [
    'src/boot/patch',
    'src/boot/network',
    'src/boot/ignition',
    'src/boot/install-config',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/boot/iso': [
    'src/boot/certs',
    'src/boot/patch',
    'src/boot/network',
    'src/boot/ignition',
    'src/boot/install-config',
    'src/formats',
    'src/host/host.ts',
  ],
  'src/factory': ['src/mirror', 'src/boot', 'src/disk', 'src/oci', 'src/formats', 'src/host/host.ts'],
};

function forbid(folder: string, allowed: readonly string[]): IForbiddenRuleType {
  const paths = [folder, 'src/errors.ts', 'src/packaged.ts', 'node_modules', ...allowed].map((path) =>
    path.replaceAll('.', '\\.'),
  );
  return {
    name: `${folder} imports only what its question needs`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { pathNot: `^(?:${paths.join('|')})`, dependencyTypesNot: ['core', 'npm'] },
  };
}

const forbidden: IForbiddenRuleType[] = [
  ...Object.entries(MAY_IMPORT).map(([folder, allowed]) => forbid(folder, allowed)),
  { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'the library never imports the command line',
    severity: 'error',
    from: { path: '^src/(?!commands/|main(?:-executable)?\\.ts)' },
    to: { path: '(?:^src/commands/|node_modules/@oclif/)' },
  },
];

async function cruiseFolder(folder: string): Promise<ICruiseResult> {
  const result = await cruise([folder], {
    ruleSet: { forbidden },
    validate: true,
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^packages/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  });
  if (typeof result.output === 'string') throw new Error(result.output);
  return result.output;
}

test('every import goes the way the design says, and every source was looked at', async () => {
  const result = await cruiseFolder('src');
  const seen = new Set(result.modules.map((module) => module.source));
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`);
  // With a TypeScript it does not know, the tool sees no imports and passes: this is the proof that it looked.
  expect(files.filter((file) => !seen.has(file))).toEqual([]);
  expect(result.modules.flatMap((module) => module.dependencies).length).toBeGreaterThan(files.length);
  const violations = result.summary.violations.map((item) => `${item.rule.name}: ${item.from} -> ${item.to}`);
  expect(violations).toEqual([]);
});

test('every folder of src/ has its rule', () => {
  const folders = ['', 'mirror/', 'boot/'].flatMap((parent) =>
    readdirSync(`src/${parent}`, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `src/${parent}${entry.name}`),
  );
  const known = new Set([...Object.keys(MAY_IMPORT), 'src/commands', 'src/mirror', 'src/boot']);
  expect(folders.filter((folder) => !known.has(folder))).toEqual([]);
});
