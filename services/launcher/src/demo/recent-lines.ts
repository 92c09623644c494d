import { prettyFactory } from 'pino-pretty';
import type { ServiceName } from '../start-service.ts';

/** The latest lines that each service wrote. */
export interface RecentLines {
  add(service: ServiceName, line: string): void;
  of(service: ServiceName): readonly string[];
}

const keptPerService = 15;

/** @param echo gets every line at once, made readable */
export function createRecentLines(echo?: (text: string) => void): RecentLines {
  const lines = new Map<ServiceName, string[]>();
  const pretty = prettyFactory({ colorize: false, translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return {
    add(service, line) {
      lines.set(service, [...(lines.get(service) ?? []), line].slice(-keptPerService));
      echo?.(line.startsWith('{') ? pretty(line) : `${service}: ${line}\n`);
    },
    of: (service) => lines.get(service) ?? [],
  };
}
