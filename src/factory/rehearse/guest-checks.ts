import type { LockedImage } from '../../mirror/resolve/lock.ts';
import type { Site } from '../site.ts';
import type { GuestShell } from './guest-shell.ts';
import type { Phase } from './rehearsal.ts';

/** What the machine must be like in one phase, as the site, its receipt and the lock say. */
export interface Expected {
  readonly phase: Phase;
  readonly site: Pick<Site, 'hostname' | 'network' | 'cache' | 'dns' | 'clusterName' | 'domain'>;
  readonly buildId: string;
  readonly cacheId: string;
  /** Port of the registry on loopback. */
  readonly port: number;
  /** What is pulled in this phase. */
  readonly images: readonly Pick<LockedImage, 'source' | 'digest' | 'requiredBy'>[];
}

/** What a check found, before it has its time. */
export interface Found {
  readonly name: string;
  readonly state: 'good' | 'failed' | 'unknown';
  readonly detail: string;
}

/** Where a phase has the id of its build. */
const BUILD_FILE: Readonly<Record<Phase, string>> = {
  live: '/etc/edgefab/build.json',
  installed: '/etc/edgefab/site.env',
};
/** An emulated machine takes half a minute for what takes half a second elsewhere. */
const LOOK_MS = 180_000;
const PULL_MS = 600_000;
const SHOWN = 300;

function shown(text: string): string {
  return text
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(-SHOWN);
}

/** Runs a command and judges what it printed; no answer, or a status of its own, is told as it is. */
async function look(
  shell: GuestShell,
  name: string,
  command: string,
  judge: (output: string) => { readonly good: boolean; readonly detail: string },
  timeoutMs = LOOK_MS,
): Promise<Found> {
  const answer = await shell.run(command, timeoutMs);
  if (answer === undefined) return { name, state: 'unknown', detail: 'the machine gave no answer' };
  if (answer.status !== 0)
    return { name, state: 'failed', detail: `ended with ${answer.status}: ${shown(answer.output)}` };
  const { good, detail } = judge(answer.output);
  return { name, state: good ? 'good' : 'failed', detail };
}

/** Judges whether each of the words wanted is among those printed. */
function contains(wanted: readonly string[]): (output: string) => { good: boolean; detail: string } {
  return (output) => {
    const words = output.split(/\s+/);
    const missing = wanted.filter((each) => !words.includes(each));
    return missing.length === 0
      ? { good: true, detail: wanted.join(', ') }
      : { good: false, detail: `want ${missing.join(', ')}, got ${shown(output) || 'nothing'}` };
  };
}

/** Gives the checks in the order they are to be made: a terminal has one shell. */
export function guestChecks(expected: Expected, shell: GuestShell): (() => Promise<Found>)[] {
  const { phase, site, buildId } = expected;
  const build = BUILD_FILE[phase];
  const ignition = (): Promise<Found> =>
    look(shell, 'Ignition applied', `cat ${build}`, (output) => ({
      good: output.includes(buildId),
      detail: output.includes(buildId) ? `build ${buildId}` : `want build ${buildId}, got ${shown(output)}`,
    }));
  const images = expected.images.map((image) => () => imageCheck(image, site.cache.mode, shell));
  const installed = phase === 'installed' ? nodeChecks(site, shell) : [];
  return [ignition, ...networkChecks(site, shell), ...installed, ...cacheChecks(expected, shell), ...images];
}

function networkChecks({ hostname, network }: Expected['site'], shell: GuestShell): (() => Promise<Found>)[] {
  const interfaces = network?.interfaces ?? [];
  const addresses = interfaces.flatMap((each) => each.addresses);
  const gateways = interfaces.flatMap(({ gateway }) => gateway ?? []);
  const dns = network?.dns ?? [];
  const check = (name: string, command: string, wanted: readonly string[]): (() => Promise<Found>)[] =>
    wanted.length === 0 ? [] : [() => look(shell, name, command, contains(wanted))];
  return [
    ...check('host name', 'uname -n', [hostname]),
    ...check('address', 'ip -oneline address', addresses),
    ...check('gateway', 'ip route show default; ip -6 route show default', gateways),
    ...check('name servers', 'cat /etc/resolv.conf', dns),
  ];
}

/** What only the node has: the names of its cluster, and a copy of the cache of its own. */
function nodeChecks(site: Expected['site'], shell: GuestShell): (() => Promise<Found>)[] {
  const { clusterName, domain, dns, cache } = site;
  const names = (): Promise<Found> => {
    const name = `api-int.${clusterName}.${domain}`;
    return look(shell, 'names of the cluster', `getent ahosts ${name}`, (output) => ({
      good: output.trim() !== '',
      detail: `${name} is ${shown(output.split(/\s/)[0] ?? '')}`,
    }));
  };
  const kept = (): Promise<Found> =>
    look(shell, 'cache kept', 'cat /run/edgefab/keep-cache.status', (output) => ({
      good: output.startsWith('done '),
      detail: shown(output),
    }));
  return [
    ...(dns === 'local' && domain !== undefined ? [names] : []),
    ...(cache.mode === 'registry' && cache.keepOnNode && cache.location === 'usb' ? [kept] : []),
  ];
}

function cacheChecks({ site, cacheId, port }: Expected, shell: GuestShell): (() => Promise<Found>)[] {
  const mounted = (): Promise<Found> =>
    look(
      shell,
      'cache',
      'cat /run/edgefab/cache.source; findmnt -no OPTIONS /run/edgefab/cache; head -c 4096 /run/edgefab/cache/edgefab-cache.json',
      (output) => {
        const [source = '', options = '', ...file] = output.split('\n');
        const readOnly = options.split(',').includes('ro');
        const itself = file.join('').includes(cacheId);
        const how = `${shown(source)}, ${readOnly ? 'read-only' : 'NOT read-only'}`;
        return { good: readOnly && itself, detail: itself ? how : `${how}, and not the cache ${cacheId}` };
      },
    );
  if (site.cache.mode === 'preload') return [];
  const registry = (): Promise<Found> =>
    look(
      shell,
      'registry',
      `curl --silent --show-error --fail --noproxy '*' --max-time 60 https://localhost:${port}/v2/`,
      () => ({ good: true, detail: `answers on port ${port}, under the trust of the system` }),
    );
  return [mounted, registry];
}

/** Reads every byte of an image by its own name, as podman does, and throws it away. */
function imageCheck(
  { source, digest, requiredBy }: Expected['images'][number],
  mode: 'registry' | 'preload',
  shell: GuestShell,
): Promise<Found> {
  const reference = `${source}@${digest}`;
  const name = `image ${requiredBy[0] ?? source}`;
  const folder = '/var/tmp/edgefab-rehearsal';
  const command =
    mode === 'preload'
      ? `podman image exists ${reference}`
      : `rm -rf ${folder}; skopeo copy --quiet docker://${reference} dir:${folder}; s=$?; rm -rf ${folder}; exit $s`;
  const judge = () => ({ good: true, detail: reference });
  return look(shell, name, command, judge, PULL_MS).then((found) =>
    found.state === 'good' ? found : { ...found, detail: `${reference}: ${found.detail}` },
  );
}
