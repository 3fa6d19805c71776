function words(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== '');
}

/** What `all` has more of than `others`: an argument may be there more than once. */
function without(all: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return all.filter((word) => {
    const at = left.indexOf(word);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

/**
 * Tells word by word what leads from one line of kernel arguments to another: `-gone`, then `+new`. Empty also when only
 * the order is another.
 */
export function diffKargs(before: string, after: string): string[] {
  const [old, now] = [words(before), words(after)];
  return [...without(old, now).map((word) => `-${word}`), ...without(now, old).map((word) => `+${word}`)];
}
