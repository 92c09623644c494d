import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Tool } from './tools.ts';

interface Shown {
  inputSchema: StandardSchemaWithJSON;
  outputSchema: StandardSchemaWithJSON;
}

const made = new WeakMap<Tool, Shown>();

/**
 * A tool's schemas as agents see them, made once: that takes longer than most calls. Inputs are checked by the tool
 * itself, whose errors name field and reason as those of the API do, and outputs by the client.
 */
export function asShown(tool: Tool): Shown {
  const known = made.get(tool);
  if (known) return known;
  const shown = { inputSchema: shownOf(tool.input, 'input'), outputSchema: shownOf(tool.output, 'output') };
  made.set(tool, shown);
  return shown;
}

function shownOf(schema: z.ZodType, io: 'input' | 'output'): StandardSchemaWithJSON {
  // What is no JSON Schema by itself has one beside it, see the contracts.
  const { '~standard': _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return {
    '~standard': {
      version: 1,
      vendor: 'zod',
      validate: (value) => ({ value }),
      jsonSchema: { input: () => json, output: () => json },
    },
  };
}
