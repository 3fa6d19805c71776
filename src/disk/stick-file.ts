import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { BlockDevice } from './block-device.ts';
import { type OpenDevice, openDevice } from './open-device.ts';

/** A device under the writer: whole sectors in, whole sectors out, and the medium itself behind them. */
export interface StickFile {
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
  host: Pick<Host, 'run'>,
  direct = true,
): Promise<StickFile> {
  const opened = await openDevice(device, { direct });
  return stickFile(device, opened, host);
}

function stickFile(device: BlockDevice, { file, isDirect }: OpenDevice, host: Pick<Host, 'run'>): StickFile {
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
  const whole = async (
    what: 'write' | 'read',
    bytes: Buffer,
    offset: number,
    step: (done: number) => Promise<number>,
  ): Promise<void> => {
    for (let done = 0; done < bytes.length; ) {
      const moved = await step(done).catch((cause: unknown) => {
        throw failed(what, offset + done, cause);
      });
      if (moved === 0) throw failed(what, offset + done, new Error('the device ends there'));
      done += moved;
    }
  };
  const flush = async (): Promise<void> => {
    await file.sync().catch((cause: unknown) => {
      throw failed('flush', undefined, cause);
    });
  };
  return {
    async write(bytes, offset) {
      await whole('write', bytes, offset, async (done) => {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
        return bytesWritten;
      });
      if (!isDirect) await flush();
    },
    async read(into, offset) {
      await whole('read', into, offset, async (done) => {
        const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
        return bytesRead;
      });
    },
    flush,
    async forgetCached() {
      if (isDirect) return;
      const { exitCode, stderr } = await host.run('blockdev', ['--flushbufs', device.realPath]);
      if (exitCode !== 0) throw failed('drop its cache', undefined, new Error(stderr.trim()));
    },
    close: () => file.close(),
  };
}
