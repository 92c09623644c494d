// Preloaded into one process (NODE_OPTIONS=--import=…/clock-shift.mjs?shiftMs=…): its wall clock is wrong by so much.
const shiftMs = Number(new URL(import.meta.url).searchParams.get('shiftMs'));
const realNow = Date.now.bind(Date);
const shiftedNow = () => realNow() + shiftMs;

Date.now = shiftedNow;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [shiftedNow()] : args, newTarget),
  apply: (target) => new target(shiftedNow()).toString(),
});
