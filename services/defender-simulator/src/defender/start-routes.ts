import { createCallRoutes, type Asked, type CallDeps, type MachineCall } from './call-routes.ts';
import type { LoggedCall } from './call-log.ts';
import { errorReply, odataReply } from './defender-reply.ts';
import type { Investigation, Investigations } from './investigations.ts';
import type { Quota } from './quota.ts';
import type { Reply } from '../reply.ts';

export interface StartDeps extends CallDeps {
  investigations: Investigations;
  quota: Quota;
}

/** Generation 1 as in the documentation of 2019, and its successor. */
const operations: Record<string, (origin: string, investigation: Investigation) => Reply> = {
  InitiateInvestigation: (origin, { id }) =>
    odataReply(200, `${origin}/api/$metadata#Edm.Int64`, { value: Number(id) }),
  startInvestigation: (origin, investigation) =>
    odataReply(201, `${origin}/api/$metadata#Investigations/$entity`, investigation),
};

/** The calls that start an investigation. Both draw on the one quota. */
export function createStartRoutes(deps: StartDeps) {
  const { limit, windowMs } = deps.settings;
  const calls = Object.entries(operations).map(([operation, success]): MachineCall => ({
    operation,
    role: 'Alert.ReadWrite.All',
    quotas: [{ limit, windowMs, quota: deps.quota }],
    fields: {},
    perform: (asked, call) => start(deps, asked, call, success),
  }));
  return createCallRoutes(deps, calls);
}

function start(
  { investigations, settings }: StartDeps,
  { machine, holder, origin, onRunning = settings.onRunning }: Asked,
  call: LoggedCall,
  success: (origin: string, investigation: Investigation) => Reply,
): Reply {
  const order = { machine, actor: holder.clientId };
  const running = onRunning === 'new' ? undefined : investigations.running(machine.id);
  if (running !== undefined && onRunning === 'refuse') {
    return errorReply(400, 'ActiveRequestAlreadyExists', 'Action is already in progress');
  }
  if (running !== undefined) investigations.join(order, running);
  const investigation = running ?? investigations.start(order);
  call.investigationId = investigation.id;
  return success(origin, investigation);
}
