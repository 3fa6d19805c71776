import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MadeCertificate, makeCertificate } from './made-certificate.ts';
import { startTokenServer, type TokenServer } from './token-server.ts';

export interface DockerRegistry {
  /** HOST:PORT, on loopback unless asked otherwise. */
  readonly host: string;
  readonly url: string;
  readonly storageDir: string;
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
  /** PEM of the registry's authority, when it serves TLS. */
  readonly certificate: string | undefined;
  readonly tokenServer: TokenServer | undefined;
  /** A file with the credentials for this registry, as `podman login` writes it. */
  authfile(): string;
  /** What the registry has logged. */
  log(): string;
  close(): Promise<void>;
}

export interface DockerRegistryOptions {
  readonly auth?: 'none' | 'basic' | 'token';
  /** Whether it serves TLS, with a certificate of its own or this one. */
  readonly tls?: boolean | MadeCertificate;
  /** A storage folder to serve as it is, for example a store's view; made and removed when not given. */
  readonly storageDir?: string;
  readonly readOnly?: boolean;
  /** Set up as Debian does it, with its cache, and without a line for each request: for benchmarks. */
  readonly isMeasured?: boolean;
  readonly tokenLifetimeSeconds?: number;
  /** Where it listens; another address only inside a network namespace of its own. */
  readonly address?: string;
  /** A command to start it under, for example one that enters a network namespace. */
  readonly under?: readonly string[];
}

/** The programs these tests start. */
export const REGISTRY_TOOLS = ['docker-registry', 'htpasswd', 'openssl', 'skopeo'] as const;

const username = 'technician';
const password = 'pässwörd:with"odd,parts';
const identityToken = 'identity-token-of-the-technician';

function waitForPort(child: ChildProcess, log: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const port = /listening on [\d.]+:(\d+)/.exec(log())?.[1];
      if (port === undefined) return;
      // The log grows; nobody should read all of it at each line.
      for (const stream of [child.stdout, child.stderr]) stream?.off('data', look);
      resolve(Number(port));
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look);
    child.once('error', reject);
    child.once('exit', (status) => reject(new Error(`docker-registry ended with ${status}: ${log()}`)));
  });
}

/** Starts Debian's docker-registry on a free loopback port, with the access and TLS asked for. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const { auth = 'none', tls = false, readOnly = false, address = '127.0.0.1' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'edgefab-registry-'));
  const storageDir = options.storageDir ?? join(folder, 'storage');
  await mkdir(storageDir, { recursive: true });
  const given = typeof tls === 'object' ? tls : undefined;
  const made: MadeCertificate | undefined =
    given ?? (tls || auth === 'token' ? makeCertificate() : undefined);
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
  if (made !== undefined) {
    await writeFile(files.certificate, made.certificate);
    await writeFile(files.key, made.key, { mode: 0o600 });
  }
  let tokenServer: TokenServer | undefined;
  let access: object = {};
  if (auth === 'basic') {
    const path = join(folder, 'htpasswd');
    await writeFile(path, execFileSync('htpasswd', ['-Bbn', username, password]));
    access = { auth: { htpasswd: { realm: 'edgefab test, "quoted"', path } } };
  } else if (auth === 'token' && made !== undefined) {
    const lifetimeSeconds = options.tokenLifetimeSeconds ?? 300;
    tokenServer = await startTokenServer({
      username,
      password,
      identityToken,
      signer: made,
      lifetimeSeconds,
    });
    const { realm, service, issuer } = tokenServer;
    access = { auth: { token: { realm, service, issuer, rootcertbundle: files.certificate } } };
  }
  const config = {
    version: 0.1,
    log: { level: 'info', ...(options.isMeasured ? { accesslog: { disabled: true } } : {}) },
    storage: {
      ...(options.isMeasured ? { cache: { blobdescriptor: 'inmemory' } } : {}),
      filesystem: { rootdirectory: storageDir },
      maintenance: { readonly: { enabled: readOnly } },
    },
    http: {
      addr: `${address}:0`,
      ...(tls !== false ? { tls: { certificate: files.certificate, key: files.key } } : {}),
    },
    ...access,
  };
  const configPath = join(folder, 'config.yml');
  // JSON is YAML.
  await writeFile(configPath, JSON.stringify(config));
  const [program = '', ...args] = [...(options.under ?? []), 'docker-registry', 'serve', configPath];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += String(text)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill();
    await ended;
    await tokenServer?.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await waitForPort(child, () => log);
    const host = `${address}:${port}`;
    const authPath = join(folder, 'auth.json');
    const entry = { auth: Buffer.from(`${username}:${password}`).toString('base64') };
    await writeFile(authPath, JSON.stringify({ auths: auth === 'none' ? {} : { [host]: entry } }), {
      mode: 0o600,
    });
    return {
      host,
      url: `${tls !== false ? 'https' : 'http'}://${host}`,
      storageDir,
      username,
      password,
      identityToken,
      certificate: tls !== false ? made?.certificate : undefined,
      tokenServer,
      authfile: () => authPath,
      log: () => log,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
