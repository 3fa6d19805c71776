import { Args, Flags } from '@oclif/core';
import { certificateHorizon } from '../../boot/certs/certificate-horizon.ts';
import { certificatesOf } from '../../boot/certs/certificates-of.ts';
import type { Ignition } from '../../boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../boot/ignition/image-names.ts';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { showFile, showIgnition } from '../../boot/ignition/show-ignition.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IgnitionShow extends EdgefabCommand {
  static override summary =
    'Show the files, units and users of an Ignition config, and the images it asks for';
  static override description =
    'Secrets are never shown: of a key or a pull secret you see that it is there, and its size. ' +
    'Compressed and appended contents are shown as the machine gets them.';
  static override examples = [
    '<%= config.bin %> ignition show bootstrap-in-place-for-live-iso.ign',
    '<%= config.bin %> ignition show bootstrap-in-place-for-live-iso.ign --file /usr/local/bin/bootkube.sh',
  ];
  static override args = {
    file: Args.file({ description: 'an Ignition config', required: true }),
  };
  static override flags = {
    file: Flags.string({
      description: 'print the text of this one file instead, by its path on the machine',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionShow);
    this.begin(flags);
    const ignition = await loadIgnition(args.file);
    if (flags.file !== undefined) return this.#showFile(ignition, flags.file);
    const shown = showIgnition(ignition);
    const images = bootstrapImageNames(ignition);
    const certificates = certificatesOf(ignition);
    const horizon = certificateHorizon(certificates);
    this.print(`Ignition ${shown.version}, ${shown.sizeBytes} bytes`);
    for (const file of shown.files) {
      const notes = [file.secret ? 'secret' : undefined, file.appended ? 'appended' : undefined].filter(
        Boolean,
      );
      const note = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
      this.print(
        `file  ${file.mode ?? '----'} ${file.owner} ${String(file.sizeBytes ?? '?').padStart(7)} ${file.path}${note}`,
      );
    }
    for (const { path, mode, owner } of shown.directories)
      this.print(`dir   ${mode ?? '----'} ${owner} ${path}`);
    for (const { path, target, hard } of shown.links)
      this.print(`link  ${path} ${hard ? '=' : '->'} ${target ?? '(nothing)'}`);
    for (const unit of shown.units) {
      const enabled = unit.enabled === true ? 'enabled' : unit.enabled === false ? 'disabled' : 'static';
      this.print(`unit  ${enabled.padEnd(8)} ${unit.name}${unit.hasContents ? '' : ' (no contents)'}`);
      for (const dropin of unit.dropins) this.print(`      drop-in  ${unit.name}.d/${dropin}`);
    }
    for (const user of shown.users) {
      this.print(
        `user  ${user.name}: ${user.sshKeys.length} ssh keys${user.hasPassword ? ', a password' : ''}`,
      );
    }
    if (images.length > 0)
      this.print(`asks for ${images.length} images: ${images.map(({ name }) => name).join(', ')}`);
    if (horizon !== undefined) {
      const [first] = horizon.certificates;
      this.print(
        `${certificates.length} certificates, the first ends ${horizon.notAfter.toISOString()} (${first?.path})`,
      );
    }
    const notAfter = horizon?.notAfter.toISOString() ?? null;
    return { kind: 'Ignition', ...shown, images, certificates: { count: certificates.length, notAfter } };
  }

  #showFile(ignition: Ignition, path: string): unknown {
    const file = showFile(ignition, path);
    if (file.text !== undefined) this.print(file.text.replace(/\n$/, ''));
    else if (file.secret) this.print(`(secret, ${file.sizeBytes ?? 'unknown'} bytes: not shown)`);
    else if (file.sizeBytes === null)
      this.print('(fetched by the machine from elsewhere: not in the config)');
    else this.print(`(no text, ${file.sizeBytes} bytes, sha256 ${file.sha256})`);
    return { kind: 'IgnitionFile', ...file };
  }
}
