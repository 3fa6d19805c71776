import type { GuestShell } from './guest-shell.ts';

/** How a unit of the machine stands. */
export interface GuestUnit {
  readonly name: string;
  /** `waiting`: it has not begun or is not done yet. `skipped`: its condition does not hold. */
  readonly state: 'good' | 'failed' | 'waiting' | 'skipped';
  readonly detail: string;
  /** Whether the machine has a unit of this name. */
  readonly isThere: boolean;
}

/** Long: a question asked again before it was answered only makes a slow machine slower. */
const ANSWER_MS = 180_000;
const MAX_STATUS_CHARS = 500;
const PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'ConditionResult',
  'ConditionTimestampMonotonic',
  'ExecMainExitTimestampMonotonic',
];

function unitOf(block: string): GuestUnit {
  const told = new Map(
    block.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const get = (key: string): string => told.get(key) ?? '';
  const detail = `${get('ActiveState')} (${get('SubState')}), ${get('Result')}`;
  return { name: get('Id'), state: stateOf(get), detail, isThere: get('LoadState') !== 'not-found' };
}

function stateOf(get: (key: string) => string): GuestUnit['state'] {
  if (get('LoadState') !== 'loaded' || get('ActiveState') === 'failed') return 'failed';
  if (get('ActiveState') === 'active') return 'good';
  if (get('ActiveState') !== 'inactive') return 'waiting';
  if (get('ConditionTimestampMonotonic') !== '0' && get('ConditionResult') === 'no') return 'skipped';
  // A oneshot that does not remain after its end.
  if (get('ExecMainExitTimestampMonotonic') === '0') return 'waiting';
  return get('Result') === 'success' ? 'good' : 'failed';
}

/** Asks how units stand; undefined while the machine does not answer. */
export async function askUnits(
  shell: GuestShell,
  names: readonly string[],
): Promise<GuestUnit[] | undefined> {
  const answer = await shell.run(
    `systemctl show --property=${PROPERTIES.join(',')} -- ${names.join(' ')}`,
    ANSWER_MS,
  );
  if (answer === undefined || answer.status !== 0) return undefined;
  return answer.output
    .split(/\n\n+/)
    .filter((block) => block.includes('Id='))
    .map(unitOf);
}

/** Asks what edgefab's units say of themselves, as the console shows it: `PART: STATE - TEXT` each; undefined without an answer. */
export async function askStatuses(shell: GuestShell): Promise<string[] | undefined> {
  const answer = await shell.run('cd /run/edgefab && grep -H . -- *.status', ANSWER_MS);
  if (answer === undefined) return undefined;
  return [...answer.output.matchAll(/^([\w-]+)\.status:(.*)$/gm)].map(
    ([, part = '', text = '']) =>
      `${part}: ${text.slice(0, MAX_STATUS_CHARS).replaceAll(/[^\x20-\x7e]/g, '?')}`,
  );
}
