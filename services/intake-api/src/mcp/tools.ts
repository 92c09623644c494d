import type { z } from 'zod';
import type { DiqClient, TenantClient } from '@diq/client/client.ts';
import { nextCalls } from '@diq/contracts/queue-order.ts';
import { quotaDocument } from '@diq/contracts/quota-document.ts';
import type { Scope } from '../config/callers.ts';
import { inputs, outputs } from './tool-schemas.ts';

/** What a tool is called with, beside its input. */
export interface ToolCall {
  client: DiqClient;
  /** That of everything it submits. */
  source: string;
  signal: AbortSignal;
}

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** One of them is needed. */
  readonly scopes: readonly Scope[];
  readonly annotations: {
    readOnlyHint: boolean;
    destructiveHint: boolean;
    idempotentHint: boolean;
    openWorldHint: boolean;
  };
  readonly input: z.ZodObject;
  readonly output: z.ZodType;
  /** @throws DiqError */
  readonly call: (input: never, call: ToolCall) => Promise<object>;
}

function defineTool<Input extends z.ZodObject, Output extends z.ZodType<object>>(
  tool: Omit<Tool, 'input' | 'output' | 'call'> & {
    input: Input;
    output: Output;
    call: (input: z.input<Input>, call: ToolCall) => Promise<z.input<Output>>;
  },
): Tool {
  return tool as Tool;
}

const reads = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const submitting: readonly Scope[] = ['submit', 'respond', 'irreversible'];

/** The routes of the tenant that is meant. */
function of({ client }: ToolCall, { tenant }: { tenant?: string | undefined }): TenantClient {
  return tenant === undefined ? client : client.ofTenant(tenant);
}

/** In the order in which they are listed. */
export const tools: readonly Tool[] = [
  defineTool({
    name: 'get_quota',
    title: 'Quota and backlog',
    description: 'What may be called at this moment, what is used of it, and how much waits.',
    scopes: ['read'],
    annotations: reads,
    input: inputs.queue,
    output: quotaDocument,
    call: ({ tenant, operation }, call) => of(call, { tenant }).getQuota({ operation }, call),
  }),
  defineTool({
    name: 'dry_run',
    title: 'Foresee a submission',
    description:
      'What `submit` would answer, and when the calls would start. Records nothing. Ask it first, and show people what it says.',
    scopes: submitting,
    annotations: reads,
    input: inputs.dryRun,
    output: outputs.dryRun,
    async call(input, call) {
      return { foreseen: await of(call, input).dryRunBatch(batchOf(input, call), call) };
    },
  }),
  defineTool({
    name: 'submit',
    title: 'Ask for operations on machines',
    description:
      'Records one request for each machine; they are called one after the other as the quota allows, which can take hours. What an operation does to a machine cannot be taken back once it was called. Send an `idempotencyKey`.',
    scopes: submitting,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    input: inputs.submit,
    output: outputs.submit,
    async call({ idempotencyKey, ...input }, call) {
      const options = { signal: call.signal, ...(idempotencyKey !== undefined && { idempotencyKey }) };
      return { batch: await of(call, input).submitBatch(batchOf(input, call), options) };
    },
  }),
  defineTool({
    name: 'get_request',
    title: 'One request',
    description: 'What was asked and what became of it: status, place, expected start, result.',
    scopes: ['read'],
    annotations: reads,
    input: inputs.get,
    output: outputs.get,
    async call({ id, ...input }, call) {
      return { request: await of(call, input).getRequest(id, call) };
    },
  }),
  defineTool({
    name: 'list_requests',
    title: 'Requests, newest first',
    description:
      'A page of what fits all filters that are given. Go on with `nextCursor` until there is none.',
    scopes: ['read'],
    annotations: reads,
    input: inputs.list,
    output: outputs.list,
    async call({ tenant, ...filter }, call) {
      const { limit = 20 } = filter;
      const pages = of(call, { tenant })
        .listRequests({ ...filter, limit }, call)
        .pages();
      for await (const { value: requests, nextLink } of pages) {
        const nextCursor = nextLink && new URL(nextLink, 'http://intake').searchParams.get('cursor');
        return { requests, ...(nextCursor && { nextCursor }) };
      }
      return { requests: [] };
    },
  }),
  defineTool({
    name: 'cancel',
    title: 'Cancel a request',
    description:
      'Cancels a request that waits, of this credential; of others only with the scope `admin`. What was called already goes on.',
    scopes: submitting,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: inputs.cancel,
    output: outputs.cancel,
    async call({ id, reason, ...input }, call) {
      return { request: await of(call, input).cancelRequest(id, { reason }, call) };
    },
  }),
  defineTool({
    name: 'next_in_line',
    title: 'What goes next',
    description: 'The first calls in the order, and why each stands there.',
    scopes: ['read'],
    annotations: reads,
    input: inputs.next,
    output: nextCalls,
    call: ({ tenant, operation, limit = 20 }, call) =>
      of(call, { tenant }).listNext({ operation, limit }, call),
  }),
];

/** As the routes take it. Its items have no source of their own, see `tool-schemas.ts`. */
function batchOf(
  { requests, defaults, operation }: z.input<typeof inputs.dryRun>,
  { source }: Pick<ToolCall, 'source'>,
) {
  return { requests, defaults: { ...defaults, source }, ...(operation && { operation }) } as Parameters<
    TenantClient['submitBatch']
  >[0];
}
