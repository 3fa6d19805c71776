import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { stringifyYaml } from '../../formats/stringify-yaml.ts';
import type { Factory } from '../factory.ts';

export interface KubernetesJobOptions {
  readonly name: string;
  readonly namespace?: string;
  /** The container image that has edgefab. */
  readonly image: string;
  /** The PersistentVolumeClaim (ReadWriteMany where pods run on several nodes) that holds the factory's folder. */
  readonly claim: string;
  /** The Secret whose keys stand for the files and variables with secrets that the factory names. */
  readonly secret: string;
  readonly shards: number;
  readonly parallelism: number;
  /** Given to `edgefab batch` in each pod. */
  readonly batchFlags: readonly string[];
}

/** Where the factory's folder is in the pods; paths in factory.yaml are relative to it. */
const MOUNT = '/factory';

interface SecretFile {
  readonly key: string;
  readonly path: string;
}

/** Where a path of the factory is in the pods; undefined when it is outside the factory's folder. */
function inPod(folder: string, path: string): string | undefined {
  const below = relative(folder, path);
  return below.startsWith('..') || isAbsolute(below) ? undefined : `${MOUNT}/${below}`;
}

/** Files with secrets, by the key of the Secret that stands for each. */
function secretFiles(factory: Factory): { key: string; path: string }[] {
  const { pullSecret, signingKey } = factory;
  return [
    ...(pullSecret !== undefined && 'file' in pullSecret
      ? [{ key: 'pull-secret', path: pullSecret.file }]
      : []),
    ...(signingKey === undefined ? [] : [{ key: 'signing-key', path: signingKey }]),
  ];
}

function assertBelow(factory: Factory, folder: string): void {
  const secrets = secretFiles(factory).map(({ path }) => path);
  const { cache, out, lock } = factory.paths;
  const outside = [
    ...factory.files.map(({ path, place }) => ({ path, field: place.field ?? '' })),
    { path: cache, field: 'paths.cache' },
    { path: out, field: 'paths.out' },
    { path: lock, field: 'paths.lock' },
  ].filter(({ path }) => !secrets.includes(path) && inPod(folder, path) === undefined);
  if (outside.length === 0) return;
  throw new EdgefabError(
    `pods see only the factory's folder, ${folder}, and ${factory.file} names files outside it:\n${outside
      .map(({ path, field }) => `  ${field}: ${path}`)
      .join('\n')}`,
    {
      code: 'FACTORY_INVALID',
      suggestions: ['Put them into the folder of the factory, and the cache too, and name them from there'],
      place: { file: factory.file },
      faults: outside.map(({ path, field }) => ({
        place: { file: factory.file, field },
        message: `found ${path}, expected a path below ${folder}`,
      })),
    },
  );
}

/**
 * Renders an Indexed Job (batch/v1) whose pods each run `edgefab batch --shard INDEX/COUNT` on one shared volume.
 * Secrets are named, never contained. Throws FACTORY_INVALID where the factory names files that pods would not see.
 */
export function kubernetesJob(factory: Factory, options: KubernetesJobOptions): string {
  const folder = dirname(resolve(factory.file));
  assertBelow(factory, folder);
  const { pullSecret } = factory;
  const files: SecretFile[] = secretFiles(factory).map(({ key, path }) => ({
    key,
    path: inPod(folder, path) ?? path,
  }));
  const env =
    pullSecret !== undefined && 'env' in pullSecret
      ? [
          {
            name: pullSecret.env,
            valueFrom: { secretKeyRef: { name: options.secret, key: 'pull-secret' } },
          },
        ]
      : [];
  const labels = { 'app.kubernetes.io/name': 'edgefab', 'app.kubernetes.io/component': 'batch' };
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: options.name,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      labels,
    },
    spec: {
      completionMode: 'Indexed',
      completions: options.shards,
      parallelism: Math.min(options.parallelism, options.shards),
      // Each shard for itself: one that fails for good stops no other.
      backoffLimitPerIndex: 3,
      maxFailedIndexes: options.shards,
      podFailurePolicy: {
        rules: [
          {
            // Wrong input, refusals and failed sites (status 9) do not mend themselves.
            action: 'FailIndex',
            onExitCodes: { containerName: 'edgefab', operator: 'In', values: [2, 3, 4, 9] },
          },
        ],
      },
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'edgefab',
              image: options.image,
              args: [
                'batch',
                '--factory',
                `${MOUNT}/${basename(factory.file)}`,
                '--shard',
                `$(JOB_COMPLETION_INDEX)/${options.shards}`,
                ...options.batchFlags,
              ],
              ...(env.length === 0 ? {} : { env }),
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              volumeMounts: [
                { name: 'factory', mountPath: MOUNT },
                ...files.map(({ key, path }) => ({
                  name: 'secrets',
                  mountPath: path,
                  subPath: key,
                  readOnly: true,
                })),
              ],
            },
          ],
          volumes: [
            { name: 'factory', persistentVolumeClaim: { claimName: options.claim } },
            ...(files.length === 0
              ? []
              : [
                  {
                    name: 'secrets',
                    secret: {
                      secretName: options.secret,
                      items: files.map(({ key }) => ({ key, path: key })),
                    },
                  },
                ]),
          ],
        },
      },
    },
  };
  return stringifyYaml(job);
}
