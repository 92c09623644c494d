import { z } from 'zod';
import type { Task, TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

/** The error of a request that this version of the worker does not understand. */
export const unreadable: RequestError = {
  code: 'payload_unreadable',
  message: 'The queue holds this request in a form that this version of the worker does not understand.',
};

/** A task by its id; `unreadable` for what is corrupt or another version's, `undefined` for what is gone. */
export async function readTask(
  id: string,
  tasks: Pick<TaskStore, 'find'>,
): Promise<Task | 'unreadable' | undefined> {
  try {
    return await tasks.find(id);
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return 'unreadable';
    throw error;
  }
}

/**
 * Ends a task in flight that no worker can finish, because it cannot be read or is gone. Its requests become `unknown`:
 * the call may have been made. Otherwise every later request for its machine would join it.
 *
 * @returns false when it has ended already
 */
export async function endUnreadable(
  id: string,
  { tasks, logger }: { tasks: TaskStore; logger: Pick<Logger, 'error'> },
): Promise<boolean> {
  const callId = (await tasks.callOf(id)) ?? '';
  const settlement = { status: 'unknown', error: unreadable, attempts: 1 } as const;
  const { moved } = await tasks.settle(id, callId, settlement);
  if (moved) logger.error({ taskId: id, callId }, 'task in flight unreadable, its requests are unknown');
  return moved;
}
