import { z } from 'zod/v4';

/** A receipt's name, beside its ISO. */
export const RECEIPT_FILE = 'receipt.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const time = z.iso.datetime();

/** A file the user gave, by its name without the folder: folders differ from machine to machine. */
const ownFile = z.strictObject({ file: z.string(), sha256 });

const inputs = z.strictObject({
  /** sha256 of the lock: every image, by digest. */
  lock: z.string(),
  /** sha256 of the image set file. */
  imageSet: digest,
  /** Of the Ignition config before anything was patched. */
  ignition: sha256,
  liveIso: z.strictObject({ file: z.string(), volumeId: z.string(), sizeBytes: count, sha256 }),
  overlays: z.array(ownFile),
  manifests: z.array(ownFile),
  /** Of the CA of the registry on the machine, as DER; null in preload mode. */
  registryCa: sha256.nullable(),
});

const iso = z.strictObject({
  file: z.string(),
  sizeBytes: count,
  sha256,
  ignition: z
    .strictObject({
      compression: z.enum(['gzip', 'xz']),
      compressedBytes: count,
      areaBytes: count,
      files: z.array(z.string()),
    })
    .optional(),
  kargs: z.string(),
  kargsBudget: z.strictObject({ usedBytes: count, capacityBytes: count }).nullable(),
});

const step = z.strictObject({
  name: z.string(),
  why: z.string(),
  changes: z.array(z.string()),
  skipped: z.string().optional(),
  warnings: z.array(z.string()).optional(),
});

const gap = z.strictObject({
  reference: z.string(),
  role: z.string(),
  neededBy: z.array(z.string()),
  why: z.string(),
});

/** A file that the machine fetches from its cache, `files/sha256/SHA256` there, because the embed area has no room. */
const spilledFile = z.strictObject({ path: z.string(), sha256, sizeBytes: count });

/** A stick the ISO was written to, and what reading it back gave. */
const stick = z.strictObject({
  serial: z.string().nullable(),
  model: z.string().nullable(),
  byId: z.string().nullable(),
  sizeBytes: count,
  isoSha256: sha256,
  writtenAt: time,
  readBack: z.literal('equal'),
});

/** `live`: the system on the stick, until its disk is written. `installed`: the node, from its first start. */
const phase = z.enum(['live', 'installed']);

/** What starting the build in a virtual machine gave. */
const rehearsal = z.strictObject({
  /** Of what was rehearsed: the receipt's own. */
  buildId: sha256,
  endedAt: time,
  /** edgefab/VERSION that rehearsed. */
  writer: z.string(),
  verdict: z.enum(['passed', 'failed']),
  firmware: z.enum(['bios', 'uefi']),
  accelerator: z.enum(['kvm', 'tcg']),
  memoryMiB: count,
  /** What its cards led to. */
  network: z.enum(['dropped', 'no-route', 'answers']),
  /** What its clock said whenever it was switched on; null: the true time. */
  clock: time.nullable(),
  seconds: z.number().nonnegative(),
  /** Those that were begun, and when each ended, since the machine was switched on. */
  phases: z.array(z.strictObject({ phase, seconds: z.number().nonnegative() })),
  checks: z.array(z.strictObject({ phase, name: z.string(), state: z.enum(['good', 'failed', 'unknown']) })),
  /** What its cards were sent from outside. */
  payloadBytes: count,
});

/** Over the canonical JSON (RFC 8785) of the receipt without `signature`, `sticks` and `rehearsals`. */
const signature = z.strictObject({
  algorithm: z.literal('ed25519'),
  /** sha256 of the public key as DER (SubjectPublicKeyInfo). */
  keyId: sha256,
  /** 64 bytes in base64. */
  value: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

/** `receipt.json` beside an ISO: what was built from what, without a secret in it. */
export const receiptSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('Receipt'),
  site: z.string(),
  buildId: sha256,
  buildTime: time,
  /** edgefab/VERSION. */
  writer: z.string(),
  cacheId: z.string(),
  inputs,
  iso,
  /** How the live system gets its network, and the files that do it on the installed node. */
  network: z.strictObject({ way: z.string(), files: z.array(z.string()) }),
  patch: z.array(step),
  /** When the first certificate ends, and which; null without any. */
  certificates: z.strictObject({ notAfter: time, path: z.string() }).nullable(),
  /** Images either phase asks for, all in the cache but those that were allowed to be missing. */
  coverage: z.strictObject({ images: count, allowed: z.array(gap) }),
  /** By path; absent when everything fits. */
  spilled: z.array(spilledFile).optional(),
  warnings: z.array(z.string()),
  sticks: z.array(stick).optional(),
  /** The last ten of this build, the newest last. */
  rehearsals: z.array(rehearsal).optional(),
  signature: signature.optional(),
});

export type Receipt = z.infer<typeof receiptSchema>;
