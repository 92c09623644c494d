import assert from 'node:assert/strict';
import { createLifecycle } from './lifecycle.ts';
import { createLogger } from '../logging/logger.ts';

function setUp(deadlineMs = 5_000) {
  const lines: { msg: string; step?: string }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as { msg: string }) };
  const logger = createLogger({ level: 'info', service: 'test', destination });
  return { lifecycle: createLifecycle({ logger, deadlineMs }), lines };
}

describe('a lifecycle', () => {
  it('closes in reverse order of opening, one after the other', async () => {
    const { lifecycle } = setUp();
    const order: string[] = [];
    for (const name of ['redis', 'queue', 'http']) {
      lifecycle.onClose(name, async () => {
        order.push(`${name} begins`);
        await new Promise(setImmediate);
        order.push(`${name} ends`);
      });
    }
    assert.equal(await lifecycle.close('test'), 'clean');
    assert.deepEqual(
      order,
      ['http', 'queue', 'redis'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });

  it('logs a step that fails and closes the rest all the same', async () => {
    const { lifecycle, lines } = setUp();
    let redisClosed = false;
    lifecycle.onClose('redis', () => (redisClosed = true));
    lifecycle.onClose('queue', () => Promise.reject(new Error('stuck')));
    lifecycle.onClose('http', () => {
      throw new Error('at once');
    });
    assert.equal(await lifecycle.close('test'), 'clean');
    assert.ok(redisClosed);
    assert.deepEqual(
      lines.filter((line) => line.msg === 'could not close').map((line) => line.step),
      ['http', 'queue'],
    );
  });

  it('gives up at the deadline and names the step that hangs', async () => {
    const { lifecycle, lines } = setUp(20);
    lifecycle.onClose('http', () => new Promise(() => undefined));
    assert.equal(await lifecycle.close('test'), 'timed_out');
    assert.equal(lines.at(-1)?.step, 'http');
  });

  it('closes once, however often it is asked, and signals before the first step', async () => {
    const { lifecycle } = setUp();
    let closings = 0;
    lifecycle.onClose('http', () => {
      closings += 1;
      assert.ok(lifecycle.closing.aborted);
    });
    let fromListener: unknown;
    lifecycle.closing.addEventListener('abort', () => {
      fromListener = lifecycle.close('from the listener');
    });
    const first = lifecycle.close('first');
    assert.equal(lifecycle.close('second'), first);
    assert.equal(fromListener, first);
    await first;
    assert.equal(closings, 1);
  });

  it('closes also what is opened while or after it closes', async () => {
    const { lifecycle } = setUp();
    const closed: string[] = [];
    lifecycle.onClose('first', () => lifecycle.onClose('meanwhile', () => closed.push('meanwhile')));
    await lifecycle.close('test');
    lifecycle.onClose('afterwards', () => closed.push('afterwards'));
    assert.deepEqual(closed, ['meanwhile', 'afterwards']);
  });
});
