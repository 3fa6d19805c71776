import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import { registryMirrorsStep } from '../../../src/boot/patch/registry-mirrors.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import { digestHex, digestOf } from '../../../src/oci/digest.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { type DockerRegistry, startDockerRegistry } from '../../support/docker-registry.ts';
import { type MadeImage, makeImage, pushImages } from '../../support/made-image.ts';
import { loopbackLeaf, registryCa } from '../../support/registry-ca.ts';
import { haveTools } from '../../support/tools.ts';

const TOOLS = ['docker-registry', 'podman', 'skopeo', 'curl', 'wget', 'nsenter', 'ip'];
const CAN_UNSHARE = spawnSync('unshare', ['--mount', '--net', 'true']).status === 0;
const run = promisify(execFile);
const REPOSITORY = 'quay.io/made-up/release';

/** A signature as sigstore attaches it: a manifest under a tag made of the signed digest. */
function signatureOf(image: MadeImage, key: KeyObject): MadeImage {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': REPOSITORY },
        image: { 'docker-manifest-digest': image.digest },
        type: 'cosign container image signature',
      },
      optional: {},
    }),
  );
  const layerType = 'application/vnd.dev.cosign.simplesigning.v1+json';
  const digest = digestOf(payload);
  const configBytes = Buffer.from(
    JSON.stringify({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [digest] } }),
  );
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(configBytes),
    bytes: configBytes,
  };
  const annotations = {
    'dev.cosignproject.cosign/signature': sign('sha256', payload, key).toString('base64'),
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: config.mediaType, digest: config.digest, size: configBytes.length },
      layers: [{ mediaType: layerType, digest, size: payload.length, annotations }],
    }),
  );
  const layers = [{ mediaType: layerType, digest, bytes: payload, diffId: digest }];
  return { digest: digestOf(manifest), mediaType, manifest, config, layers, architecture: 'amd64' };
}

