import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { withFile } from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import { type ManifestFile, manifestsStep } from '../../../src/boot/patch/user-manifests.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const FOLDER = '/opt/openshift/openshift';
const NAMESPACE = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n';
const yaml = (text: string, name = 'own.yaml'): ManifestFile => ({ name, text });
const step = (...files: ManifestFile[]) => manifestsStep(bipIgnition(), files);
const added = (...files: ManifestFile[]) => applyStep(bipIgnition(), step(...files)).ignition;

describe('manifests go in, one file a document', () => {
  test('one', () => {
    const ignition = added(yaml(`# mine\n${NAMESPACE}`));
    expect(fileText(ignition, `${FOLDER}/99_edgefab-manifest-own.yaml`)).toBe(`# mine\n${NAMESPACE}`);
    expect(ignition.files.find((file) => file.path.endsWith('manifest-own.yaml'))?.mode).toBe(0o644);
    if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(ignition.text)).toBe('');
  });
  test('several, in their order, empty ones left out', () => {
    const document = (name: string): string => NAMESPACE.replace('name: a', `name: ${name}`);
    const text = `---\n${document('a')}---\n# nothing\n---   \n${document('b')}...\n--- # c\n${document('c')}---`;
    const ignition = added(yaml(text));
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const path = `${FOLDER}/99_edgefab-manifest-own-${index + 1}.yaml`;
      expect(parseYaml(fileText(ignition, path) ?? '')).toMatchObject({ metadata: { name } });
    }
    expect(ignition.files).toHaveLength(bipIgnition().files.length + 3);
  });
  test('many keep their order by name', () => {
    const { changes } = step(yaml(Array(12).fill(NAMESPACE).join('---\n')));
    expect(changes[0]?.describe).toContain('own-01.yaml: Namespace a');
    expect(changes[11]?.describe).toContain('own-12.yaml');
  });
  test('JSON, indented with tabs', () => {
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }, null, '\t');
    const got = fileText(added({ name: 'own.json', text }), `${FOLDER}/99_edgefab-manifest-own.yaml`) ?? '';
    expect(JSON.parse(got)).toEqual(JSON.parse(text));
    expect(got).not.toContain('\t');
  });
  test('twice is once', () => {
    const once = added(yaml(NAMESPACE));
    const twice = applyStep(once, manifestsStep(once, [yaml(NAMESPACE)]));
    expect(twice).toMatchObject({ ignition: { text: once.text }, report: { changes: [] } });
  });
  test('none is skipped', () => expect(step()).toMatchObject({ changes: [], skipped: expect.anything() }));
});

