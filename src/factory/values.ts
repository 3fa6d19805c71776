import { z } from 'zod/v4';
import { parseInterfaceAddress, parseIp, unusableReason } from '../formats/ip-address.ts';

// Each value's description is what a fault says was expected, and what an editor shows (JSON Schema).

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})+$`);

/** One DNS label in lower case (RFC 1123 section 2.1): site and cluster names, which become file names too. */
export const label = z
  .string()
  .regex(new RegExp(`^${LABEL}$`))
  .describe('a name of 1 to 63 lower-case letters, digits and hyphens, for example shop-12');

/** A host name, short or with its domain (RFC 1123 section 2.1). */
export const hostName = z
  .string()
  .regex(HOST_NAME)
  // The node treats these as "no host name set" and asks DNS or DHCP for one.
  .refine((text) => text !== 'localhost' && text !== 'localhost.localdomain')
  .describe('a host name in lower case (not localhost), labels up to 63 and the whole up to 253 characters');

export const domain = z
  .string()
  .regex(DOMAIN)
  .describe('a DNS domain in lower case, for example edge.example.com');

export const ipAddress = z
  .string()
  .refine((text) => parseIp(text) !== undefined)
  .describe('an IPv4 or IPv6 address, for example 192.168.1.1');

/** ADDRESS/PREFIX that a machine can carry. */
export const interfaceAddress = z
  .string()
  .superRefine((text, context) => {
    const address = parseInterfaceAddress(text);
    if (address === undefined) context.addIssue({ code: 'custom' });
    else {
      const reason = unusableReason(address);
      if (reason !== undefined)
        context.addIssue({
          code: 'custom',
          message: `found ${text}, which is ${reason}, expected an address a machine can have`,
        });
    }
  })
  .describe('an address with its prefix length, for example 192.168.1.5/24');

/** A server by name or address. */
export const serverName = z
  .string()
  .refine((text) => parseIp(text) !== undefined || HOST_NAME.test(text))
  .describe('a host name or an IP address');

/** A unicast MAC address (IEEE 802), made lower case with colons. */
export const macAddress = z
  .string()
  .regex(/^[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}$/)
  .overwrite((text) => text.toLowerCase().replaceAll('-', ':'))
  // The lowest bit of the first octet marks a group address.
  .refine((text) => text !== '00:00:00:00:00:00' && Number.parseInt(text.slice(0, 2), 16) % 2 === 0)
  .describe('the MAC address of one network card, for example 28:d2:44:d3:ef:1c');

/** A network interface name: the kernel holds 15 bytes (IFNAMSIZ less its zero); `:` and `/` are its own. */
export const interfaceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/)
  .describe('an interface name of up to 15 letters, digits, . _ and -, for example enp0s25');

export const vlanId = z.int().min(1).max(4094).describe('a VLAN number from 1 to 4094');

// A year is 365 days, as installers count the life of certificates.
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, y: 365 * 86_400_000 } as const;
const DURATION = /^([1-9][0-9]{0,4})([mhdy])$/;

/** Reads `1y`, `30d`, `24h`, `90m` as milliseconds; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return unit === 'm' || unit === 'h' || unit === 'd' || unit === 'y'
    ? Number(count) * UNIT_MS[unit]
    : undefined;
}

export const duration = z
  .string()
  .regex(DURATION)
  .describe('a time in years, days, hours or minutes, for example 30d or 24h');

export const releaseVersion = z
  .string()
  .regex(/^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-[0-9A-Za-z.-]+)?$/)
  .describe('a release version, for example 4.18.9');

export const architecture = z.enum(['x86_64', 'aarch64', 's390x', 'ppc64le']);

/** A kernel device path. Only these characters: it is written into scripts and units. */
export const devicePath = z
  .string()
  .regex(/^\/dev(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._:+@=-]+)+$/)
  .describe('a device path, for example /dev/sda or /dev/disk/by-id/NAME');

/** A name under /dev/disk/by-id. */
export const diskId = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._:+@=-]{1,255}$/)
  .describe('a name as listed in /dev/disk/by-id, for example ata-Samsung_SSD_870_S5Y1NG0N');

/** One kernel argument. `#` pads the argument area of an ISO and a line feed ends it. */
export const kernelArgument = z
  .string()
  .regex(/^(?! )[\x20-\x7e]{1,1024}(?<! )$/)
  .refine((text) => !text.includes('#'))
  .describe('one kernel argument in plain ASCII on one line, without #, for example console=ttyS0');

/** A path as the user writes it: relative to the file it stands in, or beginning with ~/. */
export const filePath = z
  .string()
  .regex(/^[^\0\r\n]{1,4096}$/)
  .describe('a file path');

export const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
  .describe('the name of an environment variable');

export const sshPublicKey = z
  .string()
  .regex(/^(?:ssh|ecdsa|sk)-[^\0\r\n]{1,16384}$/)
  .describe('an SSH public key on one line, for example ssh-ed25519 AAAA… name');
