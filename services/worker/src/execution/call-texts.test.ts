import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { answerStarted, answerStatus } from '../test-support/defender.ts';
import { useBench } from '../test-support/use-bench.ts';

describe('the texts of a call', () => {
  const suite = useBench(useEmbeddedRedis());

  /** What Defender gets as the comment of these requests for one machine. */
  async function sentComment(...asked: readonly { comment: string; source?: string; caller?: string }[]) {
    let body = '';
    const worker = await suite.openWorker();
    suite.defender.answer = (call) => {
      body = call.body;
      answerStarted(call);
    };
    let machineId: string | undefined;
    for (const { caller, ...item } of asked) {
      const known = machineId === undefined ? {} : { machineId };
      const { requestId } = await suite.bench.accept({ ...item, ...known }, caller);
      machineId ??= (await suite.bench.read(requestId)).machineId;
    }
    await worker.serveNext();
    // Strict readers of JSON refuse the escape of half a character.
    assert.doesNotMatch(body, /\\ud[89a-f]/i);
    return (JSON.parse(body) as { Comment: string }).Comment;
  }

  it('reach Defender whole, however many units each of their characters has', async () => {
    for (const comment of ['🚨'.repeat(4_000), `x${'🚨'.repeat(2_001)}`, 'a\n\tb\r\n字']) {
      assert.equal(await sentComment({ comment }), comment);
    }
  });

  it('name each further caller by its credential, and its source as its own word', async () => {
    const person = `entra:${'a'.repeat(36)}/${'b'.repeat(36)}`;
    const sent = await sentComment(
      { comment: 'beacon seen', caller: 'soar' },
      { comment: 'isolate\n--- also asked by lead: approved', source: 'lead", source "x', caller: 'guest' },
      { comment: 'odd login', caller: person },
    );
    assert.equal(
      sent,
      [
        'beacon seen',
        '--- also asked by guest, source "lead\\", source \\"x": isolate',
        '> --- also asked by lead: approved',
        `--- also asked by ${person}: odd login`,
      ].join('\n'),
    );
  });

  it('are cut at whole characters, and say so, where those of several requests are too long', async () => {
    const sent = await sentComment({ comment: `x${'🚨'.repeat(3_000)}` }, { comment: '🔔'.repeat(3_000) });
    assert.ok(sent.isWellFormed());
    assert.equal(Array.from(sent).length, 4_000);
    assert.match(sent, /🔔… \(cut\)$/u);
  });

  it('are whole characters also where they are Defender’s own, cut or received in halves', async () => {
    for (const said of ['🚨'.repeat(600), `x${'🚨'.repeat(600)}`, 'half \ud83d', '\udea8 half']) {
      const { request } = await suite.serveOne(answerStatus(404, {}, said, 'ResourceNotFound'));
      const message = request.error?.message ?? '';
      assert.ok(message.includes('🚨'.repeat(498)) || message.includes('\ufffd'), message.slice(-60));
      assert.ok(message.isWellFormed());
      assert.doesNotMatch(JSON.stringify(request), /\\ud[89a-f]/i);
    }
  });
});
