import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchConsole } from '../../../src/factory/rehearse/console-watch.ts';
import { guestChecks } from '../../../src/factory/rehearse/guest-checks.ts';
import { type GuestShell, openGuestShell } from '../../../src/factory/rehearse/guest-shell.ts';
import { askStatuses, askUnits } from '../../../src/factory/rehearse/guest-units.ts';
import { controlMachine } from '../../../src/factory/rehearse/machine-control.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { tempFolder } from '../../support/temp-folder.ts';

function listen(path: string, server: Server): Promise<void> {
  onTestFinished(() => void server.close());
  return new Promise((resolve) => server.listen(path, resolve));
}

/** A shell behind a socket, as it is behind a serial port, that repeats what it is told first. */
async function serveShell(path: string): Promise<void> {
  const shells: ChildProcess[] = [];
  onTestFinished(() => {
    for (const shell of shells) shell.kill();
  });
  await listen(
    path,
    createServer((socket) => {
      const shell = spawn('bash', ['--norc'], { stdio: ['pipe', 'pipe', 'ignore'], cwd: '/' });
      shells.push(shell);
      socket.on('data', (bytes) => {
        socket.write(bytes);
        shell.stdin.write(bytes);
      });
      shell.stdout.on('data', (bytes) => socket.write(bytes));
    }),
  );
}

/** A shell at a terminal, which is set up so late that the first bytes it is told are lost. */
async function serveLateTerminal(path: string, lostBytes: number): Promise<void> {
  const shells: ChildProcess[] = [];
  onTestFinished(() => {
    for (const shell of shells) shell.kill();
  });
  let toLose = lostBytes;
  await listen(
    path,
    createServer((socket) => {
      const shell = spawn('script', ['-qec', 'bash --norc', '/dev/null'], { cwd: '/' });
      shells.push(shell);
      socket.on('data', (bytes: Buffer) => {
        shell.stdin.write(bytes.subarray(toLose));
        toLose = Math.max(0, toLose - bytes.length);
      });
      shell.stdout.on('data', (bytes) => socket.write(bytes));
    }),
  );
}

describe('the shell in the machine', () => {
  test('gives status and output, also of text that looks like a mark', async () => {
    const path = join(tempFolder(), 'shell');
    await serveShell(path);
    const shell = openGuestShell(path, realHost);
    onTestFinished(() => shell.close());
    expect(await shell.run('echo "[edgefab 1 end]"; echo grün >&2; exit 3')).toEqual({
      status: 3,
      output: '[edgefab 1 end]\ngrün\n',
    });
    expect(await shell.run('cat')).toEqual({ status: 0, output: '' });
    await expect(shell.run('x'.repeat(5000))).rejects.toThrow(RangeError);
  });

  test('no answer is no answer, and a late one is not taken for the next', async () => {
    const path = join(tempFolder(), 'shell');
    const shell = openGuestShell(path, realHost);
    onTestFinished(() => shell.close());
    expect(await shell.run('true', 400)).toBeUndefined();
    await serveShell(path);
    expect(await shell.run('sleep 1; echo first', 200)).toBeUndefined();
    expect(await shell.run('echo second')).toEqual({ status: 0, output: 'second\n' });
  });

  test.each([1, 62, 68, 90])('%i bytes that were lost do not make it deaf', async (lost) => {
    const path = join(tempFolder(), 'shell');
    await serveLateTerminal(path, lost);
    const shell = openGuestShell(path, realHost);
    onTestFinished(() => shell.close());
    await shell.run('true', 600);
    expect(await shell.run('echo there', 10_000)).toEqual({ status: 0, output: 'there\n' });
    expect(await shell.run('echo still', 10_000)).toEqual({ status: 0, output: 'still\n' });
  });
});

/** A shell that has one answer. */
function answering(output: string, status = 0): GuestShell {
  return { run: async () => ({ status, output }), isThere: async () => true, close: () => undefined };
}

describe('units', () => {
  const told = (...lines: readonly string[]): string =>
    ['Id=edgefab-x.service', 'LoadState=loaded', ...lines, ''].join('\n');
  test.each([
    ['runs', told('ActiveState=active', 'SubState=running', 'Result=success'), 'good'],
    ['failed', told('ActiveState=failed', 'SubState=failed', 'Result=exit-code'), 'failed'],
    ['begins', told('ActiveState=activating', 'SubState=start', 'Result=success'), 'waiting'],
    [
      'has not begun',
      told('ActiveState=inactive', 'ConditionTimestampMonotonic=0', 'ExecMainExitTimestampMonotonic=0'),
      'waiting',
    ],
    [
      'has ended well',
      told(
        'ActiveState=inactive',
        'Result=success',
        'ConditionResult=yes',
        'ConditionTimestampMonotonic=9',
        'ExecMainExitTimestampMonotonic=9',
      ),
      'good',
    ],
    [
      'is not wanted here',
      told('ActiveState=inactive', 'ConditionResult=no', 'ConditionTimestampMonotonic=9'),
      'skipped',
    ],
    ['is not there', 'Id=edgefab-x.service\nLoadState=not-found\nActiveState=inactive\n', 'failed'],
  ])('one that %s', async (_, output, state) => {
    expect(await askUnits(answering(output), ['edgefab-x.service'])).toMatchObject([
      { name: 'edgefab-x.service', state },
    ]);
  });

  test('a machine that does not answer', async () => {
    expect(await askUnits(answering('Failed to connect to bus', 1), ['edgefab-x.service'])).toBeUndefined();
  });
});

