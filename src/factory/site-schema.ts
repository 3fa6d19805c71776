import { z } from 'zod/v4';
import {
  devicePath,
  diskId,
  domain,
  duration,
  filePath,
  hostName,
  interfaceAddress,
  interfaceName,
  ipAddress,
  kernelArgument,
  label,
  macAddress,
  serverName,
  vlanId,
} from './values.ts';

const bond = z.strictObject({
  mode: z.enum([
    'active-backup',
    '802.3ad',
    'balance-rr',
    'balance-xor',
    'broadcast',
    'balance-tlb',
    'balance-alb',
  ]),
  members: z
    .array(z.union([interfaceName, macAddress]))
    .min(1)
    .describe('a list of at least one interface'),
});

const networkInterface = z.strictObject({
  name: interfaceName.optional(),
  mac: macAddress.optional(),
  addresses: z.array(interfaceAddress).optional(),
  gateway: ipAddress.optional(),
  vlan: vlanId.optional(),
  bond: bond.optional(),
  dhcp: z.boolean().optional(),
});

/** `network`: a list of interfaces, or the flat keys of one. */
const network = z.strictObject({
  interfaces: z.array(networkInterface).optional(),
  mac: macAddress.optional(),
  interface: interfaceName.optional(),
  address: interfaceAddress.optional(),
  gateway: ipAddress.optional(),
  dns: z.array(ipAddress).optional(),
});

const installDisk = z
  .union([z.strictObject({ byId: diskId }), z.strictObject({ path: devicePath })])
  .describe('a map with byId or path');

const siteKeys = {
  clusterName: label.optional(),
  domain: domain.optional(),
  hostname: hostName.optional(),
  ignition: filePath.optional(),
  machine: z
    .strictObject({
      ramMiB: z
        .int()
        .min(1024)
        .max(16_777_216)
        .describe('memory in MiB, from 1024, for example 32768')
        .optional(),
    })
    .optional(),
  installDisk: installDisk.optional(),
  cache: z
    .strictObject({
      mode: z.enum(['registry', 'preload']).optional(),
      location: z.enum(['usb', 'installDisk']).optional(),
      keepOnNode: z.boolean().optional(),
      serve: z.enum(['node']).optional(),
    })
    .optional(),
  dns: z.enum(['local', 'site']).optional(),
  network: network.optional(),
  ntp: z.strictObject({ servers: z.array(serverName).optional() }).optional(),
  certificates: z.strictObject({ validFor: duration.optional(), shelfLife: duration.optional() }).optional(),
  overlays: z.array(filePath).optional(),
  manifests: z.array(filePath).optional(),
  kargs: z
    .strictObject({
      append: z.array(kernelArgument).optional(),
      delete: z.array(kernelArgument).optional(),
    })
    .optional(),
};

/** `defaults`: any site key but the name. */
export const defaultsSchema = z.strictObject(siteKeys);

/** One entry of `sites`, before the defaults are laid under it. */
export const siteEntrySchema = z.strictObject({ name: label, ...siteKeys });

export type SiteKeys = z.infer<typeof defaultsSchema>;
export type SiteEntry = z.infer<typeof siteEntrySchema>;
