import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { haveTools } from './tools.ts';

/** Where NetworkManager's programs are: the system's, or a package unpacked elsewhere (env NETWORK_MANAGER). */
const root = process.env.NETWORK_MANAGER ?? '/';
const generator = ['usr/lib/NetworkManager', 'usr/libexec']
  .map((folder) => join(root, folder, 'nm-initrd-generator'))
  .find((path) => existsSync(path));
const nmcli = join(root, 'usr/bin/nmcli');

/** Whether nmcli (≥ 1.38, for --offline) and nm-initrd-generator are here and run. */
export const hasNetworkManager =
  generator !== undefined &&
  spawnSync(nmcli, ['--version']).status === 0 &&
  spawnSync(generator, ['-s']).status === 0;

/** What to put behind the title of a test that needs them. */
export const networkManagerSkip = hasNetworkManager
  ? ''
  : ' (SKIPPED: no nmcli and nm-initrd-generator; .ci/tools gets them)';

function run(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Has NetworkManager's own library read a keyfile, check it and write it again; throws what it complains of. */
export function readByNetworkManager(keyfile: string): string {
  return run(nmcli, ['--offline', 'connection', 'modify', 'connection.autoconnect', 'yes'], keyfile);
}

/** The connection profiles that the initramfs makes of kernel arguments, by their names. */
export function profilesOfKargs(kargs: readonly string[]): Map<string, string> {
  const text = run(generator ?? '', ['-s', '--', ...kargs]);
  const parts = text.split(/^\*\*\* Connection '(.*)' \*\*\*$/m);
  return new Map(
    parts.flatMap((part, index) => (index % 2 === 1 ? [[part, parts[index + 1] ?? ''] as const] : [])),
  );
}

const WORLD = fileURLToPath(new URL('network-manager-world.sh', import.meta.url));
const UNSHARE = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** Whether the daemon itself can be run cut off from this machine. */
export const canActivate =
  hasNetworkManager &&
  existsSync(join(root, 'usr/sbin/NetworkManager')) &&
  haveTools('unshare', 'ip', 'dbus-daemon') &&
  spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'add', 'wan', 'type', 'veth']).status === 0;

/** What to put behind the title of a test that needs it. */
export const activateSkip = canActivate ? '' : ' (SKIPPED: needs root, unshare, dbus-daemon, NetworkManager)';

export interface ActivatedCard {
  /** ADDRESS/PREFIX, without link-local ones. */
  readonly addresses: readonly string[];
  readonly gateway: string | undefined;
  readonly metric: number | undefined;
  /** The id of the profile that NetworkManager took. */
  readonly profile: string;
}

/** Runs the real NetworkManager on a folder of keyfiles with one card of this MAC address, which is called `wan`. */
export function activate(keyfiles: string, mac: string): ActivatedCard {
  const [shown = '[]', routes = '[]', profile = ''] = run('unshare', [
    ...UNSHARE,
    WORLD,
    root,
    keyfiles,
    mac,
  ]).split('\n');
  const [card] = JSON.parse(shown) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  const [route] = JSON.parse(routes) as { gateway?: string; metric?: number }[];
  return {
    addresses: (card?.addr_info ?? [])
      .filter(({ scope }) => scope === 'global')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    gateway: route?.gateway,
    metric: route?.metric,
    profile,
  };
}
