import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { RegistrySettings } from '../../src/boot/patch/registry-settings.ts';
import { HAS_DISTRIBUTION_DOUBLE } from './distribution-image.ts';
import { HAS_NAMESPACES, type RunResult, type Service } from './private-machine.ts';
import { CACHE_ID, makeRegistryCache, type RegistryCache } from './registry-cache.ts';
import type { RegistryMachine } from './registry-machine.ts';
import { canMount } from './small-disk.ts';
import { haveTools } from './tools.ts';
import { openXfsCache } from './xfs-cache.ts';

const TOOLS = ['podman', 'skopeo', 'runc', 'curl', 'openssl', 'sgdisk', 'mkfs.xfs', 'unshare', 'nsenter'];

/** Whether registries can be run as on the machine; else why not, for a title. */
export const canServe = canMount && HAS_NAMESPACES && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
export const whyNot = canServe
  ? ''
  : ` (SKIPPED: needs root, namespaces, docker-registry, ${TOOLS.join(', ')})`;

export const PORT = 22626;

/** A disk with a whole cache. Nobody writes to it: one serves all tests of a file. */
export interface RegistryWorld {
  readonly cache: RegistryCache;
  readonly disk: string;
  settings(change?: Partial<RegistrySettings>): RegistrySettings;
  close(): void;
}

export async function openRegistryWorld(): Promise<RegistryWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-cache-'));
  const cache = await makeRegistryCache(folder);
  const { device, close } = openXfsCache(folder);
  return {
    cache,
    disk: device,
    settings: (change = {}) => ({
      port: PORT,
      cacheLabel: 'edgefab',
      cacheId: CACHE_ID,
      tool: cache.tool,
      releaseImage: `${cache.repository}@${cache.release.digest}`,
      keepOnNode: true,
      buildTime: new Date('2026-11-21T10:00:00Z'),
      ...change,
    }),
    close: () => {
      close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Makes a disk of a folder, gone when the test is over. */
export function xfsCache(from: string): string {
  const { device, close } = openXfsCache(from);
  onTestFinished(close);
  return device;
}

/** Runs the units' commands in the units' order, up to the server in the foreground. */
export async function serve(machine: RegistryMachine): Promise<Service> {
  expect(machine.script('edgefab-cache.sh', ['open'])).toMatchObject({ status: 0 });
  return restart(machine);
}

export async function restart(machine: RegistryMachine): Promise<Service> {
  expect(machine.script('edgefab-registry.sh', ['prepare'])).toMatchObject({ status: 0 });
  const service = machine.start('edgefab-registry.sh', ['serve']);
  onTestFinished(async () => void (await service.stop()));
  return service;
}

export async function stop(machine: RegistryMachine, service: Service): Promise<void> {
  await service.stop();
  machine.script('edgefab-registry.sh', ['clean']);
}

export function isReady(machine: RegistryMachine): RunResult {
  return machine.script('edgefab-registry-ready.sh');
}

/** The one line for humans. */
export function status(machine: RegistryMachine): string {
  return machine.text('/run/edgefab/registry.status');
}
