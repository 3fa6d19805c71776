import { isPair, isScalar, visit } from 'yaml';
import { parseInstallConfig } from './install-config.ts';

export const MASK = '(masked)';

const SECRET_KEY = /secret|password|token|credential/i;
const URL_CREDENTIALS = /:\/\/[^\s/@]+@/;

/**
 * Renders an install-config so that it may be shown: pull secret, passwords, tokens and credentials in proxy
 * URLs are masked. Throws INSTALL_CONFIG_INVALID.
 */
export function maskInstallConfig(yaml: string): string {
  const document = parseInstallConfig(yaml);
  visit(document, {
    Pair(_key, pair) {
      if (!isScalar(pair.key) || !SECRET_KEY.test(String(pair.key.value))) return undefined;
      // A mapping such as credentials: {…} is masked whole.
      pair.value = document.createNode(MASK);
      return visit.SKIP;
    },
    Scalar(_key, node, path) {
      const parent = path.at(-1);
      if (isPair(parent) && parent.key === node) return undefined;
      if (typeof node.value === 'string' && URL_CREDENTIALS.test(node.value))
        node.value = node.value.replace(new RegExp(URL_CREDENTIALS, 'g'), `://${MASK}@`);
      return undefined;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function stringsUnder(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsUnder);
}

/** The secret texts of an install-config, longest first: what must not be in any message. */
export function secretsOfInstallConfig(yaml: string): string[] {
  const value: unknown = parseInstallConfig(yaml).toJS();
  const pullSecret =
    typeof value === 'object' && value !== null && 'pullSecret' in value ? value.pullSecret : undefined;
  const secrets = new Set<string>(stringsUnder(pullSecret));
  for (const text of [...secrets]) {
    try {
      for (const inner of stringsUnder(JSON.parse(text))) secrets.add(inner);
    } catch {
      // Not JSON: the text as a whole is the secret.
    }
  }
  return [...secrets].filter((text) => text.length >= 4).sort((a, b) => b.length - a.length);
}