describe.skipIf(!(haveTools(...TOOLS) && CAN_UNSHARE))(
  `the rendered files, in a network of loopback only (needs root, unshare and ${TOOLS.join(', ')})`,
  () => {
    let folder: string;
    let machine: ChildProcess;
    let registry: DockerRegistry;
    let signed: MadeImage;
    const ca = registryCa();

    /** Runs a program in the machine's namespaces; what it printed, and its status. */
    async function onMachine(
      ...command: string[]
    ): Promise<{ status: number; stdout: string; output: string }> {
      try {
        const { stdout, stderr } = await run('nsenter', ['-t', String(machine.pid), '-m', '-n', ...command]);
        return { status: 0, stdout, output: stdout + stderr };
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
        return { status: code, stdout, output: `${stdout}${stderr}` };
      }
    }
    const pull = (reference: string) => {
      const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')];
      return onMachine('podman', ...store, '--storage-driver', 'vfs', 'pull', '--quiet', reference);
    };
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'edgefab-mirrors-'));
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      signed = await makeImage({ seed: 'signed', layers: [{ seed: 'a', sizeBytes: 1000 }] });
      const storageDir = join(folder, 'storage');
      const open = await startDockerRegistry({ storageDir });
      const tag = `sha256-${digestHex(signed.digest)}.sig`;
      await pushImages(open, [
        { image: signed, repository: REPOSITORY },
        { image: signatureOf(signed, privateKey), repository: REPOSITORY, tag },
      ]);
      await open.close();

      machine = spawn(
        'unshare',
        ['--mount', '--net', 'sh', '-c', 'ip link set lo up && echo up && exec sleep 600'],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      if (machine.stdout !== null) await once(machine.stdout, 'data');
      registry = await startDockerRegistry({
        storageDir,
        readOnly: true,
        tls: loopbackLeaf(ca),
        under: ['nsenter', '-t', String(machine.pid), '-n'],
      });

      const port = Number(registry.host.split(':')[1]);
      for (const [path, text] of patchedFiles(port)) write(path, text);
      write('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
      // As the machine-config-operator writes it for a policy's repository and its mirrors.
      write(
        'etc/containers/registries.d/sigstore.yaml',
        `docker:\n  ${REPOSITORY}:\n    use-sigstore-attachments: true\n  localhost:${port}/${REPOSITORY}:\n    use-sigstore-attachments: true\n`,
      );
      const { status, output } = await onMachine(
        'mount',
        '--bind',
        join(folder, 'etc/containers'),
        '/etc/containers',
      );
      expect([status, output]).toEqual([0, '']);
    });

    /** What the step puts under /etc/containers; the test's registry has any free port, which the step would refuse. */
    function patchedFiles(port: number): [string, string][] {
      const stand = 22626;
      const before = bipIgnition({ releaseImage: `${REPOSITORY}@${signed.digest}` });
      const { ignition } = applyStep(
        before,
        registryMirrorsStep(before, {
          port: stand,
          repositories: [{ source: REPOSITORY, mirror: `localhost:${stand}/${REPOSITORY}` }],
          tagged: [],
          caPem: ca.certPem,
          version: '4.21.0',
        }),
      );
      return ignition.files
        .filter(({ path }) => path.startsWith('/etc/containers/'))
        .map(({ path }) => {
          const text = fileText(ignition, path) ?? '';
          const moved = (each: string): string => each.replaceAll(`localhost:${stand}`, `localhost:${port}`);
          return [moved(path).slice(1), moved(text)];
        });
    }

    afterAll(async () => {
      await registry?.close();
      machine?.kill();
      rmSync(folder, { recursive: true, force: true });
    });

    test('podman pulls by digest under the upstream name', async () => {
      expect(await pull(`${REPOSITORY}@${signed.digest}`)).toMatchObject({
        status: 0,
        stdout: `${digestHex(signed.config.digest)}\n`,
      });
      expect(registry.log()).toContain(`/v2/${REPOSITORY}/manifests/${signed.digest}`);
    });
    test('skopeo reads it too, and gets its signature from the same mirror, which is one for digests only', async () => {
      const copy = join(folder, 'copy');
      const { status, output } = await onMachine(
        'skopeo',
        'copy',
        '--quiet',
        '--preserve-digests',
        `docker://${REPOSITORY}@${signed.digest}`,
        `dir:${copy}`,
      );
      expect([status, output]).toEqual([0, '']);
      expect(digestOf(readFileSync(join(copy, 'manifest.json')))).toBe(signed.digest);
      expect(readFileSync(join(copy, 'signature-1'), 'latin1')).toContain(
        'dev.cosignproject.cosign/signature',
      );
      expect(registry.log()).toContain(`/v2/${REPOSITORY}/manifests/sha256-${digestHex(signed.digest)}.sig`);
    });
    test('what the mirror has not is not found: there is no way out', async () => {
      const { status, output } = await pull(`${REPOSITORY}@sha256:${'0'.repeat(64)}`);
      expect(status).not.toBe(0);
      expect(output).toMatch(/quay\.io/);
    });
    test.each([
      ['OpenSSL', ['curl', '--silent', '--show-error', '--fail', '--cacert']],
      ['GnuTLS', ['wget', '--quiet', '--output-document=-', '--ca-certificate']],
    ])('a client of %s takes the certificate for each loopback name', async (_name, command) => {
      write('ca.crt', ca.certPem);
      const port = registry.host.split(':')[1];
      for (const name of ['localhost', '127.0.0.1'])
        expect(
          await onMachine(...command, join(folder, 'ca.crt'), `https://${name}:${port}/v2/`),
        ).toMatchObject({ status: 0, output: '{}' });
    });
    test('without the CA nothing is pulled', async () => {
      const empty = join(folder, 'empty');
      mkdirSync(empty);
      const port = registry.host.split(':')[1];
      const name = `localhost:${port}/${REPOSITORY}@${signed.digest}`;
      const { status, output } = await onMachine(
        'sh',
        '-c',
        `unshare --mount sh -c 'mount --bind ${empty} /etc/containers/certs.d && skopeo inspect docker://${name}'`,
      );
      expect([status, output]).toEqual([
        1,
        expect.stringContaining('certificate signed by unknown authority'),
      ]);
    });
  },
);
