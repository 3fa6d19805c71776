import { confirmationOf } from '../../disk/device/describe-device.ts';
import { consented, type PlannedStick } from '../../disk/stick/plan-sticks.ts';
import { confirmDisk } from './confirm-disk.ts';

/**
 * Asks a person about each stick: its serial, typed, is the consent, also to erase what is on it. Another answer leaves
 * the stick without any, to be refused.
 */
export async function confirmSticks(
  sticks: readonly PlannedStick[],
  ask: (question: string) => Promise<string>,
): Promise<PlannedStick[]> {
  const answered: PlannedStick[] = [];
  for (const stick of sticks) {
    const { device, image, want } = stick;
    const { text } = confirmationOf(device);
    const answer = await confirmDisk(device, ask, `erased for: ${image.path}, volume ${image.volumeId}`);
    answered.push(
      answer === text
        ? consented(stick, [answer])
        : { ...stick, want: { ...want, yes: false, confirmed: answer === '' ? [] : [answer] } },
    );
  }
  return answered;
}
