import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { allowedMoves } from '@diq/contracts/status.ts';
import { keySpace } from '@diq/queue/test-support/test-store.ts';
import { useTestStore } from '@diq/queue/test-support/use-test-store.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { lifeSteps } from './support/life-steps.ts';
import { keyPatterns, plainPattern, watchKeys } from './support/watch-keys.ts';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('shared/queue/README.md', root), 'utf8');
const filesIn = (room: string) =>
  readdirSync(new URL(room, root), { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`);

const steps = page
  .split(/^### /m)
  .slice(1)
  .map((step) => step.split(/^## /m)[0] ?? '')
  .map((step) => ({ name: /^\d+\. (.*)/.exec(step)?.[1] ?? '', text: step.replaceAll(/\s+/g, ' ') }));

const codeIn = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
/** Of a bold word until the next one. */
const partOf = (text: string, word: string) => text.split(`**${word}:**`)[1]?.split(' - **')[0] ?? '';
const keysIn = (text: string) => codeIn(text).map(plainPattern);
const everyEnd = keysIn(partOf(page.replaceAll(/\s+/g, ' '), 'Writes').split(' It sets')[0] ?? '');

const writesOf = (text: string) => {
  const part = partOf(text, 'Writes');
  return [...keysIn(part), ...(part.includes('what every end writes') ? everyEnd : [])].toSorted();
};
const looksAtOf = (text: string) => keysIn(partOf(text, 'Looks at')).toSorted();

describe('shared/queue/README.md', () => {
  const known = new Set(keyPatterns().map(plainPattern));

  it('numbers the steps, and says of each who does it, what moves, which keys, what is one step, what repairs it', () => {
    assert.deepEqual(
      [...page.matchAll(/^### (\d+)\. /gm)].map(([, number]) => Number(number)),
      lifeSteps.map((_, i) => i + 1),
    );
    const parts = ['Who', 'Moves', 'Looks at', 'Writes', 'One step', 'After a crash'];
    for (const { name, text } of steps) {
      for (const part of parts) assert.ok(partOf(text, part).length > 1, `${name}: ${part}`);
    }
  });

  it('names every key, and none that does not exist', () => {
    const named = new Set(
      [...codeIn(page.split('## Beside it')[1] ?? ''), ...steps.flatMap(({ text }) => codeIn(text))].map(
        plainPattern,
      ),
    );
    assert.deepEqual(
      [...known].filter((key) => !named.has(key)),
      [],
    );
    const beside = codeIn(page.split('## Beside it')[1] ?? '').filter((code) => !/\.lua$|^\//.test(code));
    const asKeys = [
      ...beside.map(plainPattern),
      ...steps.flatMap(({ text }) => [...looksAtOf(text), ...writesOf(text)]),
    ];
    assert.deepEqual(
      asKeys.filter((key) => !known.has(key)),
      [],
    );
  });

  it('names every Lua file of the queue, and only files that exist', () => {
    const files = ['services', 'shared', 'test'].flatMap(filesIn);
    const named = codeIn(page).filter((code) => /\.(?:lua|ts)$/.test(code));
    assert.ok(named.length > 30);
    assert.deepEqual(
      named.filter((name) => !files.some((file) => file.endsWith(`/${name}`) || file === name)),
      [],
    );
    const own = filesIn('shared/queue/src/lua').filter((file) => file.endsWith('.lua'));
    assert.deepEqual(
      own.filter((file) => !named.some((name) => file.endsWith(`/${name}`))),
      [],
    );
  });

  it('has a step for each status that a request gets', () => {
    const moves = steps.map(({ text }) => partOf(text, 'Moves')).join(' ');
    for (const status of Object.keys(allowedMoves)) assert.ok(moves.includes(`\`${status}\``), status);
  });

  it('can be read in a terminal: no line is longer than 140 characters', () => {
    assert.deepEqual(
      page.split('\n').filter((line) => line.length > 140),
      [],
    );
  });

  describe('on a real Redis', () => {
    const redis = useEmbeddedRedis();
    const store = useTestStore(redis);

    for (const [i, [name, run]] of lifeSteps.entries()) {
      it(`says of "${name}" which keys it looks at and which it writes, and of no other`, async () => {
        const step = steps[i];
        assert.equal(step?.name, name);
        const watch = await watchKeys(redis.url, keySpace);
        try {
          await run({ url: redis.url, store, step: (act) => watch.during(act) });
          const { reads, writes } = watch.touched();
          assert.deepEqual(
            { looksAt: reads.map(plainPattern).toSorted(), writes: writes.map(plainPattern).toSorted() },
            { looksAt: looksAtOf(step.text), writes: writesOf(step.text) },
          );
        } finally {
          watch.close();
        }
      });
    }
  });
});
