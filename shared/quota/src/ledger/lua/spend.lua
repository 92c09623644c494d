-- include lib/limits-in-force.lua
--
-- Spends one permit, or returns why not. The interlock: whatever the scheduler in front of it believes, no call is made
-- that this script has not granted. Everything is decided in one step on this server's clock.
--
-- KEYS  see ledger.lua
-- ARGV  7 call id   8 task id   9 machine id   10 history windows
--       11 ms from the begin of a handover in which nothing is granted
--       12 … calls that the caller made, two arguments each: id, time from which its window counts
--
-- Returns  {'granted', spent at, used after, free since, limit, changes}
--                                                     used, limit: of the window with the fewest slots left.
--                                                     free since: when the slots taken had opened, 0 if never used
--          {'lost', now}                              this is not the ledger as the caller knows it: it was emptied, or
--                                                     runs on another Redis process, or is an older state of itself,
--                                                     or misses one of those calls that still counts
--          {'spent', JSON of the call, now, doubtful} another call stands for this task: never a second one.
--                                                     doubtful: 1 if it was spent before the last handover, so that what
--                                                     is known of it elsewhere in Redis may have been lost
--          {'held', until, now, reason}
--          {'probing', until, now}                    the path is in doubt, and another call tries it: one at a time
--          {'full', next slot, now, by}               one window at least is full, and none is any more at that time.
--                                                     by: 'quota' that the caller itself keeps; 'stricter' than that, by
--                                                     the settings of others or after a 429
-- Writes   an intent whose call is gone or cannot be read is taken out. All else only when granting: the permit and the
--          send-intent in one, and calls are dropped that are older than the history, or count no more and are too many.
--          Asked again with the same call id it grants the same permit again, because a client may send a script twice.
local call_id, task_id, machine_id, history = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])

if not is_as_known() then
  return { 'lost', now }
end
local limits, longest, timeout_in_force = quota_in_force()
for i = 12, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > now - longest
    and not (redis.call('ZSCORE', calls, ARGV[i]) and parse_entry(redis.call('HGET', entries, ARGV[i]))) then
    return { 'lost', now }
  end
end

-- The limit with the fewest slots left, and how many of them are in use.
local function scarcest()
  local found, used_of_found
  for _, limit in ipairs(limits) do
    local used = count_in_use(limit.window)
    if not found or limit.calls - used < found.calls - used_of_found then
      found, used_of_found = limit, used
    end
  end
  return found, used_of_found
end

local standing = redis.call('HGET', intents, task_id)
local json = standing and redis.call('HGET', entries, standing)
local entry = json and parse_entry(json)
if standing and not entry then
  -- The time of that call is unknown, so nothing would ever end it: the task could never be called again.
  redis.call('HDEL', intents, task_id)
end
if entry and standing == call_id and entry.outcome == 'in_flight' then
  local limit, used = scarcest()
  return { 'granted', entry.spentAt, used, 0, limit.calls, 0 }
end
if entry then
  local complete_at = tonumber(redis.call('HGET', generation, 'handoverAt')) + tonumber(ARGV[11])
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

local own = parse_quota(own_quota)
local function is_own(limit)
  for _, one in ipairs(own.limits) do
    if one.calls == limit.calls and one.window == limit.window then
      return true
    end
  end
  return false
end

-- Each limit has its slots in the order in which they opened, and the next call takes the one that opened first of those
-- that are free. It needs one of each limit.
local next_slot, full_by_own, free_since = 0, false, last_hold_end
for _, limit in ipairs(add_estimates(limits)) do
  local last = nth_newest(limit.calls)
  local opens = last and last + limit.window or 0
  if last and last > now - limit.window then
    next_slot = math.max(next_slot, opens)
    full_by_own = full_by_own or is_own(limit)
  end
  free_since = math.max(free_since, opens)
  if limit.fit then
    local _, fit_opens = use_of_fit(limit)
    next_slot = math.max(next_slot, fit_opens)
  end
end
if next_slot > 0 then
  return { 'full', next_slot, now, full_by_own and 'quota' or 'stricter' }
end

local old = redis.call('ZRANGEBYSCORE', calls, '-inf', as_text(now - (history + 1) * longest), 'LIMIT', 0, 100)
local too_many = redis.call('ZCARD', calls) - math.max(least_kept, limits[#limits].calls)
if #old == 0 and too_many > 0 then
  -- The 429 of a call in flight is judged by what was called within a window before it.
  local counted = as_text(now - longest - 2 * timeout_in_force)
  old = redis.call('ZRANGEBYSCORE', calls, '-inf', counted, 'LIMIT', 0, math.min(too_many, 100))
end
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

local timeout = own.timeout
redis.call('ZADD', calls, as_text(now_up + timeout), call_id)
local limit, used = scarcest()
redis.call('HSET', entries, call_id, cjson.encode({
  callId = call_id, taskId = task_id, machineId = machine_id, spentAt = now_up, callTimeoutMs = timeout,
  outcome = 'in_flight', used = used, limit = limit.calls,
}))
redis.call('HSET', intents, task_id, call_id)
redis.call('HDEL', streaks, 'no_token')
declare_quota()
return { 'granted', now_up, used, free_since, limit.calls, count_change() }
