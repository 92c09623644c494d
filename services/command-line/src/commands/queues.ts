import type { QueueSummary } from '@diq/contracts/quota-document.ts';
import { defineCommand } from '../define-command.ts';
import { textTable } from '../output/text-table.ts';
import { writeAnswer } from '../output/write-answer.ts';

export const queues = defineCommand({
  usage: 'queues',
  about: 'list the queues that the key reaches, with what waits and what may be called',
  places: {},
  options: { tenant: { type: 'string', describe: 'only those of this tenant' } },
  async run(context, { tenant }) {
    const found: QueueSummary[] = [];
    const { service, operation, io } = context;
    for await (const queue of service.listQueues({ tenant, limit: 100 }, { signal: io.signal }))
      if (operation === undefined || queue.operation === operation) found.push(queue);
    const rows = found.map((queue) => [
      queue.tenant,
      queue.operation,
      queue.isReadable ? queue.queued : 'cannot be read',
      queue.dispatching,
      queue.limits
        ?.map(({ used, calls, windowSeconds }) => `${used}/${calls} in ${windowSeconds} s`)
        .join(', '),
      queue.nextSlotAt ?? undefined,
      queue.hold ?? undefined,
    ]);
    const head = ['tenant', 'operation', 'queued', 'being called', 'used', 'next slot', 'hold'];
    writeAnswer(context, found, () => textTable(head, rows));
    return found.every(({ isReadable }) => isReadable) ? 'done' : 'otherwise';
  },
});
