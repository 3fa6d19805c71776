import { Args } from '@oclif/core';
import { runDemo } from '../factory/demo/run-demo.ts';
import { realHost } from '../host/real-host.ts';
import { EdgefabCommand } from './terminal/edgefab-command.ts';
import { formatBytes } from './terminal/format-amount.ts';

export default class Demo extends EdgefabCommand {
  static override summary = 'Run the whole factory on made-up content: no account, no network, no root';
  static override description =
    'Starts a registry on loopback with a small made-up release, then does what you will do: init, plan, precache, ' +
    'ignition, iso, verify. What it builds has the real shapes and boots nothing.';
  static override examples = ['<%= config.bin %> demo', '<%= config.bin %> demo /tmp/edgefab-demo'];
  static override args = {
    folder: Args.string({ description: 'an empty or new folder', default: 'edgefab-demo' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Demo);
    this.begin(flags);
    const startedMs = Date.now();
    const outcome = await runDemo(
      args.folder,
      { signal: this.signal, onStage: (stage) => this.say('info', stage) },
      realHost,
    );
    const seconds = (Date.now() - startedMs) / 1000;
    const { plan, report, receipt, iso, folder, fetchedBytes } = outcome;
    this.print(`Built in ${seconds.toFixed(1)} s, all of it made up:`);
    this.print(`  factory      ${folder}/factory.yaml`);
    this.print(
      `  cache disk   ${folder}/cache: ${report.images} images, ${formatBytes(report.bytes)} verified`,
    );
    this.print(
      `               ${formatBytes(fetchedBytes)} fetched, ${formatBytes(plan.duplicateBytes)} saved because images share layers`,
    );
    this.print(`  boot stick   ${iso}`);
    this.print(`               build id ${receipt.buildId}`);
    this.print('Look inside:');
    this.print(`  ${this.self} cache verify ${folder}/cache`);
    this.print(`  ${this.self} iso show ${iso}`);
    this.print(`  ${this.self} ignition show ${folder}/media/made-up-bip.ign`);
    this.print('Next, with real content: make a factory of your own and see what it needs');
    this.print(`  ${this.self} init my-factory && cd my-factory && ${this.self} doctor`);
    return { kind: 'Demo', seconds, ...outcome };
  }
}