describe('refused, with file, line and field', () => {
  test.each<[string, ManifestFile[], RegExp | string]>([
    [
      'no kind',
      [yaml('apiVersion: v1\nmetadata:\n  name: a\n')],
      /own\.yaml:1:1 {2}kind: got nothing, want a text/,
    ],
    ['no apiVersion', [yaml('kind: A\nmetadata: {name: a}\n')], /apiVersion: got nothing/],
    [
      'no name',
      [yaml('apiVersion: v1\nkind: Namespace\nmetadata:\n  labels: {}\n')],
      /own\.yaml:3:\d+ {2}metadata\.name: got nothing/,
    ],
    [
      'a name that is a number',
      [yaml('apiVersion: v1\nkind: A\nmetadata:\n  name: 1\n')],
      /own\.yaml:4:9 {2}metadata\.name: got a number/,
    ],
    ['all faults of one', [yaml('a: 1\n')], /3 faults/],
    [
      'a place in the second document',
      [yaml(`${NAMESPACE}---\n\napiVersion: v1\nkind: 1\nmetadata: {name: b}\n`)],
      /own\.yaml:8:7 {2}kind: got a number/,
    ],
    ['a list', [yaml('- a\n')], /own\.yaml:1:1 {2}apiVersion/],
    ['broken YAML', [yaml('a: [\n')], /own\.yaml:\d+:\d+/],
    ['nothing', [yaml('# only\n---\n')], /got no manifest/],
    ['a text of binary', [yaml('\u0000\u0001')], /own\.yaml/],
    ['too much', [yaml(`# ${'x'.repeat(1024 * 1024)}\n${NAMESPACE}`)], /want at most 1048576/],
    ['too many', [yaml(`${NAMESPACE}---\n`.repeat(1001))], /1001 manifests in one file/],
    ['another ending', [yaml(NAMESPACE, 'own.txt')], /ends in \.yaml/],
    ['a name with a space', [yaml(NAMESPACE, 'my own.yaml')], /file name: got my own\.yaml/],
    [
      "the installer's MachineConfigs",
      [yaml(NAMESPACE, '99_openshift-machineconfig_99-master-x.yaml')],
      /as the installer names its own/,
    ],
    [
      "the installer's machines",
      [yaml(NAMESPACE, '99_openshift-cluster-api_x.yaml')],
      /as the installer names its own/,
    ],
    ['one name twice', [yaml(NAMESPACE, 'a/x.yaml'), yaml(NAMESPACE, 'b/x.yml')], /both become/],
    [
      'a bomb of aliases',
      [
        yaml(
          `${NAMESPACE}a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
            .split('')
            .map((to, at) => `${to}: &${to} [${Array(9).fill(`*${'abcdefg'[at]}`).join(',')}]`)
            .join('\n')}\n`,
        ),
      ],
      /aliases expanded/,
    ],
    ['a depth meant to hurt', [yaml(`${NAMESPACE}a: ${'['.repeat(5000)}`)], /nested deeper/],
    ['deep JSON', [{ name: 'own.json', text: '{"a":'.repeat(5000) }], /nested deeper/],
  ])('%s', (_name, files, message) => {
    expect(() => step(...files)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_FILE_INVALID',
        exitCode: 3,
        message: expect.stringMatching(message),
      }),
    );
  });
  test('a List is told how to go on', () => {
    expect(() => step(yaml('apiVersion: v1\nkind: List\nitems: []\n'))).toThrow(
      expect.objectContaining({ suggestions: [expect.stringContaining('--- between')] }),
    );
  });
  test('a file that is there with other content', () => {
    const path = `${FOLDER}/99_edgefab-manifest-own.yaml`;
    const ignition = withFile(bipIgnition(), { path, mode: 0o644, text: 'other' });
    expect(() => manifestsStep(ignition, [yaml(NAMESPACE)])).toThrow(
      expect.objectContaining({
        code: 'TARGET_EXISTS',
        exitCode: 4,
        place: { file: 'own.yaml', field: path },
      }),
    );
  });
});

describe('kinds the bootstrap would wait for are warned of', () => {
  test.each([
    ['v1', 'Namespace', 0],
    ['apps/v1', 'Deployment', 0],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole', 0],
    ['machineconfiguration.openshift.io/v1', 'MachineConfig', 0],
    ['config.openshift.io/v1', 'OperatorHub', 0],
    ['operators.coreos.com/v1alpha1', 'Subscription', 0],
    ['lvm.topolvm.io/v1alpha1', 'LVMCluster', 1],
    ['ptp.openshift.io/v1', 'PtpConfig', 1],
    ['route.openshift.io/v1', 'Route', 1],
  ])('%s %s', (apiVersion, kind, want) => {
    const { warnings = [] } = step(yaml(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`));
    expect(warnings).toHaveLength(want);
    if (want > 0) expect(warnings[0]).toMatch(new RegExp(`own\\.yaml: ${kind} a is of ${apiVersion}`));
  });
  test('not when the user brings the definition', () => {
    const definition =
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.x.io}\nspec: {group: x.io}\n';
    expect(
      step(yaml(`${definition}---\napiVersion: x.io/v1\nkind: A\nmetadata: {name: a}\n`)).warnings,
    ).toBeUndefined();
  });
});
