import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasGpg = spawnSync('gpg', ['--version']).status === 0;

/** A GnuPG home of its own, with keys made for the tests. */
export class Gnupg {
  readonly home = mkdtempSync(join(tmpdir(), 'gnupg-'));

  run(args: readonly string[], input?: string | Uint8Array): Buffer {
    const all = ['--homedir', this.home, '--batch', '--yes', '--no-tty', '--pinentry-mode', 'loopback'];
    const result = spawnSync('gpg', [...all, '--passphrase', '', ...args], { input });
    if (result.status !== 0) throw new Error(`gpg ${args.join(' ')}: ${result.stderr.toString()}`);
    return result.stdout;
  }

  /** Makes a signing key and gives its fingerprint. */
  makeKey(name: string, { algorithm = 'rsa2048', expires = 'never', at = '' } = {}): string {
    this.run([
      ...(at === '' ? [] : ['--faked-system-time', at]),
      '--quick-gen-key',
      name,
      algorithm,
      'sign',
      expires,
    ]);
    return this.fingerprint(name);
  }

  fingerprint(name: string): string {
    const listing = this.run(['--list-keys', '--with-colons', name]).toString();
    return /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? '';
  }

  /** One message of content and signature, as release signatures are. */
  sign(name: string, content: string | Uint8Array, more: readonly string[] = []): Buffer {
    return this.run(['--local-user', name, ...more, '--sign'], content);
  }

  exportKeys(...names: readonly string[]): Buffer {
    return this.run(['--export', ...names]);
  }

  write(name: string, bytes: Uint8Array | string): string {
    const file = join(this.home, name);
    writeFileSync(file, bytes);
    return file;
  }

  /** Revokes a key with the certificate GnuPG made beside it. */
  revoke(name: string): void {
    const file = join(this.home, 'openpgp-revocs.d', `${this.fingerprint(name)}.rev`);
    this.run(['--import'], readFileSync(file, 'utf8').replace(':-----BEGIN', '-----BEGIN'));
  }

  remove(): void {
    spawnSync('gpgconf', ['--homedir', this.home, '--kill', 'all']);
    rmSync(this.home, { recursive: true, force: true });
  }
}