test('what units say of themselves, in plain characters', async () => {
  const output =
    'cache.status:waiting - for a partition labelled edgefab\nregistry.status:stopped - \u001b[1mno\n';
  expect(await askStatuses(answering(output))).toEqual([
    'cache: waiting - for a partition labelled edgefab',
    'registry: stopped - ?[1mno',
  ]);
});

describe('checks', () => {
  const expected = {
    phase: 'live',
    site: {
      hostname: 'bip',
      clusterName: 'bip',
      domain: 'example.com',
      dns: 'local',
      network: {
        interfaces: [{ addresses: ['192.168.86.45/24'], gateway: '192.168.86.1', dhcp: false }],
        dns: ['192.168.86.27'],
      },
      cache: { mode: 'registry', location: 'usb', keepOnNode: true },
    },
    buildId: 'b'.repeat(64),
    cacheId: 'c'.repeat(32),
    port: 22_626,
    images: [
      {
        source: 'quay.io/a/b',
        digest: parseDigest(`sha256:${'0'.repeat(64)}`),
        requiredBy: ['release: etcd'],
      },
    ],
  } as const;
  const all = async (shell: GuestShell): Promise<string[]> => {
    const found = [];
    for (const check of guestChecks(expected, shell)) found.push(await check());
    return found.map(({ name, state }) => `${name}: ${state}`);
  };

  test('all is as it should be', async () => {
    const output = `disk /dev/vdb1\nro,nodev\n{"cacheId":"${expected.cacheId}"}\n${expected.buildId}\n192.168.86.45/24 192.168.86.1 192.168.86.27\n`;
    const shell: GuestShell = {
      ...answering(output),
      run: async (command) => ({ status: 0, output: command === 'uname -n' ? 'bip\n' : output }),
    };
    expect(await all(shell)).toEqual([
      'Ignition applied: good',
      'host name: good',
      'address: good',
      'gateway: good',
      'name servers: good',
      'cache: good',
      'registry: good',
      'image release: etcd: good',
    ]);
  });

  test('the node has its build elsewhere, names its cluster, and keeps its cache', async () => {
    const commands: string[] = [];
    const output = `disk /dev/vdb1\nro\n{"cacheId":"${expected.cacheId}"}\nEDGEFAB_BUILD_ID=${expected.buildId}\n`;
    const shell: GuestShell = {
      ...answering(''),
      run: async (command) => {
        commands.push(command);
        if (command.includes('keep-cache')) return { status: 0, output: 'done - it may be removed\n' };
        return { status: 0, output: command.startsWith('getent') ? '192.168.86.45 STREAM\n' : output };
      },
    };
    const found = [];
    for (const check of guestChecks({ ...expected, phase: 'installed' }, shell)) found.push(await check());
    expect(commands[0]).toBe('cat /etc/edgefab/site.env');
    expect(found).toContainEqual({
      name: 'names of the cluster',
      state: 'good',
      detail: 'api-int.bip.example.com is 192.168.86.45',
    });
    expect(found).toContainEqual({ name: 'cache kept', state: 'good', detail: 'done - it may be removed' });
  });

  test('another machine, and one that says nothing', async () => {
    expect((await all(answering('disk /dev/vdb1\nrw\n{}\n'))).slice(0, 6)).toEqual([
      'Ignition applied: failed',
      'host name: failed',
      'address: failed',
      'gateway: failed',
      'name servers: failed',
      'cache: failed',
    ]);
    const silent: GuestShell = { ...answering(''), run: async () => undefined };
    expect((await all(silent)).every((line) => line.endsWith(': unknown'))).toBe(true);
  });

  test('an image that cannot be read is named', async () => {
    const last = guestChecks(expected, answering('Error: digest mismatch', 1)).at(-1);
    expect(await last?.()).toMatchObject({
      state: 'failed',
      detail: `quay.io/a/b@sha256:${'0'.repeat(64)}: ended with 1: Error: digest mismatch`,
    });
  });
});

describe('the console', () => {
  test('moments come once, through colours and in pieces', async () => {
    const path = join(tempFolder(), 'console.log');
    const watch = watchConsole(path);
    await watch.look();
    appendFileSync(path, '[    0.000000] Linux ver');
    await watch.look();
    appendFileSync(
      path,
      'sion 6.1\nFinished \u001b[0;1;39mignition-files.service\u001b[0m - Ignition (files).\n',
    );
    await watch.look();
    appendFileSync(path, 'Linux version 6.1\n');
    await watch.look();
    expect(watch.moments).toEqual(['the kernel runs', 'Ignition has written its files']);
    expect(watch.fault()).toBeUndefined();
    expect(watch.isHandedOver()).toBe(false);
    appendFileSync(path, 'systemd[1]: Switching root.\nKernel panic - not syncing: VFS\n');
    await watch.look();
    expect(watch.fault()).toBe('Kernel panic - not syncing: VFS');
    expect(watch.isHandedOver()).toBe(true);
  });
});

describe('the control socket', () => {
  test('one command, and its answer among what else is said', async () => {
    const path = join(tempFolder(), 'control');
    await listen(
      path,
      createServer((socket) => {
        socket.write('{"QMP":{}}\n');
        socket.on('data', () =>
          socket.write(
            '{"return":{}}\nnonsense\n{"event":"STOP"}\n{"return":{"status":"running"},"id":"asked"}\n',
          ),
        );
      }),
    );
    expect(await controlMachine(path, 'query-status')).toEqual({ status: 'running' });
  });

  test('nobody there', async () => {
    expect(await controlMachine(join(tempFolder(), 'none'), 'quit')).toBeUndefined();
  });
});
