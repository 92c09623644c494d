/** The text without its types; lines and columns stay where they are. */
export function strip(text: string, filename: string): Promise<string>;

/** Keeps these files of TypeScript without their types, and nothing else. */
export function keepStripped(filenames: readonly string[]): Promise<void>;
