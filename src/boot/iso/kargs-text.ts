import { EdgefabError } from '../../errors.ts';
import type { KargsArea } from './iso-image.ts';

/** Changes to kernel arguments, made in the order delete, append, replace. */
export interface KargsEdit {
  readonly append?: readonly string[];
  readonly delete?: readonly string[];
  /** `KEY=OLD=NEW`, as coreos-installer writes it. */
  readonly replace?: readonly string[];
}

/** How much of each area a line of kernel arguments takes up, with its end mark. */
export interface KargsBudget {
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

const REPLACEMENT = /^([^=]+)=([^=]+)=([^=]+)$/;
// A line end would start a new boot loader command, a NUL would end the text early.
const CONTROL = /\p{Cc}/u;
const FEWER = 'Append fewer arguments, or set them on the installed node with a MachineConfig';

function checkArgument(argument: string): string {
  const text = argument.trim();
  if (text === '' || CONTROL.test(text)) {
    throw new EdgefabError(
      `kernel argument ${JSON.stringify(argument.slice(0, 100))} is empty or holds a control character`,
      { code: 'USAGE_INVALID' },
    );
  }
  return text;
}

/** Replaces whole arguments only, also neighbours that share the space between them. */
function swap(padded: string, old: string, replacement: string): string {
  let text = padded;
  let at = text.indexOf(` ${old} `);
  while (at !== -1) {
    text = `${text.slice(0, at)}${replacement}${text.slice(at + old.length + 2)}`;
    at = text.indexOf(` ${old} `, at + replacement.length - 1);
  }
  return text;
}

/**
 * Edits a line of kernel arguments as `coreos-installer iso kargs modify` does; deleting or replacing what is
 * not there changes nothing. Throws USAGE_INVALID on an argument that could not be written.
 */
export function editKargs(current: string, edit: KargsEdit): string {
  let text = ` ${current.trim()} `;
  for (const argument of edit.delete ?? []) text = swap(text, checkArgument(argument), ' ');
  for (const argument of edit.append ?? []) text += `${checkArgument(argument)} `;
  for (const argument of edit.replace ?? []) {
    const [, key, old, replacement] = REPLACEMENT.exec(checkArgument(argument)) ?? [];
    if (key === undefined) {
      throw new EdgefabError(`kernel argument replacement "${argument}" is not of the form KEY=OLD=NEW`, {
        code: 'USAGE_INVALID',
      });
    }
    text = swap(text, `${key}=${old}`, ` ${key}=${replacement} `);
  }
  return text.trim();
}

/** COMMAND_LINE_SIZE of x86_64, aarch64 and ppc64le, the final zero included; what is beyond is cut off silently. */
const KERNEL_LINE_BYTES = 2048;
/** What the boot loader adds: isolinux names kernel and initramfs files, GRUB the kernel. */
const BOOT_LOADER_BYTES = 128;

/** Makes sure that a kernel reads the whole line. Throws KARGS_AREA_FULL. */
export function checkKernelLine(kargs: string): void {
  const most = KERNEL_LINE_BYTES - BOOT_LOADER_BYTES - 1;
  const bytes = Buffer.byteLength(kargs);
  if (bytes <= most) return;
  throw new EdgefabError(
    `kernel arguments have ${bytes} bytes, want at most ${most}: a kernel reads ${KERNEL_LINE_BYTES}, and the boot loader adds its own`,
    { code: 'KARGS_AREA_FULL', suggestions: [FEWER] },
  );
}

/** Computes what a line takes up of each area. */
export function kargsBudget(kargs: string, capacityBytes: number): KargsBudget {
  return { usedBytes: Buffer.byteLength(kargs) + 1, capacityBytes };
}

function trimEnd(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}

/** Decodes one copy of the kernel arguments. Throws ISO_INVALID when it is not UTF-8. */
export function decodeKargsArea(bytes: Uint8Array, { file, offset, pad, end }: KargsArea): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new EdgefabError(`kernel argument area in /${file} at offset ${offset} is not UTF-8 text`, {
      code: 'ISO_INVALID',
      cause,
    });
  }
  return trimEnd(trimEnd(text, pad), end).trim();
}

/** Encodes kernel arguments for one area. Throws KARGS_AREA_FULL when text and end do not fit the capacity. */
export function encodeKargsArea(kargs: string, { pad, end }: KargsArea, capacityBytes: number): Uint8Array {
  const line = Buffer.from(kargs + end);
  if (line.length > capacityBytes) {
    throw new EdgefabError(
      `kernel arguments have ${line.length} bytes with their end mark, want at most ${capacityBytes}, the size of the area: ${line.length - capacityBytes} too many`,
      {
        code: 'KARGS_AREA_FULL',
        suggestions: [FEWER],
      },
    );
  }
  const area = Buffer.alloc(capacityBytes, pad);
  line.copy(area);
  return area;
}
