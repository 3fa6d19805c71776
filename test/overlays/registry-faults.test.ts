import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RegistrySettings } from '../../src/boot/patch/registry-settings.ts';
import { makeDistributionImage } from '../support/distribution-image.ts';
import { makeRegistryCache } from '../support/registry-cache.ts';
import { openRegistryMachine } from '../support/registry-machine.ts';
import {
  canServe,
  isReady,
  openRegistryWorld,
  PORT,
  type RegistryWorld,
  serve,
  status,
  whyNot,
  xfsCache,
} from '../support/registry-world.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe.skipIf(!canServe)(`the registry on the machine, when something is wrong${whyNot}`, () => {
  let world: RegistryWorld;
  beforeAll(async () => {
    world = await openRegistryWorld();
  });
  afterAll(() => world.close());

  describe('says what is wrong', () => {
    /** What `prepare` says and leaves in the status file, with the cache opened first. */
    async function prepared(change: Partial<RegistrySettings>) {
      const machine = await openRegistryMachine(world.settings(change), [world.disk]);
      machine.script('edgefab-cache.sh', ['open']);
      const { status: exit } = machine.script('edgefab-registry.sh', ['prepare']);
      return { machine, exit, line: status(machine) };
    }
    test("without a cache, with the cache's own reason", async () => {
      const machine = await openRegistryMachine(world.settings(), []);
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
      const { exit, line } = await prepared({ tool: { ...world.cache.tool, view: 'views/dir/none' } });
      expect([exit, line]).toEqual([2, expect.stringContaining('the cache has no view views/dir/none')]);
    });
    test('with an image that is not the one named', async () => {
      const reference = `docker.io/library/registry@sha256:${'0'.repeat(64)}`;
      const { exit, line } = await prepared({ tool: { ...world.cache.tool, reference } });
      expect([exit, line]).toEqual([
        2,
        expect.stringMatching(/^stopped - the registry image cannot be loaded/),
      ]);
    });
    test('with an image without the program', async () => {
      const other = tempFolder();
      await makeRegistryCache(other);
      const tool = await makeDistributionImage(other, 'usr/bin/dockerregistry');
      const machine = await openRegistryMachine(world.settings({ tool }), [xfsCache(other)]);
      machine.script('edgefab-cache.sh', ['open']);
      expect(machine.script('edgefab-registry.sh', ['prepare'])).toMatchObject({ status: 2 });
      expect(status(machine)).toContain('has none of: /usr/bin/distribution');
    });
    test('when the release image is not in the cache', async () => {
      const releaseImage = `${world.cache.repository}@sha256:${'0'.repeat(64)}`;
      const machine = await openRegistryMachine(world.settings({ releaseImage }), [world.disk]);
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
      const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
    const machine = await openRegistryMachine(world.settings(), []);
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
    const machine = await openRegistryMachine(world.settings(), [world.disk]);
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
