import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Runs a command into a pipe that nobody reads, as `| head` comes to be. */
function unread(command: string): { status: string; stderr: string } {
  const line = `"${process.execPath}" bin/edgefab.js ${command} | true; echo "\${PIPESTATUS[0]}" >&3`;
  const { output } = spawnSync('bash', ['-c', line], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [, , stderr, status] = output;
  return { status: status?.trim() ?? '', stderr: stderr ?? '' };
}

test.each([['--help'], ['precache --help'], ['imageset create --release 4.18.9']])(
  'the reader of "%s" is gone: that is no fault',
  (command) => {
    expect(unread(command)).toEqual({ status: '0', stderr: '' });
  },
);

test('what was wrong keeps its status when nobody reads', () => {
  const { status, stderr } = unread('plan --factory /nonexistent/factory.yaml');
  expect(status).toBe('3');
  expect(stderr).toContain('/nonexistent/factory.yaml');
});
