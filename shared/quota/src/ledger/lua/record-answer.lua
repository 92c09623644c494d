-- include lib/limits-in-force.lua, lib/judge-refusal.lua, lib/throttle-cause.lua
--
-- Records what became of a call that may have reached Defender, and from when its permit counts.
--
-- A permit is free again in each window one such window after the answer, because only then every arrival at Defender that
-- belongs to it is certainly a window old. Without an answer it counts from the moment at which the call must have been
-- given up.
--
-- The outcome `throttled` shows that fewer calls fit than were thought to: into the window that the 429 names, else into
-- the shortest one that is as long as the wait that it asks for. For one such window no more are made than fitted this
-- time, one at least. Not so where it turns out to be the machine's own.
--
-- KEYS  see ledger.lua
-- ARGV  7 call id   8 outcome   9 JSON of further facts on the call (investigation id, status, ...)
--       10 1 if another call may follow for its task
--       11 'good', 'unresolved', '' where the answer shows nothing of the path, or JSON of the rule for a refusal
--          (judge-refusal.lua)
--       12 JSON of the facts in place of 9 where a refusal turns out to be the request's own; then no call may follow
--       13 the quota that a 429 states (throttle-cause.lua)   14 for how long, in ms, a 429 asks to wait, '' if it does not
--       15 … the call, if the caller made it (ledger.lua): where it is missing it is added first
--
-- Returns  {'recorded', counts from, free at, spent at, 1 if another call may follow, changes, verdict, cause, window}
--                                       also when an answer was recorded before. Free at: in the longest window. The
--                                       verdict: own, aside or shared. The cause of a 429: own, external or unclear; else
--                                       ''. The window (ms) that a 429 is counted against; else 0
--          {'missing', now, 0, 0, 0, 0, 'shared', '', 0} the ledger does not know the call (it was emptied)
-- Writes   the outcome, once: the first one recorded stands. That a call was taken for lost is none: its maker knows better.
local call_id, outcome, shows = ARGV[7], ARGV[8], ARGV[11]

if knows_generation() then
  add_missing(15)
end
local limits, longest = quota_in_force()
add_estimates(limits)
local entry = parse_entry(redis.call('HGET', entries, call_id))
if not entry then
  return { 'missing', now_up, 0, 0, 0, 0, 'shared', '', 0 }
end
if is_answered(entry) or (entry.outcome == outcome) then
  local counts_from = tonumber(redis.call('ZSCORE', calls, call_id) or '0')
  return { 'recorded', counts_from, counts_from + longest, entry.spentAt, entry.mayRepeat and 1 or 0, 0,
    entry.verdict or 'shared', entry.cause or '', entry.throttledIn or 0 }
end

-- Rounded up, as `spent at` is: the call may have arrived within this very millisecond.
local counts_from = math.min(now_up, entry.spentAt + entry.callTimeoutMs)
entry.outcome = outcome
entry.answeredAt = now_up
if shows == 'good' then
  note_good(entry.taskId)
elseif shows == 'unresolved' then
  note_doubt(entry.taskId)
elseif shows ~= '' then
  entry.verdict = judge_refusal(entry.taskId, cjson.decode(shows))
end
local is_own = entry.verdict == 'own'
entry.facts = cjson.decode(is_own and ARGV[12] or ARGV[9])
local throttled
if outcome == 'throttled' then
  throttled = limit_for(limits, tonumber(string.match(ARGV[13], '/(%d+)$')) or tonumber(ARGV[14]) or 0)
  entry.cause = throttle_cause(call_id, entry, counts_from, throttled, ARGV[13], longest)
  entry.throttledIn = throttled.window
end
entry.mayRepeat = (ARGV[10] == '1' and not is_own) or nil
redis.call('ZADD', calls, as_text(counts_from), call_id)
redis.call('HSET', entries, call_id, cjson.encode(entry))
stand_for_task(call_id, entry)
if outcome == 'started' then
  for _, limit in ipairs(limits) do
    note_proof(limit.window)
  end
end

if is_own then
  -- Others were spared meanwhile: it was not for want of quota that this one was throttled.
  if throttled then
    forget_estimates()
  end
elseif throttled then
  local fitted = #fitted_times(throttled.window)
  local fit = math.max(1, math.min(fitted, throttled.fit or fitted))
  redis.call('HSET', estimate, as_text(throttled.window), fit .. '/' .. as_text(now_up + throttled.window))
end
return { 'recorded', counts_from, counts_from + longest, entry.spentAt, entry.mayRepeat and 1 or 0, count_change(),
  entry.verdict or 'shared', entry.cause or '', entry.throttledIn or 0 }
