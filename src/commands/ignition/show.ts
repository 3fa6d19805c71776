import { Args } from '@oclif/core';
import { certificateHorizon } from '../../boot/certs/certificate-horizon.ts';
import { certificatesOf } from '../../boot/certs/certificates-of.ts';
import { bootstrapImageNames } from '../../boot/ignition/image-names.ts';
import { loadIgnition } from '../../boot/ignition/load-ignition.ts';
import { showIgnition } from '../../boot/ignition/show-ignition.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class IgnitionShow extends EdgefabCommand {
  static override summary =
    'Show the files, units and users of an Ignition config, and the images it asks for';
  static override description =
    'Secrets are never shown: of a key or a pull secret you see that it is there, and its size.';
  static override examples = ['<%= config.bin %> ignition show bootstrap-in-place-for-live-iso.ign'];
  static override args = {
    file: Args.file({ description: 'an Ignition config', required: true, exists: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(IgnitionShow);
    this.begin(flags);
    const ignition = await loadIgnition(args.file);
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
}
