/**
 * One interface of a machine: a network card by `mac` or `name`, or a bond by `name`. With `vlan`, addresses
 * and all else belong to that VLAN on top of it, and the card or bond itself has none.
 */
export interface NetworkInterface {
  readonly name?: string;
  /** Lower case, with colons. */
  readonly mac?: string;
  /** ADDRESS/PREFIX each; empty with `dhcp`. */
  readonly addresses: readonly string[];
  readonly gateway?: string;
  readonly vlan?: number;
  /** Members are cards of their own, by name or MAC address. */
  readonly bond?: { readonly mode: string; readonly members: readonly string[] };
  readonly dhcp: boolean;
}

/** The network of a machine; the first interface with a router is the one the default route takes. */
export interface MachineNetwork {
  readonly interfaces: readonly NetworkInterface[];
  readonly dns: readonly string[];
}
