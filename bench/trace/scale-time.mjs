// node --import ./shared/runtime/typescript.mjs --import './bench/trace/scale-time.mjs?constants=[…]' services/…/main.ts
//
// Replaces constants of the services while they are loaded (`scaled-time.ts`), so that a replay needs no setting in
// production. Later than typescript.mjs, so that it sees what that made.
import { register } from 'node:module';

register('./replace-constants.mjs', import.meta.url, {
  data: JSON.parse(new URL(import.meta.url).searchParams.get('constants') ?? '[]'),
});
