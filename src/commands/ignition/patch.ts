import { Args, Flags } from '@oclif/core';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../../boot/ignition/parse-ignition.ts';
import { patchPlain } from '../../factory/patch-plain.ts';
import { realHost } from '../../host/real-host.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { renderStep } from '../terminal/render-step.ts';

export default class IgnitionPatch extends EdgefabCommand {
  static override summary =
    'Patch a bootstrap-in-place Ignition config so that the node installs from the cache disk';
  static override description =
    'Adds units and files, and one asserted edit of one line; installer text it does not know is refused, not mangled. ' +
    'Patching twice changes nothing more. OUTPUT holds the keys of the cluster and is written with mode 0600.';
  static override examples = [
    '<%= config.bin %> ignition patch bootstrap-in-place-for-live-iso.ign --hostname bip --cache /run/media/edgefab -o patched.ign',
    '<%= config.bin %> ignition patch bootstrap-in-place-for-live-iso.ign --hostname bip --cache /run/media/edgefab --explain -o patched.ign',
  ];
  static override args = {
    file: Args.file({ description: 'the config openshift-install made', required: true }),
  };
  static override flags = {
    hostname: Flags.string({ description: 'host name of the machine, in both phases', required: true }),
    'cache-mode': Flags.option({ options: ['registry', 'preload'] as const })({
      description:
        'how images reach the machine: from a registry on its loopback that serves the cache, or loaded into its image ' +
        'store, which still needs a network for what is pulled again',
      default: 'registry' as const,
    }),
    cache: Flags.directory({
      description: 'the complete cache that is to be served or loaded; registry mode needs one',
    }),
    'cache-location': Flags.option({ options: ['usb', 'installDisk'] as const })({
      description: 'where the cache will be: on a disk of its own, or on the disk the node is installed to',
      default: 'usb' as const,
    }),
    'registry-ca': Flags.directory({
      description: 'folder with ca.crt and ca.key of the registry; made beside OUTPUT when left out',
    }),
    release: Flags.string({ description: "the release, where the cache's lock does not say: 4.18.9" }),
    'install-disk': Flags.string({
      description: 'the disk of the install; default: the one the config names',
    }),
    'cache-label': Flags.string({ description: 'partition label of the cache disk', default: 'edgefab' }),
    'save-partlabel': Flags.string({
      description: 'partition the install keeps on its target disk',
      default: 'edgefab-node',
    }),
    explain: Flags.boolean({
      description: 'say of each step what it does, on which releases, and what differs by each change',
    }),
    output: Flags.string({ char: 'o', description: 'the config to write', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionPatch);
    this.begin(flags);
    const ignition = await loadIgnition(args.file);
    const patched = await patchPlain(
      ignition,
      {
        hostname: flags.hostname,
        cacheMode: flags['cache-mode'],
        cacheLabel: flags['cache-label'],
        savePartlabel: flags['save-partlabel'],
        location: flags['cache-location'],
        explain: flags.explain,
        output: flags.output,
        ...(flags.cache === undefined ? {} : { cache: flags.cache }),
        ...(flags.release === undefined ? {} : { release: flags.release }),
        ...(flags['registry-ca'] === undefined ? {} : { registryCa: flags['registry-ca'] }),
        ...(flags['install-disk'] === undefined ? {} : { installDisk: flags['install-disk'] }),
      },
      realHost,
    );
    await writeFileDurably(flags.output, serializeIgnition(patched.ignition), 0o600);
    for (const step of patched.report) {
      for (const line of renderStep(step)) this.print(line);
      for (const warning of step.warnings ?? []) this.say('warn', `${step.name}: ${warning}`);
    }
    return { kind: 'PatchReport', output: flags.output, steps: patched.report };
  }
}
