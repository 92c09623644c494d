import type { z } from 'zod';
import { flag, positiveInt } from '@diq/runtime/settings/read-settings.ts';

export interface McpSettings {
  /** Requests of one key that were asked for over MCP and may wait in a queue. */
  maxWaiting: number;
}

export const mcpShape = {
  MCP: flag().prefault('off'),
  MCP_MAX_WAITING: positiveInt({ max: 10_000_000 }).prefault('200'),
};

type Read = z.output<z.ZodObject<typeof mcpShape>>;

/** `undefined` where the MCP endpoint is closed. */
export function mcpSettings({ MCP: isOn, MCP_MAX_WAITING: maxWaiting }: Read): McpSettings | undefined {
  return isOn ? { maxWaiting } : undefined;
}
