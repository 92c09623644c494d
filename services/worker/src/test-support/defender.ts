import type { Socket } from 'node:net';
import { httpAnswer, openScriptedServer } from '../defender/test-support/scripted-server.ts';

/** One call as it arrived. */
export interface ArrivedCall {
  readonly machineId: string;
  readonly token: string;
  /** Its body, as text. */
  readonly body: string;
  readonly socket: Socket;
}

export type Answer = (call: ArrivedCall) => void;

export interface DefenderServer {
  readonly url: string;
  /** Machines called, in order of arrival. */
  readonly calls: string[];
  /** What the next calls get. Starts an investigation by default. */
  answer: Answer;
  close(): Promise<void>;
}

/** Defender's part on a real socket: answers each call as the test says, and keeps what arrived. */
export async function openDefender(): Promise<DefenderServer> {
  const server = await openScriptedServer((socket, request) => {
    const machineId = /^POST \/api\/machines\/(\w+)\//.exec(request)?.[1] ?? '';
    const token = /^authorization: Bearer (.*)\r$/im.exec(request)?.[1] ?? '';
    defender.calls.push(machineId);
    const [, body = ''] = request.split('\r\n\r\n');
    defender.answer({ machineId, token, body: Buffer.from(body, 'latin1').toString('utf8'), socket });
  });
  const defender: DefenderServer = {
    url: server.url,
    calls: [],
    answer: answerStarted,
    close: () => server.close(),
  };
  return defender;
}

export const answerStarted: Answer = ({ socket }) => void socket.end(httpAnswer(200, '{"value":5146}'));

/** With Defender's error document. */
export function answerStatus(
  status: number,
  headers: Record<string, string> = {},
  message = 'no',
  code = 'SomeCode',
): Answer {
  const body = JSON.stringify({ error: { code, message, target: 'target-1' } });
  return ({ socket }) => void socket.end(httpAnswer(status, body, headers));
}

/** With a page, as gateways answer. */
export function answerPage(status: number): Answer {
  const page = `<html><h1>${status}</h1></html>`;
  return ({ socket }) => void socket.end(httpAnswer(status, page, { 'content-type': 'text/html' }));
}

/** Answers one call after the other, the last answer for all that follow. */
export function answerInTurn(...answers: Answer[]): Answer {
  let turn = 0;
  return (call) => answers[Math.min(turn++, answers.length - 1)]?.(call);
}
