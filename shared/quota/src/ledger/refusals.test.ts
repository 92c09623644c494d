import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import type { RefusalRule, Verdict } from './ledger.ts';
import { call, keySpace, limitOf, started, useLedger } from '../test-support/use-ledger.ts';

const rule: RefusalRule = { sort: 'refused', count: 3, calls: 3, proof: 1, asideFrom: 1, asideFor: 1 };
const throttledRule: RefusalRule = {
  sort: 'throttled',
  count: 2,
  calls: 3,
  proof: 3,
  asideFrom: 2,
  asideFor: 3,
};

describe('ledger: whose fault a refusal is', () => {
  const suite = useLedger(useEmbeddedRedis());
  let calls = 0;
  beforeEach('leave slots free', () => suite.use({ limit: 1_000 }));

  async function answered(task: number, answer: Parameters<typeof suite.ledger.recordAnswer>[1]) {
    calls += 1;
    // What a 429 says of the quota is another matter.
    await suite.redis.del(ledgerKeys(keySpace).estimate);
    await suite.granted(call(calls, task));
    // Another call may follow: it is the same task again and again.
    return (await suite.ledger.recordAnswer(`call-${calls}`, { ...answer, mayRepeat: true }))?.verdict;
  }
  const good = (task: number) => answered(task, { ...started, shows: 'good' });
  const refused = (task: number, by = rule) =>
    answered(task, {
      outcome: by.sort,
      facts: { said: 'theirs' },
      factsIfOwn: { said: 'own' },
      shows: by,
    });

  /** `A` and other letters: that task is refused; `.` another one is answered well. @returns verdicts on A */
  async function play(story: string, by = rule): Promise<(Verdict | undefined)[]> {
    const verdicts: (Verdict | undefined)[] = [];
    for (const [i, step] of story.split('').entries()) {
      if (step === '.') await good(100 + i);
      else {
        const verdict = await refused(step.charCodeAt(0), by);
        if (step === 'A') verdicts.push(verdict);
      }
    }
    return verdicts;
  }

  it('is its own at the third, when others are answered well in between', async () => {
    assert.deepEqual(await play('A.A.A'), ['aside', 'aside', 'own']);
  });

  it('is its own at the third also where all others were done after the first', async () => {
    assert.deepEqual(await play('A...AA'), ['aside', 'aside', 'own']);
  });

  it('is its own for each of several that are refused while others are not', async () => {
    for (const story of ['AB.AB.A', 'BACD.BACD.A', 'ABC.CBA.A']) {
      assert.equal((await play(story)).at(-1), 'own', story);
      await suite.use({ limit: 1_000 });
    }
  });

  it('is shared while no call is answered well, however often it is met', async () => {
    for (const story of ['AAAAAAAA', 'ABABABABA', '...AAAAAA', '...ABCABCABCA']) {
      assert.ok(
        (await play(story)).every((verdict) => verdict === 'aside'),
        story,
      );
      await suite.use({ limit: 1_000 });
    }
  });

  it('is shared again in a second outage: refusals counted in between decide nothing', async () => {
    assert.deepEqual(await play('ABAB.ABABAB'), ['aside', 'aside', 'aside', 'aside', 'aside']);
  });

  it('that is its own leaves the path in no doubt, whatever holds it had set', async () => {
    await play('A..A');
    const { untilMs } = await suite.ledger.holdGrowing('not_allowed', { firstMs: 1, longestMs: 1 });
    await suite.untilPast(untilMs);
    assert.equal((await suite.ledger.snapshot()).isEndUnknown, true);
    assert.deepEqual(await play('A'), ['own']);
    assert.equal((await suite.ledger.snapshot()).isEndUnknown, undefined);
  });

  it('is returned with the facts that go with the verdict, also when asked again', async () => {
    await play('A.A.');
    calls += 1;
    await suite.granted(call(calls, 65));
    const answer = {
      outcome: 'refused',
      facts: { said: 'theirs' },
      factsIfOwn: { said: 'own' },
      shows: rule,
    };
    for (let time = 0; time < 3; time += 1) {
      assert.equal((await suite.ledger.recordAnswer(`call-${calls}`, answer))?.verdict, 'own');
    }
    assert.deepEqual((await suite.ledger.findCall(`call-${calls}`))?.facts, { said: 'own' });
  });

  it('sets it aside until as many others were answered well as the rule says', async () => {
    await refused(1, { ...rule, asideFor: 2 });
    assert.deepEqual(await suite.ledger.asideOver(), []);
    await good(2);
    assert.deepEqual([await suite.ledger.isAside('task-1'), await suite.ledger.asideOver()], [true, []]);
    await good(3);
    assert.deepEqual(await suite.ledger.asideOver(), ['task-1']);
    await suite.ledger.forgetAside(['task-1']);
    assert.equal(await suite.ledger.isAside('task-1'), false);
  });

  it('is forgotten once it is answered well itself', async () => {
    await play('A.A.');
    await good(65);
    assert.equal(await suite.ledger.wasRefused('task-65'), false);
    assert.equal(await suite.ledger.isAside('task-65'), false);
    assert.deepEqual(await play('A'), ['aside']);
  });

  describe('that is a 429', () => {
    it('is its own at the third when three others were answered well and none was throttled', async () => {
      assert.deepEqual(await play('AA...A', throttledRule), ['shared', 'aside', 'own']);
    });

    it('and its own says nothing of others who use the quota', async () => {
      await play('AA...', throttledRule);
      await suite.granted(call(9_999, 65));
      const answer = { outcome: 'throttled', facts: {}, shows: throttledRule };
      assert.equal((await suite.ledger.recordAnswer('call-9999', answer))?.verdict, 'own');
      const { limit, quotaLimit } = limitOf(await suite.ledger.snapshot());
      assert.equal(limit, quotaLimit);
    });

    it('leaves the request its place at first', async () => {
      await play('A', throttledRule);
      assert.equal(await suite.ledger.isAside('task-65'), false);
    });

    it('is shared while others are throttled too, though most are answered well', async () => {
      const verdicts = await play('A...A.B..A...B.A...A.B', throttledRule);
      assert.ok(!verdicts.includes('own'), verdicts.join());
    });

    it('is shared while too few others were answered well to decide', async () => {
      assert.deepEqual(await play('A.A.AA', throttledRule), ['shared', 'aside', 'aside', 'aside']);
    });
  });
});
