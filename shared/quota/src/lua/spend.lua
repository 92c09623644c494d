-- Spends one permit, or says why not. The interlock: whatever the scheduler in front of it believes, no call is made
-- that this script has not granted. Everything is decided in one step on this server's clock.
--
-- KEYS  see ledger.lua
-- ARGV  5 call id   6 dispatch id   7 machine id   8 history windows   9 … calls that the caller made (ledger.lua)
--
-- Returns  {'granted', spent at, used after, free since, limit}   free since: when the slot taken had opened, 0 if never used
--          {'lost', now}                              this is not the ledger that the caller knows: it was emptied
--          {'spent', call id, now}                    another call for this dispatch is under way: never a second one
--          {'held', until, now, reason}
--          {'full', next slot, now, by}               by: 'quota' that the caller itself keeps; 'stricter' than that, by the
--                                                     settings of others or during foreign use
-- Writes   calls of the caller's that are missing; an intent whose call is gone or cannot be read is taken out. All else
--          only when granting: the permit and the send-intent in one.
--          Asked again with the same call id it grants the same permit again, because a client may send a script twice.
local call_id, dispatch_id, machine_id, history = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])

if not knows_epoch() then
  return { 'lost', now }
end
add_missing(9)
local limit, window = quota_in_force()
local since = as_text(now - window)
local used = redis.call('ZCOUNT', calls, '(' .. since, '+inf')

local under_way = redis.call('HGET', intents, dispatch_id)
local entry = under_way and parse_entry(redis.call('HGET', entries, under_way))
if under_way and not entry then
  -- Nobody can tell when that call was made, so nothing would ever end it: the dispatch could never be called again.
  redis.call('HDEL', intents, dispatch_id)
  under_way = false
end
if under_way == call_id then
  return { 'granted', entry.spentAt, used, 0, limit }
end
if under_way then
  return { 'spent', under_way, now }
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
if #old > 0 then
  redis.call('ZREM', calls, unpack(old))
  redis.call('HDEL', entries, unpack(old))
end

local timeout = tonumber(ARGV[4])
redis.call('ZADD', calls, as_text(now_up + timeout), call_id)
redis.call('HSET', entries, call_id, cjson.encode({
  callId = call_id, dispatchId = dispatch_id, machineId = machine_id, spentAt = now_up, callTimeoutMs = timeout,
  outcome = 'under-way', used = used + 1, limit = limit,
}))
redis.call('HSET', intents, dispatch_id, call_id)
tell_quota()
return { 'granted', now_up, used + 1, free_since, limit }
