declare module 'postject' {
  /** Adds a resource to an executable file, in place. */
  export function inject(
    file: string,
    name: string,
    bytes: Buffer,
    options: { readonly sentinelFuse: string },
  ): Promise<void>;
}
