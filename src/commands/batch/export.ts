import { writeFile } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { kubernetesJob } from '../../factory/batch/kubernetes-job.ts';
import { loadFactory } from '../../factory/load.ts';
import { realHost } from '../../host/real-host.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';

export default class BatchExport extends EdgefabCommand {
  static override summary = 'Write what runs a batch on more machines than one';
  static override description =
    'With --kubernetes: an Indexed Job whose pods share one volume with the factory, each building its shard of the ' +
    'sites. The volume holds the folder of factory.yaml with all it names, cache included; secrets are named, never written: ' +
    'the Secret has the keys pull-secret and, where receipts are signed, signing-key.';
  static override examples = [
    '<%= config.bin %> batch export --kubernetes --image registry.example.com/edgefab:0.1 --claim factory --shards 8 -o job.yaml',
  ];
  static override flags = {
    factory: Flags.string({ description: 'the factory file', default: 'factory.yaml' }),
    kubernetes: Flags.boolean({ description: 'write a Kubernetes Job (batch/v1)', required: true }),
    image: Flags.string({ description: 'the container image that has edgefab', required: true }),
    claim: Flags.string({
      description: "the PersistentVolumeClaim with the factory's folder; ReadWriteMany for several nodes",
      required: true,
    }),
    secret: Flags.string({ description: 'the Secret with the secrets', default: 'edgefab' }),
    shards: Flags.integer({
      description: 'into how many parts to cut the sites',
      default: 4,
      min: 1,
      max: 10_000,
    }),
    'parallel-pods': Flags.integer({ description: 'pods at work at once; all unless given', min: 1 }),
    name: Flags.string({ description: 'name of the Job', default: 'edgefab-batch' }),
    namespace: Flags.string({ description: 'its namespace' }),
    'allow-short-life': Flags.boolean({ description: 'give edgefab batch the flag of this name' }),
    output: Flags.string({ char: 'o', description: 'the file to write; standard output unless given' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BatchExport);
    this.begin(flags);
    const factory = await loadFactory(flags.factory, realHost);
    const yaml = kubernetesJob(factory, {
      name: flags.name,
      ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
      image: flags.image,
      claim: flags.claim,
      secret: flags.secret,
      shards: flags.shards,
      parallelism: flags['parallel-pods'] ?? flags.shards,
      batchFlags: flags['allow-short-life'] ? ['--allow-short-life'] : [],
    });
    if (flags.output === undefined) this.print(yaml.trimEnd());
    else await writeFile(flags.output, yaml);
    return { kind: 'KubernetesJob', output: flags.output ?? null, yaml };
  }
}
