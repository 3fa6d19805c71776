import { extract, type Header } from 'tar-stream';

/** A search for a few small files in one layer's tar. */
export interface TarSearch {
  write(block: Uint8Array): Promise<void>;
  end(): Promise<void>;
  destroy(): void;
  /** The wanted files read so far, by path. */
  readonly found: ReadonlyMap<string, Buffer>;
  /** Whether this layer takes the path away from the layers below. */
  hides(path: string): boolean;
}

// OCI image-spec, layer.md, "Whiteouts".
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** A tar name without the decorations that mean nothing; throws for one that points out of the image. */
function entryPath(name: string): string {
  const path = name.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
  // The root itself is written "/" by some builders.
  if (path === '' || path === '.') return '';
  if (path.startsWith('/'))
    throw new Error(`it holds the absolute path ${JSON.stringify(name.slice(0, 200))}`);
  if (path.split('/').includes('..'))
    throw new Error(`it holds the path ${JSON.stringify(name.slice(0, 200))}, which leads out of the image`);
  return path;
}

function isFile({ type }: Header): boolean {
  return type === 'file' || type === 'contiguous-file';
}

/**
 * Opens a search through a tar as it streams; nothing is written to disk. Wanted files are held in memory, up
 * to `maxFileBytes` each; entries between are skipped. Throws an Error that says what is wrong with the tar
 * (its place is the caller's to add): a path out of the image, a wanted path that is no regular file, a
 * wanted file that is too large, bytes that are no tar.
 */
export function openTarSearch(wanted: readonly string[], maxFileBytes: number): TarSearch {
  const found = new Map<string, Buffer>();
  const hidden = new Set<string>();
  const tar = extract();
  let failure: Error | undefined;

  /** What an entry means for the wanted files: its path when it is one of them. */
  function consider(header: Header): string | undefined {
    const path = entryPath(header.name);
    const slash = path.lastIndexOf('/');
    const [folder, base] = [path.slice(0, slash + 1), path.slice(slash + 1)];
    if (base === OPAQUE) hidden.add(folder);
    else if (base.startsWith(WHITEOUT)) hidden.add(folder + base.slice(WHITEOUT.length));
    if (wanted.includes(path)) {
      if (!isFile(header))
        throw new Error(`${path} is a ${header.type ?? 'special entry'}, want a regular file`);
      const size = header.size ?? 0;
      if (size > maxFileBytes) throw new Error(`${path} has ${size} bytes, want at most ${maxFileBytes}`);
      return path;
    }
    // A folder of a wanted file that is something else here takes the file away.
    if (path !== '' && header.type !== 'directory' && wanted.some((each) => each.startsWith(`${path}/`)))
      throw new Error(`${path} is a ${header.type ?? 'special entry'}, want a directory`);
    return undefined;
  }

  tar.on('entry', (header, stream, next) => {
    // It ends with the tar's own error, which is kept below.
    stream.on('error', () => {});
    let path: string | undefined;
    try {
      path = consider(header);
    } catch (error) {
      next(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const blocks: Buffer[] = [];
    if (path === undefined) stream.resume();
    else stream.on('data', (block) => blocks.push(block as Buffer));
    stream.on('end', () => {
      if (path !== undefined) found.set(path, Buffer.concat(blocks));
      next();
    });
  });
  tar.on('error', (error: Error) => {
    failure ??= error;
  });
  const closed = new Promise<void>((resolve) => {
    tar.once('close', resolve);
  });

  return {
    found,
    hides: (path) =>
      [...hidden].some(
        (each) => each === '' || each === path || path.startsWith(each.endsWith('/') ? each : `${each}/`),
      ),
    write: async (block) => {
      if (failure !== undefined) throw failure;
      const taken = tar.write(Buffer.from(block.buffer, block.byteOffset, block.byteLength));
      if (!taken) await Promise.race([closed, new Promise<void>((resolve) => tar.once('drain', resolve))]);
      if (failure !== undefined) throw failure;
    },
    end: async () => {
      if (failure === undefined) {
        tar.end(undefined);
        await closed;
      }
      if (failure !== undefined) throw failure;
    },
    destroy: () => {
      tar.destroy();
    },
  };
}
