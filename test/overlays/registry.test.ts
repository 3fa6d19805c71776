import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeDistributionImage } from '../support/distribution-image.ts';
import { makeRegistryCache } from '../support/registry-cache.ts';
import { openRegistryMachine, type RegistryMachine } from '../support/registry-machine.ts';
import {
  canServe,
  isReady,
  openRegistryWorld,
  PORT,
  type RegistryWorld,
  restart,
  serve,
  status,
  stop,
  whyNot,
  xfsCache,
} from '../support/registry-world.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CLIENT_STORE = '/var/lib/containers/storage';

describe.skipIf(!canServe)(`the registry on the machine, for real${whyNot}`, () => {
  let world: RegistryWorld;
  beforeAll(async () => {
    world = await openRegistryWorld();
  });
  afterAll(() => world.close());

  /** Pulls the release image under its own name, by a mirror, into the machine's store. */
  function pull(machine: RegistryMachine) {
    const { repository } = world.cache;
    const conf = `[[registry]]\nlocation = "${repository}"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "localhost:${PORT}/${repository}"\n`;
    machine.run(['bash', '-c', 'printf %s "$1" >/etc/containers/registries.conf', 'write', conf]);
    return machine.run([
      'podman',
      '--storage-driver',
      'overlay',
      'pull',
      '--quiet',
      world.settings().releaseImage,
    ]);
  }

  test('comes up from the disk and serves under system trust, with loopback only', async () => {
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
    const service = await serve(machine);
    expect(isReady(machine)).toMatchObject({
      status: 0,
      output: expect.stringContaining('nothing needs to come'),
    });
    expect(status(machine)).toBe(
      `ready - https://localhost:${PORT}/v2/ serves ${world.settings().releaseImage}\n`,
    );
    expect(machine.text('/proc/mounts')).toMatch(/ \/run\/edgefab\/cache xfs ro,nosuid,nodev,noexec/);

    const inspected = machine.run([
      'skopeo',
      'inspect',
      '--raw',
      `docker://localhost:${PORT}/${world.cache.repository}@${world.cache.release.digest}`,
    ]);
    expect(inspected.stdout).toBe(world.cache.release.manifest.toString());
    expect(pull(machine)).toMatchObject({ status: 0 });
    const exists = [
      'podman',
      '--storage-driver',
      'overlay',
      'image',
      'exists',
      world.settings().releaseImage,
    ];
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
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
    closeSync(openSync(world.disk, constants.O_RDONLY | constants.O_EXCL));
  });

  test('answers HEAD, Range and the digest header, and takes nothing', async () => {
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
    await serve(machine);
    isReady(machine);
    const [layer] = world.cache.release.layers;
    const base = `https://localhost:${PORT}/v2/${world.cache.repository}`;
    const head = machine.run([
      'curl',
      '-sSI',
      '-H',
      `Accept: ${world.cache.release.mediaType}`,
      `${base}/manifests/${world.cache.release.digest}`,
    ]);
    expect(head.stdout).toMatch(new RegExp(`docker-content-digest: ${world.cache.release.digest}`, 'i'));
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
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
      world.settings({ tool, releaseImage: `${repository}@${release.digest}` }),
      [xfsCache(other)],
    );
    await serve(machine);
    expect(isReady(machine)).toMatchObject({ status: 0 });
    expect(machine.text('/run/edgefab/registry.tool')).toContain(` /${program} `);
  });
});
