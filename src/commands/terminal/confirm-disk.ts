import type { BlockDevice } from '../../disk/device/block-device.ts';
import { confirmationOf, describeContent, describeDevice } from '../../disk/device/describe-device.ts';

/** Shows a person what a disk is and what is on it, and asks for the name that is the consent. Returns the answer. */
export async function confirmDisk(
  device: BlockDevice,
  ask: (question: string) => Promise<string>,
  purpose?: string,
): Promise<string> {
  const { what, text } = confirmationOf(device);
  const lines = [
    describeDevice(device),
    `  on it now: ${describeContent(device.content)}`,
    ...(purpose === undefined ? [] : [`  ${purpose}`]),
    `  type its ${what} to go on (${text}): `,
  ];
  return await ask(lines.join('\n'));
}
