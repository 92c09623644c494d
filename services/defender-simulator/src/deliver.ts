import type { Request, Response } from 'express';
import { retiredReply, unusableReply } from './defender/absent-endpoint.ts';
import type { ArrivalStatus } from './arrival-log.ts';
import type { Connections } from './connections.ts';
import { withContradictions, withoutLatest } from './false-rows.ts';
import type { FaultAction } from './fault-plan.ts';
import type { Holds } from './holds.ts';
import { sendReply, type Reply } from './reply.ts';

/** How an endpoint answers one request. */
export interface Answer {
  /** Does what the request asks and gives the proper reply. Called at most once. */
  perform(): Reply;
  /** The endpoint's usual reply of this status, for a scripted one without a body. */
  failure(status: number): Reply;
  /** Called as soon as the end is decided, before any waiting. */
  decided(status: Exclude<ArrivalStatus, 'pending'>): void;
}

/** Answers a request, properly (`action` undefined) or as the scripted fault says. */
export type Deliver = (
  req: Request,
  res: Response,
  action: FaultAction | undefined,
  answer: Answer,
) => Promise<void>;

type ActionOf<Kind extends FaultAction['kind']> = Extract<FaultAction, { kind: Kind }>;

export function createDeliver(connections: Connections, holds: Holds): Deliver {
  const delayed = async (req: Request, res: Response, { ms }: ActionOf<'delay'>, answer: Answer) => {
    const reply = answer.perform();
    answer.decided(reply.status);
    if ((await holds.hold(res, ms)) !== 'gone') sendReply(req, res, reply);
  };

  const hanging = async (res: Response, { made }: ActionOf<'hang'>, answer: Answer) => {
    if (made) answer.perform();
    answer.decided('hang');
    if ((await holds.hold(res)) === 'released') res.destroy();
  };

  return async (req, res, action, answer) => {
    switch (action?.kind) {
      case undefined:
      case 'token-refused': // the token endpoint has already made it its answer
      case 'on-running': // the call has already made it its rule
        return proper(req, res, answer);
      case 'delay':
        return delayed(req, res, action, answer);
      case 'hang':
        return hanging(res, action, answer);
      case 'status': {
        if (action.made) answer.perform();
        answer.decided(action.status);
        return sendReply(req, res, scriptedReply(action, answer));
      }
      case 'reset': {
        if (action.when === 'after') answer.perform();
        answer.decided('reset');
        return connections.reset(res);
      }
      case 'retired':
      case 'unusable': {
        const reply = action.kind === 'retired' ? retiredReply(action.form) : unusableReply(action.form);
        answer.decided(reply.status);
        return sendReply(req, res, reply);
      }
      case 'broken-body': {
        const reply = answer.perform();
        answer.decided(reply.status);
        return sendBroken(req, res, reply, action.form);
      }
      case 'late':
      case 'contradictory': {
        const reply = answer.perform();
        const shown =
          action.kind === 'contradictory'
            ? withContradictions(reply, action.form)
            : (withoutLatest(reply, action.ms) ?? answer.failure(404));
        answer.decided(shown.status);
        return sendReply(req, res, shown);
      }
    }
  };
}

function proper(req: Request, res: Response, answer: Answer): void {
  const reply = answer.perform();
  answer.decided(reply.status);
  sendReply(req, res, reply);
}

function scriptedReply({ status, body, headers, retryAfter }: ActionOf<'status'>, answer: Answer): Reply {
  const usual = answer.failure(status);
  const waiting =
    retryAfter === undefined || retryAfter === null ? {} : { 'Retry-After': String(retryAfter) };
  return {
    status,
    headers: { ...usual.headers, ...waiting, ...headers },
    body: body === undefined ? usual.body : typeof body === 'string' ? body : JSON.stringify(body),
  };
}

function sendBroken(req: Request, res: Response, reply: Reply, form: ActionOf<'broken-body'>['form']): void {
  if (form === 'not-json') {
    return sendReply(req, res, { ...reply, body: '<html><body>Service is warming up</body></html>' });
  }
  if (form === 'byte-order-mark') return sendReply(req, res, { ...reply, body: `\uFEFF${reply.body}` });
  if (form === 'odd-rows') return sendReply(req, res, { ...reply, body: withOddRows(reply.body) });
  if (form === 'no-value') return sendReply(req, res, { ...reply, body: withoutValue(reply.body) });
  const bytes = Buffer.from(reply.body);
  res.writeHead(reply.status, { ...reply.headers, 'Content-Length': String(bytes.length) });
  res.write(bytes.subarray(0, bytes.length / 2), () => res.destroy());
}

/** Takes away the one member that the reader came for. */
function withoutValue(body: string): string {
  const document = JSON.parse(body) as Record<string, unknown>;
  const wanted = new Set(['value', 'id', 'access_token']);
  return JSON.stringify(Object.fromEntries(Object.entries(document).filter(([name]) => !wanted.has(name))));
}

/** Rows in which something is missing or of another kind, before and behind those that are in order. */
const oddRows = [
  null,
  'odd',
  { id: null, title: 'Suspicious PowerShell', startTime: 'soon', alertCreationTime: null, machineId: 7 },
  { id: 'odd_1', title: 'Suspicious PowerShell', endTime: '', state: 'Benign', alertCreationTime: '' },
];

/** Puts odd rows into a list; any other body stays as it is. */
function withOddRows(body: string): string {
  const document = JSON.parse(body) as Record<string, unknown>;
  const { value } = document;
  return Array.isArray(value)
    ? JSON.stringify({ ...document, value: [...oddRows, ...value, ...oddRows] })
    : body;
}
