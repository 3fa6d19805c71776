import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { buildSiteIso, streamSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { openIsoSource } from '../../../src/boot/iso/iso-source.ts';
import { streamPatched } from '../../../src/boot/iso/site-iso-stream.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const kargs = { append: ['a=1'] };
const signal = new AbortController().signal;

/** Takes bytes slowly, one write at a time. */
class SlowSink extends Writable {
  readonly chunks: Buffer[] = [];
  constructor() {
    super({ highWaterMark: 1 });
  }
  override _write(chunk: Buffer, _: string, done: (error?: Error) => void): void {
    this.chunks.push(Buffer.from(chunk));
    setTimeout(done, 2);
  }
}

it('sends the bytes of a built file, and reports the same', async () => {
  const { source, target } = await liveIso();
  const { target: _, ...built } = await buildSiteIso({ source, target, ignition, kargs }, host);
  const sink = new SlowSink();
  const streamed = await streamSiteIso({ source, target: '-', ignition, kargs }, sink, signal);
  expect(Buffer.concat(sink.chunks).equals(readFileSync(target))).toBe(true);
  expect(streamed).toEqual({ ...built, target: '-' });
  expect(sink.writableEnded).toBe(false);
});

it('lays regions over the seams between chunks', async () => {
  const { source } = await liveIso();
  const MiB = 1024 * 1024;
  const bytes = Buffer.concat([readFileSync(source), madeUpBytes(64 * 1024), Buffer.alloc(3 * MiB)]);
  writeFileSync(source, bytes);
  const opened = await openIsoSource(source);
  const regions = [
    { what: 'a', offset: MiB - 5, bytes: Buffer.alloc(10, 'a') },
    { what: 'b', offset: MiB + 5, bytes: Buffer.alloc(2 * MiB, 'b') },
    { what: 'c', offset: bytes.length - 1, bytes: Buffer.from('c') },
  ];
  for (const { offset, bytes: laid } of regions) bytes.set(laid, offset);
  const sink = new SlowSink();
  await streamPatched(opened, regions, sink, signal);
  const digest = (whole: Uint8Array) => createHash('sha256').update(whole).digest('hex');
  expect(digest(Buffer.concat(sink.chunks))).toBe(digest(bytes));
});

it('says that whoever read it has gone', async () => {
  const { source } = await liveIso();
  const sink = createWriteStream('/dev/full');
  const streamed = streamSiteIso({ source, target: '-', ignition }, sink, signal);
  await expect(streamed).rejects.toMatchObject({
    code: 'OUTPUT_BROKEN',
    exitCode: 5,
    cause: { code: 'ENOSPC' },
  });
});

it('notices a source that is written to meanwhile', async () => {
  const { source } = await liveIso();
  const sink = new SlowSink();
  sink.once('drain', () => writeFileSync(source, readFileSync(source)));
  const streamed = streamSiteIso({ source, target: '-', ignition }, sink, signal);
  await expect(streamed).rejects.toMatchObject({ code: 'ISO_CHANGED' });
});

it('stops when it is interrupted while the sink takes nothing', async () => {
  const { source } = await liveIso();
  const stuck = new Writable({ highWaterMark: 1, write: () => {} });
  const interrupt = new AbortController();
  const streamed = streamSiteIso({ source, target: '-', ignition }, stuck, interrupt.signal);
  const refused = expect(streamed).rejects.toThrow('aborted');
  await delay(50);
  interrupt.abort();
  await refused;
});
