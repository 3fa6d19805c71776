/**
 * How an image says where its areas are. `igninfo-json`: /coreos/igninfo.json and kargs.json (since 2023-03).
 * `kargs-json`: kargs.json only, Ignition in the whole of /images/ignition.img. `system-area`: a binary header
 * before the volume descriptors (2021). `ignition-img`: no kernel argument areas at all.
 */
export type IsoGeneration = 'igninfo-json' | 'kargs-json' | 'system-area' | 'ignition-img';

/** Where the Ignition archive goes: `offset` counts from the start of the image. */
export interface IgnitionArea {
  readonly file: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** One copy of the kernel arguments: the text, then `end`, then `pad` up to the capacity. One byte each. */
export interface KargsArea {
  readonly file: string;
  readonly offset: number;
  readonly end: string;
  readonly pad: string;
}

/** All copies of the kernel arguments; each holds the same text in `capacityBytes`. */
export interface KargsAreas {
  readonly default: string;
  readonly capacityBytes: number;
  readonly areas: readonly KargsArea[];
}

/** What the live system and its installer can do, as the image says in /coreos/features.json. */
export interface IsoFeatures {
  readonly installerConfig: boolean;
  readonly liveInitrdNetwork: boolean;
  /** Installer config keys the image's coreos-installer knows, sorted. */
  readonly installerDirectives: readonly string[];
}

/** A CoreOS live ISO and where its areas are; nothing is kept open. */
export interface IsoImage {
  readonly path: string;
  readonly sizeBytes: number;
  readonly volumeId: string;
  readonly generation: IsoGeneration;
  readonly ignition: IgnitionArea;
  /** Absent when the image has no place for kernel arguments (s390x before 2023-07, 2020). */
  readonly kargs?: KargsAreas;
  readonly features: IsoFeatures;
}
