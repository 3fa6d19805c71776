import { mkdirSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type MadeFactory, makeFactory } from './made-factory.ts';
import { madeUpBytes } from './made-up-bytes.ts';
import { runEdgefab } from './run-edgefab.ts';

/** What the overlay brings: a program that says so when it runs, with bytes behind it that do not compress. */
export const TOOL = {
  path: '/usr/local/bin/big-tool',
  bytes: Buffer.concat([
    Buffer.from('#!/bin/bash\necho "the big tool ran"\nexit 0\n'),
    madeUpBytes(400_000, 'big-tool'),
  ]),
};

/** The unit that runs it, as the end of a Butane file. */
export const TOOL_UNIT = `systemd:
  units:
    - name: big-tool.service
      enabled: true
      contents: |
        [Unit]
        Before=bootkube.service
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=${TOOL.path}
        [Install]
        WantedBy=multi-user.target
`;

const OVERLAY = `variant: fcos
version: 1.3.0
storage:
  files:
    - { path: ${TOOL.path}, mode: 0755, contents: { local: files/tool } }
    - { path: /usr/local/bin/small-tool, mode: 0755, contents: { local: files/small } }
${TOOL_UNIT}`;

/** Makes a factory, filled, with an overlay that no embed area takes; `alone` names the only site that has it. */
export async function makeSpillFactory(
  options: Parameters<typeof makeFactory>[0] & { readonly alone?: string } = {},
): Promise<MadeFactory> {
  const { alone, ...rest } = options;
  const factory = await makeFactory(rest);
  mkdirSync(factory.at('files'));
  writeFileSync(factory.at('files', 'tool'), TOOL.bytes);
  // It stays: there is room for it, and the large one goes first.
  writeFileSync(factory.at('files', 'small'), madeUpBytes(6000, 'small'));
  writeFileSync(factory.at('tools.bu'), OVERLAY);
  const line = 'overlays: [tools.bu]\n';
  factory.edit((yaml) =>
    alone === undefined
      ? yaml.replace('defaults:\n', `defaults:\n  ${line}`)
      : yaml.replace(`  - name: ${alone}\n`, `  - name: ${alone}\n    ${line}`),
  );
  const filled = await runEdgefab(['precache', '--insecure', '--quiet'], { cwd: factory.folder });
  expect(filled).toMatchObject({ status: 0 });
  return factory;
}
