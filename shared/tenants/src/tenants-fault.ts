/** A fault of a tenants file: where, which field, what is wrong (what is expected). Never a value. */
export interface TenantsFault {
  /** From 1 on. */
  readonly line: number;
  readonly message: string;
}

/** The line of what is at a path. */
export type Locate = (path: readonly PropertyKey[]) => number;

export function pathName(path: readonly PropertyKey[]): string {
  const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${safeName(String(part))}`));
  return name.join('').replace(/^\./, '') || 'the file';
}

/** What is long or odd may be a secret in the wrong place. */
export function safeName(key: string): string {
  return /^[A-Za-z]{1,40}$/.test(key) ? key : '…';
}
