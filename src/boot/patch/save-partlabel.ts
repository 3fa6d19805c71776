import { withFileText } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { checkPartitionLabel } from './machine-values.ts';
import { type Step, textUnknown } from './step.ts';

const NAME = 'save-partlabel';
const SCRIPT = '/usr/local/bin/install-to-disk.sh';
// The one call, the same text from 4.12 on. The installer pastes the disk in unquoted.
const STOCK =
  /^([ \t]*coreos-installer install -n -i \/opt\/openshift\/master\.ign) (\/dev\/[A-Za-z0-9/._:+-]+)[ \t]*$/;
const EXPECTED = 'coreos-installer install -n -i /opt/openshift/master.ign /dev/DISK';

/**
 * Plans the one edit of the installer's text: coreos-installer keeps the partitions of the target disk that
 * carry the label. Throws INSTALLER_TEXT_UNKNOWN unless exactly one line is the stock call, or that call with
 * this very flag; USAGE_INVALID for a label that would need quoting.
 */
export function savePartlabel(ignition: Ignition, label: string): Step {
  const flag = `--save-partlabel '${checkPartitionLabel(label)}'`;
  const script = fileText(ignition, SCRIPT);
  const lines = script?.split('\n') ?? [];
  const calls = lines.filter(
    (line) => /^[^#]*\bcoreos-installer install\b/.test(line) && !/^\s*echo /.test(line),
  );
  const [call] = calls;
  const patched = (line: string): string => line.replace(STOCK, `$1 ${flag} $2`);
  const done = call?.includes(` ${flag} `) === true && STOCK.test(call.replace(` ${flag}`, ''));
  if (call === undefined || calls.length !== 1 || !(done || STOCK.test(call))) {
    throw textUnknown({
      step: NAME,
      where: ignition.where,
      path: SCRIPT,
      expected: EXPECTED,
      found: calls.length > 0 ? calls.join('\n') : script?.slice(0, 2000),
      wanted: EXPECTED.replace(' /dev/', ` ${flag} /dev/`),
    });
  }
  const wanted = lines.map((line) => (line === call && !done ? patched(line) : line)).join('\n');
  return {
    name: NAME,
    why: `the install keeps partitions labelled ${label} on the target disk`,
    changes: [
      {
        describe: `${SCRIPT}: coreos-installer install gets ${flag}`,
        apply: (current) => withFileText(current, SCRIPT, wanted),
      },
    ],
  };
}
