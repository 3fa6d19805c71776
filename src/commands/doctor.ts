import { Flags } from '@oclif/core';
import { EdgefabError } from '../errors.ts';
import { examine } from '../factory/doctor.ts';
import { realHost } from '../host/real-host.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';

const MARK = { ok: 'ok     ', note: 'note   ', missing: 'MISSING' } as const;

export default class Doctor extends EdgefabCommand {
  static override summary = 'Look over this machine and the factory for what a build will need';
  static override description =
    'Changes nothing and asks no registry. Ends with 4 when something needed is missing.';
  static override examples = ['<%= config.bin %> doctor'];
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor);
    this.begin(flags);
    const findings = await examine(flags.factory, realHost);
    for (const { what, state, detail } of findings) this.print(`${MARK[state]}  ${what}: ${detail}`);
    const missing = findings.filter(({ state }) => state === 'missing');
    if (missing.length > 0) {
      const lines = missing.map(({ what, detail }) => `  ${what}: ${detail}`);
      throw new EdgefabError(`${missing.length} things are missing:\n${lines.join('\n')}`, {
        code: 'TOOL_MISSING',
      });
    }
    return { kind: 'Doctor', findings };
  }
}
