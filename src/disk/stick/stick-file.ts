import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { alignedMemory } from '../device/aligned-memory.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { type OpenDevice, openDevice } from '../device/open-device.ts';
import { startStickThread } from './stick-thread.ts';

/** A device under the writer: whole sectors in, whole sectors out, and the medium itself behind them. */
export interface StickFile {
  /** What is written and read is a part of this. */
  readonly memory: Buffer;
  write(bytes: Buffer, offset: number): Promise<void>;
  read(into: Buffer, offset: number): Promise<void>;
  /** Resolves when the device says that it holds what was written. */
  flush(): Promise<void>;
  /** Sees to it that what is read next comes from the medium. */
  forgetCached(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a device alone, past the page cache where that can be: then a slow stick cannot fill the memory with what it has
 * still to write, progress is that of the stick, and reading back reads the stick. Elsewhere every write is flushed, and
 * the cache dropped before reading back. Throws DEVICE_REFUSED, DEVICE_UNKNOWN; its methods throw DISK_FAILED.
 */
export async function openStickFile(
  device: BlockDevice,
  options: { readonly memoryBytes: number; readonly direct?: boolean },
  host: Pick<Host, 'run'>,
): Promise<StickFile> {
  const opened = await openDevice(device, { direct: options.direct ?? true });
  return stickFile(device, opened, alignedMemory(options.memoryBytes), host);
}

function stickFile(
  device: BlockDevice,
  { file, isDirect }: OpenDevice,
  memory: SharedArrayBuffer,
  host: Pick<Host, 'run'>,
): StickFile {
  const thread = startStickThread({ fd: file.fd, memory });
  const failed = (what: string, offset: number | undefined, cause: unknown): EdgefabError => {
    const why = cause instanceof Error ? cause.message : String(cause);
    const gone = hasCode(cause, 'ENODEV') || hasCode(cause, 'ENXIO') || hasCode(cause, 'ENOMEDIUM');
    return new EdgefabError(
      `${device.path} (${device.name}) failed to ${what}${offset === undefined ? '' : ` at ${offset} of ${device.sizeBytes} bytes`}: ${why}`,
      {
        code: 'DISK_FAILED',
        suggestions: [
          gone
            ? 'It was unplugged, or the hub lost it: plug it in again and write it again'
            : 'It is broken or badly seated: try another port, then another stick; dmesg tells more',
        ],
        place: { file: device.path },
        cause,
      },
    );
  };
  const whole = async (kind: 'write' | 'read', bytes: Buffer, offset: number): Promise<void> => {
    if (bytes.buffer !== memory) throw new RangeError('bytes that are not in the memory of the stick');
    for (let done = 0; done < bytes.length; ) {
      const part = { start: bytes.byteOffset + done, length: bytes.length - done, offset: offset + done };
      const moved = await thread.run({ kind, ...part }).catch((cause: unknown) => {
        throw failed(kind, offset + done, cause);
      });
      if (moved === 0) throw failed(kind, offset + done, new Error('the device ends there'));
      done += moved;
    }
  };
  const flush = async (): Promise<void> => {
    await thread.run({ kind: 'sync' }).catch((cause: unknown) => {
      throw failed('flush', undefined, cause);
    });
  };
  return {
    memory: Buffer.from(memory),
    async write(bytes, offset) {
      await whole('write', bytes, offset);
      if (!isDirect) await flush();
    },
    read: (into, offset) => whole('read', into, offset),
    flush,
    async forgetCached() {
      if (isDirect) return;
      const { exitCode, stderr } = await host.run('blockdev', ['--flushbufs', device.realPath]);
      if (exitCode !== 0) throw failed('drop its cache', undefined, new Error(stderr.trim()));
    },
    async close() {
      await thread.close();
      await file.close();
    },
  };
}
