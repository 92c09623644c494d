-- include lib/judge-refusal.lua, lib/throttle-cause.lua
--
-- Records what became of a call that may have reached Defender, and from when its permit counts.
--
-- A permit is free again one window after the answer, because only then every arrival at Defender that belongs to it
-- is certainly a window old. Without an answer it counts from the moment at which the call must have been given up.
--
-- The outcome `throttled` shows that fewer calls fit than were thought to: for one window no more are made than fitted
-- this time, one at least. Not so where it turns out to be the machine's own.
--
-- KEYS  see ledger.lua
-- ARGV  8 call id   9 outcome   10 JSON of further facts on the call (investigation id, status, ...)
--       11 1 if another call may follow for its task
--       12 'good', 'unresolved', '' where the answer shows nothing of the path, or JSON of the rule for a refusal
--          (judge-refusal.lua)
--       13 JSON of the facts in place of 10 where a refusal turns out to be the request's own; then no call may follow
--       14 the quota that a 429 states (throttle-cause.lua)
--       15 … the call, if the caller made it (ledger.lua): where it is missing it is added first
--
-- Returns  {'recorded', counts from, free at, spent at, 1 if another call may follow, changes, verdict, cause}
--                                       also when an answer was recorded before. The verdict: own, aside or shared. The
--                                       cause of a 429: own, external or unclear; else ''
--          {'missing', now, 0, 0, 0, 0, 'shared', ''} the ledger does not know the call (it was emptied)
-- Writes   the outcome, once: the first one recorded stands.
local call_id, outcome, shows = ARGV[8], ARGV[9], ARGV[12]

if knows_generation() then
  add_missing(15)
end
local _, window = quota_in_force()
local entry = parse_entry(redis.call('HGET', entries, call_id))
if not entry then
  return { 'missing', now_up, 0, 0, 0, 0, 'shared', '' }
end
if entry.outcome ~= 'in_flight' then
  local counts_from = tonumber(redis.call('ZSCORE', calls, call_id) or '0')
  return { 'recorded', counts_from, counts_from + window, entry.spentAt, entry.mayRepeat and 1 or 0, 0,
    entry.verdict or 'shared', entry.cause or '' }
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
entry.facts = cjson.decode(is_own and ARGV[13] or ARGV[10])
if outcome == 'throttled' then
  entry.cause = throttle_cause(call_id, entry, counts_from, ARGV[14])
end
entry.mayRepeat = (ARGV[11] == '1' and not is_own) or nil
redis.call('ZADD', calls, as_text(counts_from), call_id)
redis.call('HSET', entries, call_id, cjson.encode(entry))
stand_for_task(call_id, entry)
if outcome == 'started' then
  note_proof(window)
end

if is_own then
  -- Others were spared meanwhile: it was not for want of quota that this one was throttled.
  if outcome == 'throttled' then
    redis.call('HDEL', estimate, 'limit', 'until')
  end
elseif outcome == 'throttled' then
  local fitted = #fitted_times(window)
  local fit = math.max(1, math.min(fitted, estimate_in_force() or fitted))
  redis.call('HSET', estimate, 'limit', fit, 'until', as_text(now_up + window))
end
return { 'recorded', counts_from, counts_from + window, entry.spentAt, entry.mayRepeat and 1 or 0, count_change(),
  entry.verdict or 'shared', entry.cause or '' }
