import { BlockList, isIP, isIPv6 } from 'node:net';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** A forward proxy. Its credentials stay where no message, log or inspection of an error shows them. */
export class ForwardProxy {
  readonly hostname: string;
  readonly port: number;
  /** The connection to the proxy itself is TLS. */
  readonly secure: boolean;
  /** As messages show it, without credentials. */
  readonly shown: string;
  readonly #authorization: string | undefined;

  constructor(url: URL) {
    this.secure = url.protocol === 'https:';
    this.hostname = bareHost(url.hostname);
    this.port = Number(url.port || (this.secure ? 443 : 80));
    this.shown = `${url.protocol}//${url.host}`;
    if (url.username !== '' || url.password !== '') {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      this.#authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
  }

  /** The Proxy-Authorization to send, when the proxy's URL holds credentials. */
  authorization(): string | undefined {
    return this.#authorization;
  }
}

/** Which requests go through a proxy. */
export interface ProxySettings {
  /** Undefined for a host that is reached directly. `hostname` may stand in brackets. */
  proxyFor(secure: boolean, hostname: string, port: number): ForwardProxy | undefined;
}

/** Every request goes out directly. */
export const NO_PROXIES: ProxySettings = { proxyFor: () => undefined };

/** A host as it is compared: no brackets, no dot at its end, lower-case. */
function bareHost(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function parseProxy(text: string, variable: string): ForwardProxy {
  const bad = (why: string): EdgefabError =>
    // The value may hold a password, so it is not shown.
    new EdgefabError(`the proxy in ${variable} ${why}`, {
      code: 'USAGE_INVALID',
      suggestions: [`Write it as ${variable}=http://HOST:PORT`],
    });
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) throw bad('is not a URL');
  const url = new URL(withScheme);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw bad(`has the scheme ${url.protocol.slice(0, 20)} of which edgefab knows only http: and https:`);
  try {
    return new ForwardProxy(url);
  } catch {
    throw bad('has a user or password with a broken % escape');
  }
}

type Rule = (host: string, port: number) => boolean;

function subnetRule(network: string, bits: number): Rule | undefined {
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIP(network) === 0 || bits > (family === 'ipv6' ? 128 : 32)) return undefined;
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return (host) => isIP(host) !== 0 && list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/**
 * One entry of NO_PROXY: `*`, an address, a CIDR block, `example.com` (with its subdomains), `.example.com` or
 * `*.example.com` (subdomains only), each but the first two with `:PORT` where wanted.
 */
function parseRule(entry: string): Rule | undefined {
  if (entry === '*') return () => true;
  const [, network, bits] = /^\[?([0-9a-fA-F.:]+)\]?\/([0-9]{1,3})$/.exec(entry) ?? [];
  if (network !== undefined) return subnetRule(network, Number(bits));
  const [, name = entry, wanted] = (isIPv6(entry) ? null : /^(.+):([0-9]{1,5})$/.exec(entry)) ?? [];
  const rightPort = (port: number): boolean => wanted === undefined || Number(wanted) === port;
  const domain = bareHost(name.replace(/^\*\./, '.'));
  if (domain === '' || domain === '.') return undefined;
  if (isIP(domain) !== 0) return (host, port) => host === domain && rightPort(port);
  const suffix = domain.startsWith('.') ? domain : `.${domain}`;
  return (host, port) => (host === domain || host.endsWith(suffix)) && rightPort(port);
}

/** Requests to this machine never leave it (the rule of Go programs, and with it of podman and skopeo). */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, the lower-case names before the upper-case ones, as curl does.
 * Throws USAGE_INVALID for what is no http(s) proxy; the value itself is never shown.
 */
export function parseProxySettings({ env }: Pick<Host, 'env'>): ProxySettings {
  const find = (name: string): { proxy: ForwardProxy } | undefined => {
    for (const variable of [name.toLowerCase(), name]) {
      const text = env[variable]?.trim();
      if (text !== undefined && text !== '') return { proxy: parseProxy(text, variable) };
    }
    return undefined;
  };
  const plain = find('HTTP_PROXY');
  const secured = find('HTTPS_PROXY');
  if (plain === undefined && secured === undefined) return NO_PROXIES;
  const rules = (env.no_proxy || env.NO_PROXY || '')
    .split(/[\s,]+/)
    .flatMap((entry) => (entry === '' ? [] : (parseRule(entry) ?? [])));
  return {
    proxyFor: (secure, hostname, port) => {
      const host = bareHost(hostname);
      if (LOOPBACK.test(host) || rules.some((rule) => rule(host, port))) return undefined;
      return (secure ? secured : plain)?.proxy;
    },
  };
}
