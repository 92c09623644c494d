/** Keeps these files of TypeScript without their types, and nothing else. */
export function keepStripped(filenames: readonly string[]): Promise<void>;
