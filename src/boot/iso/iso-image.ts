/**
 * How an image says where its areas are. `igninfo-json`: /coreos/igninfo.json (since 2022-12). `kargs-json`: kargs.json,
 * Ignition in the whole of /images/ignition.img (since 2021-09). `system-area`: a binary header before the volume
 * descriptors (2019 for Ignition, 2021 for kernel arguments). `ignition-img`: no kernel argument areas at all (2020).
 */
export type IsoGeneration = 'igninfo-json' | 'kargs-json' | 'system-area' | 'ignition-img';

/**
 * What said where an Ignition area is: /coreos/igninfo.json (since 2022-12), the name /images/ignition.img (since
 * 2020), or the header "coreiso+" in the system area alone (2019, when the area was the end of the initramfs).
 */
export type IgnitionAreaSource = 'igninfo-json' | 'ignition-img' | 'system-area';

/** Where the Ignition archive goes: `offset` counts from the start of the image. */
export interface IgnitionArea {
  readonly foundBy: IgnitionAreaSource;
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
  /** /coreos/kargs.json (since 2021-09), or the header "coreKarg" in the system area (2021). */
  readonly foundBy: 'kargs-json' | 'system-area';
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
  /** The name the volume id was cut from, where the image has it. */
  readonly volumeSetId: string;
  readonly generation: IsoGeneration;
  readonly ignition: IgnitionArea;
  /** Absent when the image has no place for kernel arguments (before 2021, s390x before 2023-07). */
  readonly kargs?: KargsAreas;
  readonly features: IsoFeatures;
}
