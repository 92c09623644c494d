import { granted } from '../defender/test-support/token-endpoint.ts';
import { openBench, type Bench } from './open-bench.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { openDefender, type Answer, type DefenderServer } from './defender.ts';
import { openEntra, type Entra } from './open-entra.ts';
import type { PermitFate, TestWorker } from './open-test-worker.ts';
import type { TestWorkerOptions } from './test-worker-parts.ts';

/** What each test of a suite finds: a key space of its own, and a Defender that starts everything. */
export interface SuiteBench {
  readonly bench: Bench;
  readonly defender: DefenderServer;
  readonly entra: Entra;
  openWorker(options?: Partial<TestWorkerOptions>): Promise<TestWorker>;
  /** One request, a new worker, one call that is answered like this. */
  serveOne(answer: Answer): Promise<ServedOne>;
}

export interface ServedOne {
  readonly worker: TestWorker;
  readonly permit: PermitFate;
  readonly taskId: string;
  readonly requestId: string;
  /** As it is after the call. */
  readonly request: RequestDocument;
}

/** Call inside a `describe`, on the Redis of its suite. Readable from its `beforeEach` hooks on. */
export function useBench(redis: { readonly url: string }): SuiteBench {
  let bench: Bench;
  let defender: DefenderServer;
  let entra: Entra;

  before('open Entra ID', async () => {
    entra = await openEntra();
  });
  beforeEach('open a key space and Defender', async () => {
    entra.endpoint.reply = (_form, count) => granted(`secret-token-${count}`);
    entra.endpoint.posts.length = 0;
    defender = await openDefender();
    bench = await openBench(redis.url);
  });
  afterEach('close workers and Defender', async () => {
    await bench.close();
    await defender.close();
  });
  after('close Entra ID', () => entra.close());

  const createTokens: TestWorkerOptions['createTokens'] = (onRequest) => entra.createProvider(onRequest);

  function openWorker(options: Partial<TestWorkerOptions> = {}): Promise<TestWorker> {
    return bench.openWorker({ defenderUrl: defender.url, createTokens, ...options });
  }

  return {
    get bench() {
      return bench;
    },
    get defender() {
      return defender;
    },
    get entra() {
      return entra;
    },
    openWorker,
    async serveOne(answer) {
      defender.answer = answer;
      const worker = await openWorker();
      const accepted = await bench.accept();
      const permit = await worker.serveNext();
      return { worker, permit, ...accepted, request: await bench.read(accepted.requestId) };
    },
  };
}
