const units: Record<string, string> = { h: 'm', m: 's' };

/**
 * Rules with every duration a sixtieth of what it is, so that what takes minutes can be watched in seconds: a minute
 * becomes a second, in ranges as well as in `for`. Nothing else is changed.
 */
export function shortened(rules: string): string {
  const inSixtieths = (amount: string, unit: string) => `${amount}${units[unit] ?? unit}`;
  return rules
    .replaceAll(/\[(\d+)([hm])\]/g, (_, amount: string, unit: string) => `[${inSixtieths(amount, unit)}]`)
    .replaceAll(/^(\s+for: )(\d+)([hm])$/gm, (_, before: string, amount: string, unit: string) => {
      return `${before}${inSixtieths(amount, unit)}`;
    });
}
