import { Flags } from '@oclif/core';
import { writeNewFile } from '../../factory/write-new-file.ts';
import type { ReleaseVersion } from '../../formats/release-version.ts';
import { createImageSet, IMAGE_SET_APIS } from '../../mirror/imageset/create-image-set.ts';
import { formatImageSet } from '../../mirror/imageset/document.ts';
import { loadOperatorSet } from '../../mirror/imageset/operator-sets.ts';
import { type OperatorWish, parseOperatorWish } from '../../mirror/imageset/operator-wish.ts';
import { parseImageSet } from '../../mirror/imageset/parse.ts';
import { parseExactRelease } from '../../mirror/imageset/release-sources.ts';
import { pinOperators } from '../../mirror/resolve/pin-operators.ts';
import type { Architecture } from '../../oci/architecture.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { parseArchitecture } from '../terminal/parse-architecture.ts';
import { openRegistry, type RegistryFlagValues, registryFlags } from '../terminal/registry-flags.ts';

export default class ImagesetCreate extends EdgefabCommand {
  static override summary = 'Write an ImageSetConfiguration: one exact release, and operators';
  static override description =
    'Each operator is NAME, NAME:CHANNEL or NAME:CHANNEL:VERSION. Where no version is named, the newest counts on the ' +
    'day the set is resolved; where no channel is named, that of every channel the operator has. --pin asks the ' +
    'catalogs and writes down one channel and one version of each. Never replaces a file.';
  static override examples = [
    '<%= config.bin %> imageset create --release 4.18.9 --operator-set edge -o imageset.yaml',
    '<%= config.bin %> imageset create --release 4.18.9 --operators lvms-operator,cluster-logging:stable-6.2 --pin',
  ];
  static override flags = {
    ...registryFlags,
    release: Flags.string({ description: 'the release, for example 4.18.9', required: true }),
    operators: Flags.string({
      description: 'operators, with commas between them',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      default: [],
    }),
    'operator-set': Flags.string({
      description: 'operators by the name of a set: edge, ran-du, virtualization',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
    }),
    catalog: Flags.string({
      description: 'where --operators are from: redhat, certified, community or an image',
      default: 'redhat',
    }),
    pin: Flags.boolean({ description: 'ask the catalogs, and write down one version of each operator' }),
    arch: Flags.string({
      description:
        'architecture to write down (x86_64, aarch64, …, or multi); without it, whoever resolves the set says',
    }),
    api: Flags.option({ options: IMAGE_SET_APIS })({
      description: 'version of the file: for oc-mirror v1 (v1alpha2) or v2 (v2alpha1) rules',
      default: 'v2alpha1',
    }),
    output: Flags.string({ char: 'o', description: 'file to write; default: stdout' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(ImagesetCreate);
    this.begin(flags);
    const release = parseExactRelease(flags.release);
    const { arch } = flags;
    const architecture = arch === undefined || arch === 'multi' ? arch : parseArchitecture(arch);
    const sets = await Promise.all(flags['operator-set'].map((name) => loadOperatorSet(name, release)));
    const wishes = [...flags.operators.map((text) => parseOperatorWish(text, flags.catalog)), ...sets.flat()];
    const operators = flags.pin ? await this.#pinned(wishes, release, architecture, flags) : wishes;
    const imageSet = createImageSet({
      release,
      api: flags.api,
      ...(architecture === undefined ? {} : { architecture }),
      operators,
    });
    const text = formatImageSet(imageSet);
    // What cannot be read back is a bug of ours or an odd name; better said here than on the day of the build.
    const readBack = parseImageSet(text, flags.output ?? 'the new image set');
    const open = readBack.operators
      .flatMap(({ packages }) => packages)
      .filter(({ channels }) => channels.length === 0);
    if (open.length > 0) {
      const names = open.map(({ name }) => name).join(', ');
      this.say(
        'warn',
        `no channel is named for ${names}: the newest of every channel will be fetched (see --pin)`,
      );
    }
    if (flags.output === undefined) this.print(text.trimEnd());
    else {
      await writeNewFile(flags.output, text);
      this.print(flags.output);
    }
    return { kind: 'NewImageSet', file: flags.output ?? null, imageSet };
  }

  async #pinned(
    wishes: readonly OperatorWish[],
    release: ReleaseVersion,
    architecture: Architecture | 'multi' | undefined,
    flags: RegistryFlagValues,
  ): Promise<OperatorWish[]> {
    const client = await openRegistry(flags);
    try {
      // Catalogs hold the same operators for every architecture.
      const index = architecture === undefined || architecture === 'multi' ? 'amd64' : architecture;
      return await pinOperators(wishes, release, client, { architecture: index, signal: this.signal });
    } finally {
      client.close();
    }
  }
}
