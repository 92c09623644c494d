import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tools } from '@diq/intake-api/mcp/tools.ts';

describe('docs/mcp.md', () => {
  it('has each tool with the scopes that it takes, and its hint', () => {
    const page = readFileSync(new URL('../../docs/mcp.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` +\| (.+?) +\| .+? +\| ([a-z ]+?) +\|$/gm)];
    assert.deepEqual(
      rows.map(([, name, , hint]) => [name, hint]),
      tools.map(({ name, annotations }) => [name, annotations.readOnlyHint ? 'read only' : 'destructive']),
    );
    for (const [index, { name, scopes }] of tools.entries()) {
      const said = rows[index]?.[2] ?? '';
      const isByOperation = said === 'that of the operation';
      const named = isByOperation
        ? ['submit', 'respond', 'irreversible']
        : scopesIn(said.split(';')[0] ?? '');
      assert.deepEqual(named, scopes, name);
    }
  });
});

const scopesIn = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, scope]) => scope);
