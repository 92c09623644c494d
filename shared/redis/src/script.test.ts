import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { loadScript } from './script.ts';

describe('a Lua script', () => {
  const redis = useEmbeddedRedis();
  const folder = mkdtempSync(join(tmpdir(), 'script-'));
  after(() => rmSync(folder, { recursive: true }));

  const file = (name: string, lua: string) => {
    writeFileSync(join(folder, name), lua);
    return pathToFileURL(join(folder, name));
  };

  it('has the files that it includes in front of it, each once, also those of another folder', async () => {
    file('first.lua', "-- include now.lua\nlocal list = { 'first' }\n");
    file('second.lua', "-- include first.lua\nlist[#list + 1] = 'second'\n");
    const lua = '-- include first.lua, second.lua\nlist[#list + 1] = now > 0 and ARGV[1]\nreturn list\n';
    const script = loadScript(file('whole.lua', lua));
    // Known to the server, and not known to it any more.
    for (const last of ['third', 'fourth']) {
      assert.deepEqual(await script(redis.client, [], [last]), ['first', 'second', last]);
      await redis.client.script('FLUSH');
    }
  });

  it('that includes a file which is not there cannot be loaded', () => {
    assert.throws(() => loadScript(file('lost.lua', '-- include away.lua\nreturn 1\n')), /away\.lua/);
  });
});
