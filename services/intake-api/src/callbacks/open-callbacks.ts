import type { Registry } from 'prom-client';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { closeRedis, openBlockingConnection, type RedisConnection } from '@diq/redis/connection.ts';
import type { IntakeSettings } from '../config/config.ts';
import { createAttemptSlots } from './attempt-slots.ts';
import { createCallbackMetrics } from './callback-metrics.ts';
import { startCallbackMover } from './callback-mover.ts';
import { createCallbackQueue } from './callback-queue.ts';
import { createCallbackRule, type CallbackRule } from './callback-rule.ts';
import { createCallbackStore, type CallbackSource } from './callback-store.ts';
import { startCallbackWorker } from './callback-worker.ts';
import { createDeliverCallback } from './deliver-callback.ts';
import { isMetadataAddress, isPublicAddress } from './allowed-addresses.ts';
import { createPostCallback, type PostCallbackOptions } from './post-callback.ts';
import { standardSchedule } from './retry-schedule.ts';
import { createSignCallback } from './sign-callback.ts';

export interface OpenCallbacksOptions {
  settings: Pick<IntakeSettings, 'callbacks' | 'redisAddress'>;
  /** Of the jobs of all queues, and of how often a host was called. */
  keySpace: string;
  /** The queues in which callbacks may be due. */
  sources: () => readonly CallbackSource[];
  /** The queue of a request or a batch; `undefined` where it is not known here. */
  sourceOf: (id: string) => CallbackSource | undefined;
  /** Fails fast; for all but BullMQ's worker. */
  redis: RedisConnection;
  registry: Registry;
  logger: Logger;
  lifecycle: Pick<Lifecycle, 'onClose'>;
  timing?: Partial<CallbackTiming> | undefined;
  /** How names are resolved, whom TLS trusts, and by which way it goes, instead of the system's ways. */
  connection?: Pick<PostCallbackOptions, 'resolve' | 'ca' | 'proxy'> | undefined;
}

const standardTiming = {
  schedule: standardSchedule,
  /** Within which `maxPerMinute` holds. */
  rateWindowMs: 60_000,
  timeoutMs: 10_000,
  moveIntervalMs: 1_000,
  takenForMs: 30_000,
  lockMs: 30_000,
  closeGraceMs: 3_000,
  busyMs: 1_000,
};

/** What tests shorten, in ms. */
export type CallbackTiming = typeof standardTiming;

/** Attempts of one process at the same time, at one host, at hosts that do not answer, and on behalf of one caller. */
const concurrency = 20;
const maxPerHost = 5;
const maxAtSilent = 10;
const maxPerCaller = 10;

/**
 * Opens the delivery of callbacks, if they are set up: due → job → attempt. Says how each part closes, and returns which
 * URLs may be called.
 */
export function openCallbacks(options: OpenCallbacksOptions): CallbackRule {
  const { settings, keySpace, redis, sources, sourceOf, registry, logger, lifecycle } = options;
  const metrics = createCallbackMetrics(registry);
  const rule = createCallbackRule(settings.callbacks);
  if (!settings.callbacks) return rule;

  const timing = { ...standardTiming, ...options.timing };
  const rate = { limit: settings.callbacks.maxPerMinute, windowMs: timing.rateWindowMs };
  const store = createCallbackStore({ redis, keySpace, sourceOf, rate });
  const deliver = createDeliverCallback({
    store,
    rule,
    sign: createSignCallback(settings.callbacks),
    post: createPostCallback({
      ...options.connection,
      isAllowedAddress: settings.callbacks.allowPrivate
        ? (address) => !isMetadataAddress(address)
        : isPublicAddress,
      timeoutMs: timing.timeoutMs,
    }),
    schedule: timing.schedule,
    metrics,
    logger,
    takeSlot: createAttemptSlots({ maxPerHost, maxAtSilent, maxPerCaller }),
    busyMs: timing.busyMs,
  });
  const onError = (error: Error) => logger.debug({ err: error }, 'callback queue error');
  const name = 'diq-intake-callbacks';
  const blocking = openBlockingConnection({ address: settings.redisAddress, name, logger });
  lifecycle.onClose('callback connection', () => closeRedis(blocking));
  const stopWorker = startCallbackWorker({
    redis: blocking,
    keySpace,
    deliver,
    concurrency,
    lockMs: timing.lockMs,
    closeGraceMs: timing.closeGraceMs,
    onError,
    logger,
  });
  lifecycle.onClose('callback worker', stopWorker);
  const queue = createCallbackQueue(redis, keySpace, onError);
  lifecycle.onClose('callback queue', () => queue.close());
  const stopMover = startCallbackMover({
    sources,
    store,
    queue,
    metrics,
    intervalMs: timing.moveIntervalMs,
    takenForMs: timing.takenForMs,
    onFailure: (error) => logger.warn({ err: error }, 'callbacks that are due cannot be moved'),
  });
  lifecycle.onClose('callback mover', stopMover);
  return rule;
}
