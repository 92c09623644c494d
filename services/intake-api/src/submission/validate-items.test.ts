import assert from 'node:assert/strict';
import { itemRulesOf } from '@diq/contracts/investigation-item.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { sortItems } from './validate-items.ts';
import { item } from '../test-support/items.ts';

const rules = itemRulesOf(initiateInvestigation);

describe('validation of a large batch', () => {
  it('lets other work in between, so that no other request waits for it', async () => {
    const requests = Array.from({ length: 5_000 }, (_, number) => item(number));
    let turns = 0;
    let isDone = false;
    const takeTurns = () => {
      turns += 1;
      if (!isDone) setImmediate(takeTurns);
    };
    setImmediate(takeTurns);
    const entries = await sortItems({ requests }, Date.now(), rules, () => undefined);
    isDone = true;
    assert.equal(entries.length, 5_000);
    assert.ok(turns >= 10, `${turns} turns`);
  });
});
