/** What a finished program left behind. `exitCode` is undefined when a signal ended it. */
export interface ProgramResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/** What edgefab needs of a machine beyond its file system. Functions take only the parts they use. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  now(): Date;
  randomBytes(size: number): Uint8Array;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs a program without a shell; resolves whatever its exit status; throws TOOL_MISSING when absent. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<ProgramResult>;
  /**
   * Flushes the whole file system a folder is on (syncfs(2)): many small files for the price of one. False where that
   * cannot be asked for. Throws EIO when the disk could not take it.
   */
  flushFileSystem(folder: string): Promise<boolean>;
}
