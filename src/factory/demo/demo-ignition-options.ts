/** The release lines whose shape the made-up config can have: the scripts differ in what they ask and when. */
export type DemoLine = '4.13' | '4.18' | '4.21';

export interface DemoFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** What a made-up bootstrap-in-place config is made from; the same options give the same bytes. */
export interface DemoIgnitionOptions {
  readonly clusterName: string;
  readonly domain: string;
  readonly installDisk: string;
  /** HOST/PATH@sha256:HEX of the release image. */
  readonly releaseImage: string;
  /** 4.18 unless given. */
  readonly line?: DemoLine;
  /** Payload images bootkube.sh runs, by name; a short list unless given. */
  readonly imageNames?: readonly string[];
  /** Files to add, such as certificates: this generator has no keys and makes none. */
  readonly extraFiles?: readonly DemoFile[];
}
