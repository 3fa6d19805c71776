import { setFlagsFromString } from 'node:v8';

/** Sets how V8 collects garbage, for a program that streams bytes; called first, before there is much to collect. */
export function tuneMemory(): void {
  // Kept at its first size, the young generation is collected every megabyte, which frees the buffers that bytes
  // stream through while they are new. Left to grow, it is collected so seldom that those buffers force whole-heap
  // collections instead: a catalog of 500 MB then takes a third longer and 215 MiB in place of 130.
  setFlagsFromString('--semi-space-growth-factor=1');
  // The same buffers make V8 mark the heap on other threads nearly all the time, to no end: without, a cache of
  // 1.4 GB is filled with a third less processor time.
  setFlagsFromString('--no-incremental-marking');
}
