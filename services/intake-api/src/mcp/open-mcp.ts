import type { RequestHandler } from 'express';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { McpSettings } from '../config/mcp-settings.ts';

/** Makes the route of the endpoint where it is on; what it is made with is loaded only then. */
export async function openMcp(settings: McpSettings | undefined, logger: Logger) {
  if (!settings) return undefined;
  const { createMcpRoute } = await import('./mcp-endpoint.ts');
  return (api: RequestHandler) => createMcpRoute(settings, { api, logger });
}
