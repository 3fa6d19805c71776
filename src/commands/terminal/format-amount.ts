const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Writes a byte count for people: `512 bytes`, `1.3 GiB`. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (Math.abs(amount) >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${amount} bytes` : `${amount.toFixed(1)} ${UNITS[unit]}`;
}

/** Writes a duration for people: `12 s`, `3 min 20 s`, `5 h 10 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const RATE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/**
 * Reads a line speed: `50Mbit` and `8Mbit/s` are bits, `6M`, `500K` and `1MiB/s` bytes, per second. Returns
 * bytes per second, or undefined when the text is no rate.
 */
export function parseRate(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([KMG]i?)?(bit|B)?(?:\/s|ps)?$/.exec(text.trim());
  if (found === null) return undefined;
  const [, amount = '0', prefix = '', unit] = found;
  const rate = (Number(amount) * (RATE_UNITS[prefix] ?? 1)) / (unit === 'bit' ? 8 : 1);
  return rate > 0 ? rate : undefined;
}

/** Reads a size as media are sold and files are told: `4GB`, `700M`, `25GiB`, `512` bytes. Undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?$/.exec(text.trim());
  if (found === null) return undefined;
  const [, amount = '0', prefix = ''] = found;
  const unit = { T: 1e12, Ti: 1024 ** 4 }[prefix] ?? RATE_UNITS[prefix] ?? 1;
  const size = Math.floor(Number(amount) * unit);
  return size > 0 && Number.isSafeInteger(size) ? size : undefined;
}
