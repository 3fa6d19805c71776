/** What the kernel, udev and biosdevname call interfaces by themselves (systemd.net-naming-scheme(7)). */
const KERNEL_NAME =
  /^(?:eth|wlan|wwan|usb|ib|lo|bond|team|veth|dummy|virbr|docker|br)[0-9]*$|^(?:en|wl|ww|ib|sl|mc)[xosPpvbiacdufn]?[0-9]|^(?:em|p)[0-9]/;

/** Names of what software makes: none of them is a network card. */
const MADE_NAME = /^(?:bond|team|veth|dummy|virbr|docker|br|lo)[0-9]*$/;

/** Words that stand for all interfaces in /proc/sys/net, and the file in which the kernel lists bonds. */
const RESERVED = ['all', 'default', 'bonding_masters', 'lo'];

/** The kernel holds 15 bytes of a name (IFNAMSIZ less its zero). */
export const MAX_NAME_BYTES = 15;

/** Tells whether the kernel or udev may give this name to a card on its own. */
export function isKernelName(name: string): boolean {
  return KERNEL_NAME.test(name);
}

/** Tells whether a card cannot have this name, because software makes interfaces of such a name. */
export function isMadeName(name: string): boolean {
  return MADE_NAME.test(name);
}

/** Tells whether no interface may have this name. */
export function isReservedName(name: string): boolean {
  return RESERVED.includes(name);
}
