import { copyFile, stat } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';

/** Where systems put a UEFI firmware for virtual machines: program, and variables as they are at first. */
const PLACES = [
  // Debian, Ubuntu.
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
  // Fedora, RHEL.
  ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
  // Arch.
  ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
] as const;

/** Finds a UEFI firmware and gives the machine variables of its own at `vars`. Throws TOOL_MISSING. */
export async function prepareUefi(vars: string): Promise<{ readonly code: string; readonly vars: string }> {
  for (const [code, template] of PLACES) {
    const there = await Promise.all([code, template].map((path) => stat(path).catch(() => undefined)));
    if (there.includes(undefined)) continue;
    await copyFile(template, vars);
    return { code, vars };
  }
  throw new EdgefabError(
    `there is no UEFI firmware for virtual machines here, looked for ${PLACES[0][0]} and others`,
    {
      code: 'TOOL_MISSING',
      suggestions: ['Install ovmf (Debian) or edk2-ovmf (Fedora, RHEL), or rehearse with --firmware bios'],
    },
  );
}
