import { Router, type RequestHandler } from 'express';
import type { ServiceDependencies } from '../dependencies.ts';
import type { BodyBudget } from '../http/body-budget.ts';
import type { ChooseQueue } from '../http/define-route.ts';
import { guardData } from '../http/middleware/guard-data.ts';
import { noStore } from '../http/middleware/problem-response.ts';
import { answerAsDefender, DefenderError } from './answer-as-defender.ts';
import { answerReads } from './answer-reads.ts';
import { identifyAsker } from './identify-asker.ts';
import type { FrontDoorParts } from './open-front-door.ts';
import { passThrough } from './pass-through.ts';
import { requireDoorPath } from './path-form.ts';
import { cancelAction, pollOne, pollSeveral } from './poll-operations.ts';
import { queuedOperation } from './queued-operation.ts';
import { resultLink } from './result-link.ts';
import { tokenEndpoint } from './token-endpoint.ts';

/** A tenant's name may stand in front; both prefixes of Defender's mean the same. */
const root = '/defender{/:tenant}';
const api = `${root}/api{/v1.0}`;

/**
 * `/defender/…` as Defender answers: connectors change only their hosts. Case does not matter here, since Defender's own
 * documentation and its connectors do not agree on it. Errors have Defender's form, those of the token endpoint Entra ID's.
 */
export function createFrontDoor(
  deps: ServiceDependencies,
  door: FrontDoorParts,
  { bodyBudget, choose }: { bodyBudget: BodyBudget; choose: ChooseQueue },
): Router {
  const { directory, failedCredentials, limitRate } = deps;
  const router = Router({ caseSensitive: false, strict: false });
  const { tokens, microsoft, settings } = door;
  const poll = { choose, directory };

  router.use('/defender', guardData, noStore, requireDoorPath);
  const token = tokenEndpoint({ tokens, failedCredentials, limitRate, directory });
  router.post(`${root}/:directory/oauth2{/v2.0}/token`, ...token);
  router.use(
    `${root}/api`,
    identifyAsker({ tokens, microsoft, failedCredentials, directory }),
    ...(limitRate ? [limitRate] : []),
  );
  router.post(`${api}/machines/:machine/:verb`, ...queuedOperation(choose, bodyBudget, door.askDefender));
  router.get(`${api}/investigations/:id`, pollOne('investigation', poll));
  router.get(`${api}/machineactions/:id`, pollOne('machineAction', poll));
  router.get(`${api}/machineactions`, pollSeveral(poll));
  router.get(`${api}/machineactions/:id/:what`, resultLink(poll));
  router.post(`${api}/machineactions/:id/cancel`, cancelAction(poll));
  router.all(`${root}/api/*path`, passThrough({ agent: door.agent, defenderUrlOf: settings.defenderUrlOf }));
  router.get(`${root}/api/*path`, answerReads(door.askDefender));
  router.use(`${root}/api`, notImplemented);
  router.use('/defender', nothingHere);
  router.use('/defender', answerAsDefender);
  return router;
}

const notImplemented: RequestHandler = () => {
  throw new DefenderError(501, 'NotImplemented', 'This service does not answer that for Defender.');
};

const nothingHere: RequestHandler = () => {
  throw new DefenderError(404, 'NotFound', 'No such path.');
};
