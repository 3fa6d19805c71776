import { EdgefabError, hasCode } from '../errors.ts';
import { type ImageReference, repositoryOf } from './reference.ts';
import { lacksRepository } from './refusal.ts';
import { endpointsOf, type RegistryEndpoint, type RegistryEntry } from './registries-conf.ts';
import { isTransient } from './retry.ts';

/** What is wanted of a registry or its mirrors. `key` names the one thing, to remember who does not have it. */
export interface Wanted {
  readonly reference: ImageReference;
  readonly byDigest: boolean;
  readonly key: string;
  /** Our own end: after it no other place is asked. */
  readonly signal: AbortSignal | undefined;
}

export interface Endpoints {
  /** Asks each place in turn and gives the first answer; the error at the end names every place. */
  ask<T>(wanted: Wanted, ask: (endpoint: RegistryEndpoint) => Promise<T>): Promise<T>;
  /** Makes a mirror count as one that does not have the thing: what it sent was wrong. */
  distrust(endpoint: RegistryEndpoint, key: string): void;
}

/** How far a mirror's failure reaches: what it need not be asked again in this run. */
function reachOf(error: EdgefabError, { reference }: RegistryEndpoint, key: string): string {
  // Tries have been used up by now: a host that is down or busy stays so for the run.
  if (error.code === 'REGISTRY_UNREACHABLE' || (error.code === 'REGISTRY_REFUSED' && isTransient(error)))
    return reference.domain;
  if (error.code === 'REGISTRY_UNAUTHORIZED' || lacksRepository(error)) return repositoryOf(reference);
  return `${repositoryOf(reference)} ${key}`;
}

function everyPlace(error: EdgefabError, before: readonly string[]): EdgefabError {
  if (before.length === 0) return error;
  const { code, place, suggestions, faults, cause } = error;
  const advice = hasCode(error, 'REGISTRY_UNREACHABLE')
    ? ['Where only mirrors can be reached, write one as the location of its [[registry]], not as a mirror']
    : [];
  return new EdgefabError(`${error.message}; asked before: ${before.join('; ')}`, {
    code,
    place,
    suggestions: [...suggestions, ...advice],
    faults,
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Opens the way to registries and their mirrors (containers-registries.conf(5)): mirrors in order, then the
 * place itself, whose error is the one that counts. What a mirror failed at is remembered until the end.
 */
export function openEndpoints(entries: readonly RegistryEntry[]): Endpoints {
  const failed = new Map<string, string>();

  function failureOf({ reference }: RegistryEndpoint, key: string): string | undefined {
    const repository = repositoryOf(reference);
    return failed.get(reference.domain) ?? failed.get(repository) ?? failed.get(`${repository} ${key}`);
  }

  return {
    ask: async ({ reference, byDigest, key, signal }, ask) => {
      const before: string[] = [];
      for (const endpoint of endpointsOf(reference, byDigest, entries)) {
        if (!endpoint.mirror) {
          return await ask(endpoint).catch((error: unknown) => {
            throw error instanceof EdgefabError ? everyPlace(error, before) : error;
          });
        }
        const shown = `mirror ${repositoryOf(endpoint.reference)}`;
        const known = failureOf(endpoint, key);
        if (known !== undefined) {
          before.push(`${shown} (not asked again: ${known})`);
          continue;
        }
        try {
          return await ask(endpoint);
        } catch (error) {
          if (!(error instanceof EdgefabError) || signal?.aborted === true) throw error;
          failed.set(reachOf(error, endpoint, key), error.message);
          before.push(`${shown} (${error.message})`);
        }
      }
      throw new RangeError('a registry’s own place is always among its endpoints');
    },
    distrust: (endpoint, key) => {
      if (endpoint.mirror) failed.set(`${repositoryOf(endpoint.reference)} ${key}`, 'it sent wrong bytes');
    },
  };
}
