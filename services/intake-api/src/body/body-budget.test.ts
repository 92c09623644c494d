import assert from 'node:assert/strict';
import { createBodyBudget } from './body-budget.ts';

describe('the budget of bodies', () => {
  it('refuses what passes the limit of the caller or of the process, and takes nothing for it', () => {
    const budget = createBodyBudget({ processBytes: 100, callerBytes: 70 });
    const [one, other] = [budget.open('one'), budget.open('other')];
    assert.equal(one.take(60), true);
    assert.equal(budget.open('one').take(11), false);
    assert.equal(budget.open('one').take(10), true);
    assert.equal(other.take(31), false);
    assert.equal(other.take(30), true);
  });

  it('gets all of it back with the end of the request, however often that is told', () => {
    const budget = createBodyBudget({ processBytes: 100, callerBytes: 70 });
    const share = budget.open('one');
    share.take(40);
    share.take(30);
    share.release();
    share.release();
    assert.equal(budget.open('one').take(70), true);
    assert.equal(budget.open('other').take(31), false);
  });
});
