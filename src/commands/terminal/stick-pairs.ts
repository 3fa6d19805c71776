import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';

function usage(message: string, suggestion: string): EdgefabError {
  return new EdgefabError(message, { code: 'USAGE_INVALID', suggestions: [suggestion] });
}

/** Reads which ISO goes on which device out of arguments and flags. Throws USAGE_INVALID. */
export function stickPairs(
  devices: readonly string[],
  {
    iso,
    pair,
    out,
  }: { readonly iso: string | undefined; readonly pair: readonly string[]; readonly out: string },
): { path: string; iso: string }[] {
  if (devices.length > 0 && iso === undefined)
    throw usage('there is no --iso: which ISO goes on the sticks?', 'edgefab iso write --iso FILE DEVICE…');
  if (devices.length === 0 && (iso !== undefined || pair.length === 0))
    throw usage(
      'no DEVICE is named: which stick?',
      'edgefab iso write --iso FILE DEVICE…; ls -l /dev/disk/by-id shows the names of what is plugged in',
    );
  const pairs = pair.map((text) => {
    const at = text.lastIndexOf('=');
    const [what, path] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
    if (what === '' || path === '')
      throw usage(
        `--pair ${text} is not SITE=DEVICE or FILE.iso=DEVICE`,
        '--pair oslo=/dev/disk/by-id/usb-…',
      );
    const isFile = what.includes('/') || what.endsWith('.iso');
    return { path, iso: isFile ? what : join(out, what, `${what}.iso`) };
  });
  return [...devices.map((path) => ({ path, iso: iso ?? '' })), ...pairs];
}
