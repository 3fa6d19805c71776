import { open } from 'node:fs/promises';
import { EdgefabError } from '../../../errors.ts';
import { type Graph, MAX_GRAPH_BYTES, parseGraph } from './graph.ts';

/** Reads a saved update graph, for a machine without a line. Throws FILE_UNREADABLE, GRAPH_INVALID. */
export async function loadGraph(file: string): Promise<Graph> {
  let bytes: Buffer;
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > MAX_GRAPH_BYTES)
      throw new EdgefabError(`update graph ${file} has ${size} bytes, want at most ${MAX_GRAPH_BYTES}`, {
        code: 'GRAPH_INVALID',
        place: { file },
      });
    bytes = await handle.readFile();
  } catch (cause) {
    if (cause instanceof EdgefabError) throw cause;
    throw new EdgefabError(`update graph ${file} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file },
      cause,
    });
  }
  return parseGraph(bytes, file);
}
