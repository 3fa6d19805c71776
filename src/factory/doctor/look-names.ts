import { Resolver } from 'node:dns/promises';
import type { Finding } from './finding.ts';

/** Asks one name server for the IPv4 and IPv6 addresses of a name. */
export type Lookup = (name: string) => Promise<readonly string[]>;

const TIMEOUT_MS = 3000;
/** Codes of Node's resolver for a server that was not reached. */
const SILENT = ['ECONNREFUSED', 'ETIMEOUT', 'ECANCELLED'];

/** Makes a lookup by DNS, at the given servers (`ADDRESS` or `ADDRESS:PORT`) or those of this machine. */
export function dnsLookup(servers: readonly string[]): Lookup {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  if (servers.length > 0) resolver.setServers(servers);
  return async (name) => {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const [first] = answers;
    if (found.length === 0 && first.status === 'rejected') throw first.reason;
    return found;
  };
}

/**
 * Looks whether a site's DNS server knows the cluster: `api`, `api-int` and `*.apps`, each with an address of the
 * node where those are known. Only asked where the site says `dns: site`.
 */
export async function lookAtNames(
  cluster: string,
  addresses: readonly string[],
  lookup: Lookup,
): Promise<Finding[]> {
  // Any name below apps stands for all of them.
  const names = [`api.${cluster}`, `api-int.${cluster}`, `console-openshift-console.apps.${cluster}`];
  return await Promise.all(
    names.map(async (name): Promise<Finding> => {
      const what = `name ${name}`;
      const remedy = `Add a record for ${name.replace(/^console-openshift-console/, '*')} at the site's DNS server, or set dns: local`;
      let found: readonly string[];
      try {
        found = await lookup(name);
      } catch (error) {
        const { code = String(error) } = error as NodeJS.ErrnoException;
        if (SILENT.includes(code)) {
          const detail = `no name server answers (${code})`;
          return {
            what,
            state: 'missing',
            detail,
            remedy: 'Check the link and the addresses of the name servers',
          };
        }
        return { what, state: 'missing', detail: `it is not found (${code})`, remedy };
      }
      const detail = found.join(', ');
      if (addresses.length === 0 || found.some((address) => addresses.includes(address)))
        return { what, state: 'ok', detail };
      return {
        what,
        state: 'missing',
        detail: `it leads to ${detail}, want ${addresses.join(' or ')}`,
        remedy,
      };
    }),
  );
}
