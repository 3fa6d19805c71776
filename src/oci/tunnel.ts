import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { ProxyFailure, proxyUnreachable, stalled } from './failure.ts';
import type { ForwardProxy } from './proxy-settings.ts';

/** Statuses of a proxy that may pass: it cannot reach the host right now, or is busy. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

function refusedBy(proxy: ForwardProxy, target: string, status: number): ProxyFailure {
  if (status === 407)
    return new ProxyFailure(`the proxy ${proxy.shown} wants other credentials (HTTP 407)`, {
      again: false,
      suggestion: 'Put them into the proxy URL: http://USER:PASSWORD@HOST:PORT',
    });
  return new ProxyFailure(`the proxy ${proxy.shown} answered HTTP ${status} for ${target}`, {
    again: PASSING.has(status),
    suggestion: 'Ask whoever runs the proxy, or name the host in NO_PROXY if it is reached without',
  });
}

/** Connects to a proxy, for requests it is to make itself (plain http). Throws ProxyFailure. */
export function connectProxy(proxy: ForwardProxy, stallTimeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = proxy;
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    const socket = proxy.secure ? tls.connect({ host, port, ...servername }) : net.connect({ host, port });
    socket.setTimeout(stallTimeoutMs, () => socket.destroy(stalled(stallTimeoutMs)));
    const fail = (error: Error): void => reject(proxyUnreachable(proxy.shown, error));
    socket.once('error', fail);
    socket.once(proxy.secure ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/**
 * Opens a tunnel through a proxy with CONNECT (RFC 9110 §9.3.6); `target` is HOST:PORT. The proxy must answer
 * within the stall time. Throws ProxyFailure.
 */
export function openTunnel(proxy: ForwardProxy, target: string, stallTimeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const authorization = proxy.authorization();
    const request = (proxy.secure ? https : http).request({
      host: proxy.hostname,
      port: proxy.port,
      method: 'CONNECT',
      path: target,
      agent: false,
      headers: {
        host: target,
        'user-agent': 'edgefab',
        ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
      },
    });
    const timer = setTimeout(() => request.destroy(stalled(stallTimeoutMs)), stallTimeoutMs);
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(proxyUnreachable(proxy.shown, error));
    });
    request.once('connect', (answer, socket, head) => {
      clearTimeout(timer);
      const status = answer.statusCode ?? 0;
      // TLS lets the client speak first: bytes that come before are no part of it.
      if (status === 200 && head.length === 0) {
        resolve(socket as net.Socket);
        return;
      }
      socket.destroy();
      reject(refusedBy(proxy, target, status));
    });
    request.end();
  });
}
