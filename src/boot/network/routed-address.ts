import { type InterfaceAddress, inSubnet, isLinkLocal, parseIp } from '../../formats/ip-address.ts';

/**
 * Finds the address whose subnet the router is in; a link-local router belongs to the first IPv6 address.
 * Undefined where no address of these can reach it.
 */
export function routedAddress(
  addresses: readonly InterfaceAddress[],
  gateway: string | undefined,
): InterfaceAddress | undefined {
  const via = gateway === undefined ? undefined : parseIp(gateway);
  if (via === undefined) return undefined;
  return addresses.find((address) => inSubnet(via, address) || (isLinkLocal(via) && address.bits === 128));
}
