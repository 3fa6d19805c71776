import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { NO_PROXIES, type ProxySettings } from './proxy-settings.ts';
import { connectProxy, openTunnel } from './tunnel.ts';

type Connect = NonNullable<http.ClientRequestArgs['createConnection']>;
type Options = http.ClientRequestArgs;

export interface AgentOptions {
  readonly proxies?: ProxySettings;
  readonly stallTimeoutMs: number;
  /** Accepts certificates nobody vouches for. */
  readonly insecure?: boolean;
  /** The TLS context for a host, where it is not the usual one. */
  readonly contextFor?: (hostname: string, port: number) => SecureContext | undefined;
}

/** The connections of one client, for http: and https: URLs. */
export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

interface RequestTaker {
  addRequest(request: http.ClientRequest, options: Options): void;
}
/** Node's Agent, with the method through which every request comes; its types leave it out. */
const PlainAgent = http.Agent as unknown as new (options: http.AgentOptions) => http.Agent & RequestTaker;

function targetOf(options: Options, usualPort: number): { hostname: string; port: number } {
  return { hostname: options.host ?? 'localhost', port: Number(options.port ?? usualPort) };
}

/** Hands a socket that takes time to open to Node's agent, which waits for the callback. */
function later(
  opening: Promise<Duplex | null | undefined>,
  done: Parameters<Connect>[1] | undefined,
): undefined {
  opening.then(
    (socket) => {
      if (socket == null) done?.(new Error('no connection was made'), null as never);
      else done?.(null, socket);
    },
    (error: Error) => done?.(error, null as never),
  );
}

class ProxiedHttpAgent extends PlainAgent {
  readonly #settings: AgentOptions;

  constructor(settings: AgentOptions) {
    super({ keepAlive: true });
    this.#settings = settings;
  }

  #proxy(options: Options) {
    const { hostname, port } = targetOf(options, 80);
    return this.#settings.proxies?.proxyFor(false, hostname, port);
  }

  override addRequest(request: http.ClientRequest, options: Options): void {
    const proxy = this.#proxy(options);
    if (proxy !== undefined) {
      // RFC 9112 §3.2.2: a proxy is asked for the whole URL.
      request.path = `http://${String(request.getHeader('host'))}${request.path}`;
      const authorization = proxy.authorization();
      if (authorization !== undefined) request.setHeader('proxy-authorization', authorization);
    }
    super.addRequest(request, options);
  }

  override createConnection(options: Options, done?: Parameters<Connect>[1]): ReturnType<Connect> {
    const proxy = this.#proxy(options);
    if (proxy === undefined) return super.createConnection(options, done);
    return later(connectProxy(proxy, this.#settings.stallTimeoutMs), done);
  }
}

class ProxiedHttpsAgent extends https.Agent {
  readonly #settings: AgentOptions;

  constructor(settings: AgentOptions) {
    super({ keepAlive: true, rejectUnauthorized: settings.insecure !== true });
    this.#settings = settings;
  }

  override createConnection(options: Options, done?: Parameters<Connect>[1]): ReturnType<Connect> {
    const { hostname, port } = targetOf(options, 443);
    const { proxies, contextFor, stallTimeoutMs } = this.#settings;
    const secureContext = contextFor?.(hostname, port);
    const known = secureContext === undefined ? options : { ...options, secureContext };
    const proxy = proxies?.proxyFor(true, hostname, port);
    if (proxy === undefined) return super.createConnection(known, done);
    const target = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
    const tunnel = openTunnel(proxy, target, stallTimeoutMs);
    return later(
      // tls.connect takes `socket` in place of a connection of its own; the callback stays ours.
      tunnel.then((socket) => super.createConnection(Object.assign({}, known, { socket }))),
      done,
    );
  }
}

/**
 * Opens keep-alive agents that go through the proxies the settings name: CONNECT for https, the whole URL for
 * plain http. A proxy's failures come as ProxyFailure.
 */
export function openAgents(settings: AgentOptions): Agents {
  const all = { proxies: NO_PROXIES, ...settings };
  return { http: new ProxiedHttpAgent(all), https: new ProxiedHttpsAgent(all) };
}
