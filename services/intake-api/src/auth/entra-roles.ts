import { adminScopes, type Scope } from '../config/callers.ts';

/** Roles as the app registration names them. */
const scopesByRole: Readonly<Record<string, readonly Scope[]>> = {
  'Investigations.Submit': ['submit'],
  'Investigations.Respond': ['respond'],
  'Investigations.Read': ['read'],
  'Investigations.Admin': adminScopes,
};

/** Those of a token that mean something here. */
export function knownRoles(roles: readonly string[]): string[] {
  return Object.keys(scopesByRole).filter((role) => roles.includes(role));
}

/** What the bearer of these roles may do; unknown ones grant nothing. */
export function scopesOfRoles(roles: readonly string[]): Set<Scope> {
  return new Set(knownRoles(roles).flatMap((role) => scopesByRole[role] ?? []));
}
