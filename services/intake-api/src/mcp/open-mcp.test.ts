import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';

const loader = new URL('../../../../shared/runtime/typescript.mjs', import.meta.url).href;
const openFile = new URL('./open-mcp.ts', import.meta.url).href;
/** Prints how many scripts of the SDK Node has compiled before MCP is opened, when it was opened as off, and whether any as on. */
const printLoaded = `
  import { Session } from 'node:inspector';
  const session = new Session();
  session.connect();
  let loaded = 0;
  session.on('Debugger.scriptParsed', ({ params }) => {
    if (params.url.includes('/@modelcontextprotocol/')) loaded += 1;
  });
  session.post('Debugger.enable');
  const counts = [];
  const { openMcp } = await import(${JSON.stringify(openFile)});
  counts.push(loaded);
  await openMcp(undefined);
  counts.push(loaded);
  await openMcp({ maxWaiting: 1 });
  counts.push(loaded > 0);
  process.stdout.write(JSON.stringify(counts));
`;

describe('the SDK of MCP', () => {
  it('is loaded only where the endpoint is on', async () => {
    const args = ['--import', loader, '--input-type=module', '--eval', printLoaded];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    assert.deepEqual(JSON.parse(stdout), [0, 0, true]);
  });
});

describe('a subscription over MCP', () => {
  const intake = useIntake(useEmbeddedRedis(), { MCP: 'on' });

  it('is refused: no stream outlives its request', async () => {
    const client = new Client(
      { name: 'agent-under-test', version: '1' },
      { versionNegotiation: { mode: 'auto' } },
    );
    const requestInit = { headers: { Authorization: `Bearer ${keys.playbook}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', intake.url), { requestInit }));
    try {
      await assert.rejects(client.listen({ toolsListChanged: true }), /Subscription limit reached/);
    } finally {
      await client.close();
    }
  });
});
