import type { z } from 'zod';
import { flag, positiveInt, SettingsError } from '@diq/runtime/settings/read-settings.ts';

export interface McpSettings {
  /** Requests of one key that were asked for over MCP and may wait in a queue. */
  maxWaiting: number;
}

export const mcpShape = {
  MCP: flag().prefault('off'),
  MCP_MAX_WAITING: positiveInt({ max: 10_000_000 }).optional(),
};

type Read = z.output<z.ZodObject<typeof mcpShape>>;

const defaultMaxWaiting = 200;

/** `undefined` where the MCP endpoint is closed. @throws SettingsError for what does not go together */
export function mcpSettings({ MCP: isOn, MCP_MAX_WAITING: most }: Read): McpSettings | undefined {
  if (!isOn && most !== undefined)
    throw new SettingsError(['MCP_MAX_WAITING: set without MCP (expected MCP=on beside it)']);
  return isOn ? { maxWaiting: most ?? defaultMaxWaiting } : undefined;
}
