import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { RegistrySettings } from '../../src/boot/patch/registry-settings.ts';
import { HAS_DISTRIBUTION_DOUBLE, makeDistributionImage } from '../support/distribution-image.ts';
import type { LoopPartition } from '../support/loop-disk.ts';
import { HAS_NAMESPACES, type Service } from '../support/private-machine.ts';
import { CACHE_ID, makeRegistryCache, type RegistryCache } from '../support/registry-cache.ts';
import { openRegistryMachine, type RegistryMachine } from '../support/registry-machine.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { openXfsCache } from '../support/xfs-cache.ts';

const TOOLS = ['podman', 'skopeo', 'runc', 'curl', 'openssl', 'sgdisk', 'mkfs.xfs', 'unshare', 'nsenter'];
const ready = canMount && HAS_NAMESPACES && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, namespaces, docker-registry, ${TOOLS.join(', ')})`;

const PORT = 22626;
const CLIENT_STORE = '/var/lib/containers/storage';

describe.skipIf(!ready)(`the registry on the machine, for real${skipped}`, () => {
  let folder: string;
  let cache: RegistryCache;
  /** One disk for all tests: nobody writes to it. */
  let disk: LoopPartition;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'edgefab-cache-'));
    cache = await makeRegistryCache(folder);
    disk = openXfsCache(folder);
  });
  afterAll(() => {
    disk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function settings(change: Partial<RegistrySettings> = {}): RegistrySettings {
    return {
      port: PORT,
      cacheLabel: 'edgefab',
      cacheId: CACHE_ID,
      tool: cache.tool,
      releaseImage: `${cache.repository}@${cache.release.digest}`,
      location: 'usb',
      keepOnNode: true,
      installDisk: undefined,
      buildId: 'b-1',
      buildTime: new Date('2026-11-21T10:00:00Z'),
      ...change,
    };
  }

  function xfsCache(from: string): string {
    const { device, close } = openXfsCache(from);
    onTestFinished(close);
    return device;
  }

  /** Runs the units' commands in the units' order, up to the server in the foreground. */
  async function serve(machine: RegistryMachine): Promise<Service> {
    expect(machine.script('edgefab-cache.sh', ['open'])).toMatchObject({ status: 0 });
    return restart(machine);
  }
  async function restart(machine: RegistryMachine): Promise<Service> {
    const prepared = machine.script('edgefab-registry.sh', ['prepare']);
    expect(prepared).toMatchObject({ status: 0 });
    const service = machine.start('edgefab-registry.sh', ['serve']);
    onTestFinished(async () => void (await service.stop()));
    return service;
  }
  async function stop(machine: RegistryMachine, service: Service): Promise<void> {
    await service.stop();
    machine.script('edgefab-registry.sh', ['clean']);
  }
  const isReady = (machine: RegistryMachine) => machine.script('edgefab-registry-ready.sh');
  const status = (machine: RegistryMachine): string => machine.text('/run/edgefab/registry.status');

  /** Pulls the release image under its own name, by a mirror, into the machine's store. */
  function pull(machine: RegistryMachine) {
    const conf = `[[registry]]\nlocation = "${cache.repository}"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "localhost:${PORT}/${cache.repository}"\n`;
    machine.run(['bash', '-c', 'printf %s "$1" >/etc/containers/registries.conf', 'write', conf]);
    return machine.run(['podman', '--storage-driver', 'overlay', 'pull', '--quiet', settings().releaseImage]);
  }

  test('comes up from the disk and serves under system trust, with loopback only', async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    const service = await serve(machine);
    expect(isReady(machine)).toMatchObject({
      status: 0,
      output: expect.stringContaining('nothing needs to come'),
    });
    expect(status(machine)).toBe(`ready - https://localhost:${PORT}/v2/ serves ${settings().releaseImage}\n`);
    expect(machine.text('/proc/mounts')).toMatch(/ \/run\/edgefab\/cache xfs ro,nosuid,nodev,noexec/);

    const inspected = machine.run([
      'skopeo',
      'inspect',
      '--raw',
      `docker://localhost:${PORT}/${cache.repository}@${cache.release.digest}`,
    ]);
    expect(inspected.stdout).toBe(cache.release.manifest.toString());
    expect(pull(machine)).toMatchObject({ status: 0 });
    const exists = ['podman', '--storage-driver', 'overlay', 'image', 'exists', settings().releaseImage];
    expect(machine.run(exists)).toMatchObject({ status: 0 });
    // Every request is in the log.
    await delay(200);
    expect(service.output()).toMatch(/"GET \/v2\/quay\.io\/made-up\/release\/manifests\//);
    await stop(machine, service);
    expect(status(machine)).toMatch(/^stopped - /);
    // Nothing holds the disk any more.
    expect(machine.script('edgefab-cache.sh', ['close'])).toMatchObject({ status: 0 });
    expect(machine.text('/proc/mounts')).not.toContain('/run/edgefab/cache');
  });

  test('also on [::1], where the machine has it', async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    const first = await serve(machine);
    const second = machine.start('edgefab-registry.sh', ['serve6']);
    onTestFinished(async () => void (await second.stop()));
    expect(isReady(machine)).toMatchObject({ status: 0 });
    for (const address of ['127.0.0.1', '[::1]'])
      expect(
        machine.run([
          'curl',
          '-sS',
          '--fail',
          '--retry',
          '20',
          '--retry-connrefused',
          '--retry-delay',
          '1',
          `https://${address}:${PORT}/v2/`,
        ]),
      ).toMatchObject({ status: 0, stdout: '{}' });
    // On no other address.
    machine.run(['ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo']);
    expect(machine.run(['curl', '-sS', `https://192.0.2.1:${PORT}/v2/`])).toMatchObject({ status: 7 });
    // Whoever stops the first one alone finds the disk free, and the second does not come back.
    await first.stop();
    machine.script('edgefab-registry.sh', ['clean']);
    expect(machine.script('edgefab-registry.sh', ['serve6'])).toMatchObject({ status: 2 });
    expect(machine.script('edgefab-cache.sh', ['close'])).toMatchObject({ status: 0 });
    closeSync(openSync(disk.device, constants.O_RDONLY | constants.O_EXCL));
  });

  test('answers HEAD, Range and the digest header, and takes nothing', async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    await serve(machine);
    isReady(machine);
    const [layer] = cache.release.layers;
    const base = `https://localhost:${PORT}/v2/${cache.repository}`;
    const head = machine.run([
      'curl',
      '-sSI',
      '-H',
      `Accept: ${cache.release.mediaType}`,
      `${base}/manifests/${cache.release.digest}`,
    ]);
    expect(head.stdout).toMatch(new RegExp(`docker-content-digest: ${cache.release.digest}`, 'i'));
    const range = machine.run([
      'curl',
      '-sS',
      '-r',
      '10-19',
      '-o',
      '/run/part',
      '-w',
      '%{http_code} %{size_download}',
      `${base}/blobs/${layer?.digest}`,
    ]);
    expect(range.stdout).toBe('206 10');
    const push = machine.run([
      'curl',
      '-sS',
      '-X',
      'POST',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `${base}/blobs/uploads/`,
    ]);
    expect(push.stdout).toBe('405');
  });

  test("serves on when the machine's image store is wiped, and after a restart", async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    const first = await serve(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    expect(pull(machine)).toMatchObject({ status: 0 });
    machine.run([
      'bash',
      '-c',
      `findmnt -rno TARGET | grep '^${CLIENT_STORE}/' | xargs -r umount -l; rm -rf ${CLIENT_STORE}`,
    ]);
    expect(pull(machine)).toMatchObject({ status: 0 });
    await stop(machine, first);
    machine.run([
      'bash',
      '-c',
      `findmnt -rno TARGET | grep '^${CLIENT_STORE}/' | xargs -r umount -l; rm -rf ${CLIENT_STORE}`,
    ]);
    await restart(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    expect(pull(machine)).toMatchObject({ status: 0 });
  });

  const TOOL_STORE = '/var/lib/edgefab/storage';
  test.each([
    ['gone', `rm -rf ${TOOL_STORE}`],
    ['of which layers are missing', `rm -rf ${TOOL_STORE}/overlay/*/diff`],
    ['of which the index is cut off', `truncate -s 20 ${TOOL_STORE}/overlay-images/images.json`],
    ['of which the program was changed', `echo x >>$(ls ${TOOL_STORE}/overlay/*/diff/bin/registry)`],
    ['of another boot', 'rm /run/edgefab/registry.tool'],
  ])('a tool store that is %s is made anew', async (_name, damage) => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    const first = await serve(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    await stop(machine, first);
    const unmount = `findmnt -rno TARGET | grep '^${TOOL_STORE}/' | xargs -r umount -l; ${damage}`;
    expect(machine.run(['bash', '-c', unmount])).toMatchObject({ status: 0 });
    const prepared = machine.script('edgefab-registry.sh', ['prepare']);
    expect(prepared).toMatchObject({
      status: 0,
      output: expect.stringContaining('loading the registry image'),
    });
    await restart(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
  });

  test('a tool store that is sound is not loaded again', async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    const first = await serve(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    await stop(machine, first);
    const again = machine.script('edgefab-registry.sh', ['prepare']);
    expect(again).toMatchObject({ status: 0, output: '' });
  });

  test.each(['usr/bin/distribution', 'usr/bin/registry'])('the program is found at /%s', async (program) => {
    const other = tempFolder();
    const { release, repository } = await makeRegistryCache(other);
    const tool = await makeDistributionImage(other, program);
    const machine = await openRegistryMachine(
      settings({ tool, releaseImage: `${repository}@${release.digest}` }),
      [xfsCache(other)],
    );
    await serve(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    expect(machine.text('/run/edgefab/registry.tool')).toContain(` /${program} `);
  });

  describe('says what is wrong', () => {
    /** What `prepare` says and leaves in the status file, with the cache opened first. */
    async function prepared(change: Partial<RegistrySettings>) {
      const machine = await openRegistryMachine(settings(change), [disk.device]);
      machine.script('edgefab-cache.sh', ['open']);
      const { status: exit } = machine.script('edgefab-registry.sh', ['prepare']);
      return { machine, exit, line: status(machine) };
    }
    test("without a cache, with the cache's own reason", async () => {
      const machine = await openRegistryMachine(settings(), []);
      machine.script('edgefab-cache.sh', ['open']);
      expect(machine.script('edgefab-registry.sh', ['prepare'])).toMatchObject({ status: 2 });
      expect(status(machine)).toMatch(
        /^stopped - the cache is not mounted: stopped - no partition labelled edgefab/,
      );
      // Readiness does not wait for what will not come.
      const begin = Date.now();
      expect(isReady(machine)).toMatchObject({
        status: 1,
        output: expect.stringContaining('NOT READY: the registry is stopped'),
      });
      expect(Date.now() - begin).toBeLessThan(5000);
    });
    test('without the registry image', async () => {
      const { exit, line } = await prepared({ tool: { ...cache.tool, view: 'views/dir/none' } });
      expect([exit, line]).toEqual([2, expect.stringContaining('the cache has no view views/dir/none')]);
    });
    test('with an image that is not the one named', async () => {
      const reference = `docker.io/library/registry@sha256:${'0'.repeat(64)}`;
      const { exit, line } = await prepared({ tool: { ...cache.tool, reference } });
      expect([exit, line]).toEqual([
        2,
        expect.stringMatching(/^stopped - the registry image cannot be loaded/),
      ]);
    });
    test('with an image without the program', async () => {
      const other = tempFolder();
      await makeRegistryCache(other);
      const tool = await makeDistributionImage(other, 'usr/bin/dockerregistry');
      const machine = await openRegistryMachine(settings({ tool }), [xfsCache(other)]);
      machine.script('edgefab-cache.sh', ['open']);
      expect(machine.script('edgefab-registry.sh', ['prepare'])).toMatchObject({ status: 2 });
      expect(status(machine)).toContain('has none of: /usr/bin/distribution');
    });
    test('when the release image is not in the cache', async () => {
      const releaseImage = `${cache.repository}@sha256:${'0'.repeat(64)}`;
      const machine = await openRegistryMachine(settings({ releaseImage }), [disk.device]);
      await serve(machine);
      const { status: exit } = machine.script('edgefab-registry-ready.sh', [], {
        EDGEFAB_READY_SECONDS: '4',
      });
      expect([exit, status(machine)]).toEqual([
        1,
        expect.stringMatching(/^failed - .*404.*the cache does not hold it/),
      ]);
    });
    test('when the system does not trust the CA', async () => {
      const machine = await openRegistryMachine(settings(), [disk.device]);
      await serve(machine);
      machine.run(['bash', '-c', ': >/etc/ssl/certs/ca-certificates.crt']);
      const { status: exit } = machine.script('edgefab-registry-ready.sh', [], {
        EDGEFAB_READY_SECONDS: '4',
      });
      expect([exit, status(machine)]).toEqual([
        1,
        expect.stringMatching(/^failed - .*is the CA in \/etc\/pki/),
      ]);
    });
  });

  test('readiness asks for the repository as the registry names it (curl is a stand-in)', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const machine = await openRegistryMachine(settings(), []);
    machine.standIn('curl', 'for last; do :; done; echo "$last" >>/run/asked; [[ $last == */v2/ ]]');
    const env = {
      EDGEFAB_RELEASE_IMAGE: `registry.example.com:8443/a/b@${digest}`,
      EDGEFAB_READY_SECONDS: '0',
    };
    expect(machine.script('edgefab-registry-ready.sh', [], env)).toMatchObject({ status: 1 });
    expect(machine.text('/run/asked')).toBe(
      `https://localhost:${PORT}/v2/\nhttps://localhost:${PORT}/v2/registry.example.com__8443/a/b/manifests/${digest}\n`,
    );
  });

  test('runs unconfined only where labels forbid it, and says so (SELinux and chcon are stand-ins)', async () => {
    const machine = await openRegistryMachine(settings(), [disk.device]);
    machine.run(['mkdir', '-p', '/run/selinux']);
    machine.run(['touch', '/run/selinux/enforce']);
    machine.standIn('chcon', 'exit 0');
    machine.standIn('podman', 'printf "%s\\n" "$@" >>/run/podman.args');
    const label = (text: string): void => machine.standIn('stat', `echo ${text}`);
    const env = { EDGEFAB_SELINUX: '/run/selinux' };
    machine.run([
      'bash',
      '-c',
      'mkdir -p /run/edgefab; echo "x /bin/registry 0" >/run/edgefab/registry.tool',
    ]);
    for (const [text, unconfined] of [
      ['system_u:object_r:container_file_t:s0', false],
      ['system_u:object_r:var_lib_t:s0', true],
    ] as const) {
      label(text);
      machine.run(['rm', '-f', '/run/podman.args']);
      const run = machine.script('edgefab-registry.sh', ['serve'], env);
      expect(machine.text('/run/podman.args').includes('--security-opt=label=disable\n')).toBe(unconfined);
      expect(run.output.includes('runs unconfined')).toBe(unconfined);
    }
  });
});
