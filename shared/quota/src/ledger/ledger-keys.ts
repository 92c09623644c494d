/** The ledger's keys in one key space; their meaning stands on top of the scripts that use them. */
export function ledgerKeys(keySpace: string) {
  return {
    calls: `${keySpace}:ledger:calls`,
    entries: `${keySpace}:ledger:entries`,
    intents: `${keySpace}:ledger:intents`,
    generation: `${keySpace}:ledger:generation`,
    settings: `${keySpace}:ledger:settings`,
    estimate: `${keySpace}:ledger:estimate`,
    workers: `${keySpace}:ledger:workers`,
    holds: `${keySpace}:holds`,
    holdStreaks: `${keySpace}:holds:streaks`,
    holdDetails: `${keySpace}:holds:details`,
    aside: `${keySpace}:holds:aside`,
    answers: `${keySpace}:ledger:answers`,
  } as const;
}

/** KEYS of the scripts behind lua/ledger.lua, in its order. */
export function ledgerScriptKeys(keySpace: string): string[] {
  const keys = ledgerKeys(keySpace);
  const { calls, entries, intents, holds, generation, settings, estimate, workers } = keys;
  const { holdStreaks, answers, aside } = keys;
  return [
    calls,
    entries,
    intents,
    holds,
    generation,
    settings,
    estimate,
    workers,
    holdStreaks,
    answers,
    aside,
  ];
}
