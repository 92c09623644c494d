import { Pipeline } from 'ioredis';
import type { RedisConnection } from './connection.ts';

/**
 * A pipeline of commands that Redis itself knows. That of ioredis is given every script that was ever defined on its connection:
 * with BullMQ's and Bottleneck's a hundred properties each time, which took more time and memory than the commands.
 */
export function plainPipeline(
  redis: Pick<RedisConnection, 'pipeline'>,
): ReturnType<RedisConnection['pipeline']> {
  const withoutScripts = Object.create(redis, {
    scriptsSet: { value: {} },
    addedBuiltinSet: { value: new Set() },
  }) as ConstructorParameters<typeof Pipeline>[0];
  const pipeline = new Pipeline(withoutScripts);
  // What is sent belongs to the connection itself.
  Object.assign(pipeline, { redis });
  return pipeline;
}
