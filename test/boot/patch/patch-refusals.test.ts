import { describe, expect, test } from 'vitest';
import { withFileText, withUnit } from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import { type PatchOptions, patchIgnition } from '../../../src/boot/patch/patch-ignition.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { preloadImage as image, PATCH_OPTIONS as OPTIONS } from '../../support/patch-options.ts';

const INSTALL = '/usr/local/bin/install-to-disk.sh';
const DOWNLOAD = '/usr/local/bin/release-image-download.sh';

describe('patching refuses', () => {
  const demo = bipIgnition({ line: '4.13' });
  const script = fileText(demo, INSTALL) ?? '';
  const CALL = 'coreos-installer install -n -i /opt/openshift/master.ign /dev/sda';
  const edited = (from: string, to: string): Ignition =>
    withFileText(demo, INSTALL, script.replace(from, to));
  const rows: [string, Ignition, Partial<PatchOptions>, string, RegExp][] = [
    [
      'registry mode without a cache',
      demo,
      { cacheMode: 'registry' },
      'USAGE_INVALID',
      /nothing is known of what the machine is to serve/,
    ],
    [
      'a config that is not BIP',
      parseIgnitionText('{"ignition":{"version":"3.2.0"}}', 'x'),
      {},
      'IGNITION_NOT_BIP',
      /lacks/,
    ],
    ['an upper-case host name', demo, { hostname: 'Bip' }, 'USAGE_INVALID', /host name: got "Bip"/],
    ['a host name with a shell in it', demo, { hostname: 'a;reboot' }, 'USAGE_INVALID', /host name/],
    [
      'a host name of 65 characters',
      demo,
      { hostname: `${'a'.repeat(32)}.${'b'.repeat(32)}` },
      'USAGE_INVALID',
      /up to 64/,
    ],
    ['localhost', demo, { hostname: 'localhost' }, 'USAGE_INVALID', /not localhost/],
    ['a label that needs quoting', demo, { savePartlabel: "x'y" }, 'USAGE_INVALID', /partition label/],
    ['a cache label with a space', demo, { cacheLabel: 'a b' }, 'USAGE_INVALID', /partition label/],
    ['a cache id with a line break', demo, { cacheId: 'a\nb' }, 'USAGE_INVALID', /cache id/],
    [
      'an image by tag',
      demo,
      { images: [{ ...image('a', 'live'), reference: 'quay.io/a/b:1' }] },
      'USAGE_INVALID',
      /HOST\/PATH@sha256/,
    ],
    [
      'a view that climbs',
      demo,
      { images: [{ ...image('a', 'live'), view: 'views/../../etc' }] },
      'USAGE_INVALID',
      /relative path/,
    ],
    [
      'a view with a space',
      demo,
      { images: [{ ...image('a', 'live'), view: 'a b' }] },
      'USAGE_INVALID',
      /relative path/,
    ],
    [
      'another installer call',
      edited('install -n -i', 'install --new -i'),
      {},
      'INSTALLER_TEXT_UNKNOWN',
      /expected:\n.*coreos-installer install -n[\s\S]*found:\n.*install --new/,
    ],
    [
      'two installer calls',
      edited(CALL, `${CALL}\n  ${CALL}`),
      {},
      'INSTALLER_TEXT_UNKNOWN',
      /save-partlabel does not know/,
    ],
    ['no installer call', edited(CALL, 'true'), {}, 'INSTALLER_TEXT_UNKNOWN', /the step would make:/],
    [
      'a partition kept already under another label',
      edited('master.ign /dev', "master.ign --save-partlabel 'data' /dev"),
      {},
      'INSTALLER_TEXT_UNKNOWN',
      /--save-partlabel 'data'/,
    ],
    [
      'a download script that does not pull',
      withFileText(demo, DOWNLOAD, 'true\n'),
      {},
      'INSTALLER_TEXT_UNKNOWN',
      /release-image-download/,
    ],
    [
      'a release-image unit that runs something else',
      withUnit(demo, {
        name: 'release-image.service',
        enabled: false,
        contents: '[Service]\nExecStart=/bin/true\n',
      }),
      {},
      'INSTALLER_TEXT_UNKNOWN',
      /ExecStart=\/bin\/true/,
    ],
    [
      'an overlay folder without overlays',
      demo,
      { overlays: '/nonexistent' },
      'FILE_UNREADABLE',
      /overlay file/,
    ],
  ];
  test.each(rows)('%s', async (_name, ignition, options, code, message) => {
    await expect(patchIgnition(ignition, { ...OPTIONS, ...options })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
