import assert from 'node:assert/strict';
import { createBodyBudget } from './body-budget.ts';

const never = () => assert.fail('gave way');

describe('the budget of bodies', () => {
  it('refuses what passes the limit of the caller or of the process, and takes nothing for it', () => {
    const budget = createBodyBudget({ processBytes: 100, callerBytes: 70 });
    const [one, other] = [budget.open('one', never), budget.open('other', never)];
    one.arrived();
    assert.equal(one.take(60), true);
    assert.equal(budget.open('one', never).take(11), false);
    const second = budget.open('one', never);
    second.arrived();
    assert.equal(second.take(10), true);
    assert.equal(other.take(31), false);
    assert.equal(other.take(30), true);
  });

  it('gets all of it back with the end of the request, however often that is reported', () => {
    const budget = createBodyBudget({ processBytes: 100, callerBytes: 70 });
    const share = budget.open('one', never);
    share.take(40);
    share.take(30);
    share.arrived();
    share.release();
    share.release();
    const next = budget.open('one', never);
    next.arrived();
    assert.equal(next.take(70), true);
    assert.equal(budget.open('other', never).take(31), false);
  });

  describe('of which one caller has taken most', () => {
    const limits = { processBytes: 100, callerBytes: 90 };

    it('is given to others who take less, by the largest of its bodies that have not arrived', () => {
      const budget = createBodyBudget(limits);
      const gone: string[] = [];
      for (const bytes of [20, 40, 30])
        assert.equal(budget.open('most', () => gone.push(`${bytes}`)).take(bytes), true);
      assert.equal(budget.open('other', never).take(10), true);
      assert.deepEqual(gone, []);
      assert.equal(budget.open('other', never).take(30), true);
      assert.deepEqual(gone, ['40']);
      assert.equal(budget.open('third', never).take(10), true);
    });

    it('is kept by bodies that have arrived, and by a caller who has no more than the other would have', () => {
      const budget = createBodyBudget(limits);
      const whole = budget.open('most', never);
      whole.take(55);
      whole.arrived();
      budget.open('equal', never).take(40);
      assert.equal(budget.open('other', never).take(40), false);
      assert.equal(budget.open('other', never).take(5), true);
    });

    it('is given by an answer that is not read, and by none before', () => {
      const budget = createBodyBudget(limits);
      let ended = 0;
      const share = budget.open('most', never);
      share.take(90);
      share.arrived();
      share.answered(50);
      assert.equal(budget.open('other', never).take(40), true, 'the body is let go');
      share.unread(() => (ended += 1));
      assert.equal(budget.open('third', never).take(30), true);
      assert.equal(ended, 1);
    });

    it('counts nothing twice where a body gave way and its request is over', () => {
      const budget = createBodyBudget(limits);
      const share = budget.open('most', () => undefined);
      share.take(90);
      budget.open('other', never).take(20);
      share.release();
      assert.equal(budget.open('third', never).take(81), false);
      assert.equal(budget.open('third', never).take(80), true);
    });
  });
});
