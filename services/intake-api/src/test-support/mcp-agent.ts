import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** What a tool answered: what it found, or the sentence why it did not. */
interface Answered {
  found: Record<string, unknown>;
  refused: string | undefined;
}

export type Agent = Awaited<ReturnType<typeof connectAgent>>;

/** The official client with a key, connected to the endpoint of an intake. */
export async function connectAgent(url: string, key: string) {
  const client = new Client({ name: 'agent-under-test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), {
    requestInit: { headers: { Authorization: `Bearer ${key}` } },
  });
  await client.connect(transport);
  return {
    client,
    async call(name: string, given: Record<string, unknown> = {}): Promise<Answered> {
      const { structuredContent, content, isError } = await client.callTool({ name, arguments: given });
      const [first] = content as { text?: string }[];
      return {
        found: (structuredContent ?? {}) as Record<string, unknown>,
        refused: isError ? (first?.text ?? '') : undefined,
      };
    },
  };
}
