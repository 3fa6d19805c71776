import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadOverlays } from '../../src/boot/patch/overlay.ts';
import { registryFiles } from '../../src/boot/patch/registry-files.ts';
import type { RegistrySettings } from '../../src/boot/patch/registry-settings.ts';
import { openPrivateMachine, type PrivateMachine, type RunResult, type Service } from './private-machine.ts';
import { makeRegistryCertificates } from './registry-leaf.ts';
import { tempFolder } from './temp-folder.ts';

/** A machine with the files of the registry step in their real places, the disks given, and loopback only. */
export interface RegistryMachine {
  /** Runs a program in the environment a unit gives it. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): RunResult;
  /** Runs one of the scripts in /usr/local/bin. */
  script(name: string, args?: readonly string[], env?: Readonly<Record<string, string>>): RunResult;
  start(name: string, args: readonly string[]): Service;
  /** The text of a file of the machine; empty when there is none. */
  text(path: string): string;
  /** Puts a stand-in for a program before all others. */
  standIn(name: string, text: string): void;
}

/**
 * What this sandbox wants of podman, and a real machine does not: runc, as crun takes no mixed cgroups; no
 * systemd; limits below what is allowed here.
 */
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
`;

/** Gives the machine a root of its own to write to, over what is there. */
const PRIVATE_ROOT = `set -e
mount -t tmpfs none /run
mkdir -p /run/lock /run/over
for folder in etc usr/local/bin var/lib; do
  mkdir -p "/run/over/$folder/upper" "/run/over/$folder/work"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=/run/over/$folder/upper,workdir=/run/over/$folder/work" "/$folder"
done
mkdir -p /var/lib/edgefab /var/lib/containers
mount -t tmpfs none /var/lib/edgefab
mount -t tmpfs none /var/lib/containers
cp -a "$1/." /
cat /etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt >>/etc/ssl/certs/ca-certificates.crt
`;

function environmentOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** `disks` are block devices whose partitions carry the wanted label. Closed when the test is over. */
export async function openRegistryMachine(
  settings: RegistrySettings,
  disks: readonly string[],
): Promise<RegistryMachine> {
  const root = tempFolder();
  const bin = join(root, 'bin');
  const files = join(root, 'files');
  mkdirSync(bin);
  const made = registryFiles(settings, makeRegistryCertificates(), await loadOverlays());
  for (const { path, mode, text } of made) {
    mkdirSync(join(files, dirname(path)), { recursive: true });
    writeFileSync(join(files, path), text);
    chmodSync(join(files, path), mode);
  }
  writeFileSync(join(root, 'containers.conf'), CONTAINERS_CONF);
  const machine: PrivateMachine = await openPrivateMachine();
  onTestFinished(() => machine.close());
  const environment = {
    ...environmentOf(made.find(({ path }) => path === '/etc/edgefab/registry.env')?.text ?? ''),
    PATH: `${bin}:${process.env.PATH}`,
    HOME: root,
    CONTAINERS_CONF: join(root, 'containers.conf'),
    EDGEFAB_WAIT_SECONDS: '0',
    EDGEFAB_READY_SECONDS: '30',
  };
  const standIn = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  };
  // Partitions of loop devices are not looked for by every kernel, and nobody here keeps their labels.
  const lines = disks.map((disk) => `echo '${disk} ${settings.cacheLabel}'`);
  standIn('lsblk', `if [[ $1 == -d* ]]; then exit 0; fi\n${lines.join('\n')}`);
  const set = machine.run(['bash', '-c', PRIVATE_ROOT, 'private-root', files]);
  if (set.status !== 0) throw new Error(`the private root was not made: ${set.output}`);
  const scriptPath = (name: string): string => `/usr/local/bin/${name}`;
  return {
    run: (command, env = {}) => machine.run(command, { ...environment, ...env }),
    script: (name, args = [], env = {}) =>
      machine.run([scriptPath(name), ...args], { ...environment, ...env }),
    start: (name, args) => machine.start([scriptPath(name), ...args], environment),
    text: (path) => machine.run(['cat', path]).stdout,
    standIn,
  };
}
