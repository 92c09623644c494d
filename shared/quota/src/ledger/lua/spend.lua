-- include lib/ledger.lua
--
-- Spends one permit, or returns why not. The interlock: whatever the scheduler in front of it believes, no call is made
-- that this script has not granted. Everything is decided in one step on this server's clock.
--
-- KEYS  see ledger.lua
-- ARGV  8 call id   9 task id   10 machine id   11 history windows
--       12 ms from the begin of a handover in which nothing is granted
--       13 … calls that the caller made, two arguments each: id, time from which its window counts
--
-- Returns  {'granted', spent at, used after, free since, limit, changes}
--                                                     free since: when the slot taken had opened, 0 if never used
--          {'lost', now}                              this is not the ledger as the caller knows it: it was emptied, or
--                                                     runs on another Redis process, or is an older state of itself,
--                                                     or misses one of those calls that still counts
--          {'spent', JSON of the call, now, doubtful} another call stands for this task: never a second one.
--                                                     doubtful: 1 if it was spent before the last handover, so that what
--                                                     is known of it elsewhere in Redis may have been lost
--          {'held', until, now, reason}
--          {'probing', until, now}                    the path is in doubt, and another call tries it: one at a time
--          {'full', next slot, now, by}               by: 'quota' that the caller itself keeps; 'stricter' than that, by the
--                                                     settings of others or after a 429
-- Writes   an intent whose call is gone or cannot be read is taken out. All else only when granting: the permit and the
--          send-intent in one, and what is older than the history is dropped.
--          Asked again with the same call id it grants the same permit again, because a client may send a script twice.
local call_id, task_id, machine_id, history = ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11])

if not is_as_known() then
  return { 'lost', now }
end
local limit, window = quota_in_force()
for i = 13, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > now - window
    and not (redis.call('ZSCORE', calls, ARGV[i]) and parse_entry(redis.call('HGET', entries, ARGV[i]))) then
    return { 'lost', now }
  end
end
local since = as_text(now - window)
local used = redis.call('ZCOUNT', calls, '(' .. since, '+inf')

local standing = redis.call('HGET', intents, task_id)
local json = standing and redis.call('HGET', entries, standing)
local entry = json and parse_entry(json)
if standing and not entry then
  -- The time of that call is unknown, so nothing would ever end it: the task could never be called again.
  redis.call('HDEL', intents, task_id)
end
if entry and standing == call_id and entry.outcome == 'in_flight' then
  return { 'granted', entry.spentAt, used, 0, limit, 0 }
end
if entry then
  local complete_at = tonumber(redis.call('HGET', generation, 'handoverAt')) + tonumber(ARGV[12])
  return { 'spent', json, now, entry.spentAt <= complete_at and 1 or 0 }
end

local held_until, held_reason, last_hold_end = 0, '', 0
local all_holds = redis.call('HGETALL', holds)
for i = 1, #all_holds, 2 do
  local hold_until = tonumber(all_holds[i + 1])
  if hold_until > now and hold_until > held_until then
    held_until, held_reason = hold_until, all_holds[i]
  elseif hold_until <= now and hold_until > last_hold_end then
    last_hold_end = hold_until
  end
end
if held_until > 0 then
  return { 'held', held_until, now, held_reason }
end

if is_in_doubt() then
  local probed_until = in_flight_until()
  if probed_until > 0 then
    return { 'probing', probed_until, now }
  end
end

local next_slot = 0
if used >= limit then
  local freed_first = redis.call('ZRANGEBYSCORE', calls, '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', used - limit, 1)
  next_slot = tonumber(freed_first[2]) + window
end
local fit = estimate_in_force()
if fit then
  local fitted = fitted_times(window)
  if #fitted >= fit then
    next_slot = math.max(next_slot, fitted[#fitted - fit + 1] + window)
  end
end
if next_slot > 0 then
  local by_own = used >= limit and limit == tonumber(ARGV[2]) and window == tonumber(ARGV[3])
  return { 'full', next_slot, now, by_own and 'quota' or 'stricter' }
end

-- The slots that are free opened when the most recently freed permits came back; the one taken is the oldest of them.
local opened = redis.call('ZREVRANGEBYSCORE', calls, since, '-inf', 'WITHSCORES', 'LIMIT', limit - used - 1, 1)
local free_since = math.max(opened[2] and tonumber(opened[2]) + window or 0, last_hold_end)

local old = redis.call('ZRANGEBYSCORE', calls, '-inf', as_text(now - (history + 1) * window), 'LIMIT', 0, 100)
for _, old_id in ipairs(old) do
  local gone = parse_entry(redis.call('HGET', entries, old_id))
  if gone and redis.call('HGET', intents, gone.taskId) == old_id then
    redis.call('HDEL', intents, gone.taskId)
  end
end
if #old > 0 then
  redis.call('ZREM', calls, unpack(old))
  redis.call('HDEL', entries, unpack(old))
end

local timeout = tonumber(ARGV[4])
redis.call('ZADD', calls, as_text(now_up + timeout), call_id)
redis.call('HSET', entries, call_id, cjson.encode({
  callId = call_id, taskId = task_id, machineId = machine_id, spentAt = now_up, callTimeoutMs = timeout,
  outcome = 'in_flight', used = used + 1, limit = limit,
}))
redis.call('HSET', intents, task_id, call_id)
redis.call('HDEL', streaks, 'no_token')
declare_quota()
return { 'granted', now_up, used + 1, free_since, limit, count_change() }
