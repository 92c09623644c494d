-- Spends one permit, or says why not. The interlock: whatever the scheduler in front of it believes, no call is made
-- that this script has not granted. Everything is decided in one step on this server's clock.
--
-- KEYS  1 calls     sorted set: call id -> time (ms) at which its permit is free again
--       2 entries   hash: call id -> JSON of the call
--       3 intents   hash: dispatch id -> call id of the call that is under way for it
--       4 holds     hash: reason -> time (ms) until which nobody may call
-- ARGV  1 call id   2 dispatch id   3 machine id   4 limit   5 window ms   6 call timeout ms   7 history windows
--
-- Returns  {'granted', spent at, used after, free since}   free since: when the slot taken had opened, 0 if never used
--          {'spent', call id, now}                    another call for this dispatch is under way: never a second one
--          {'held', until, now, reason}
--          {'full', next slot, now}
-- Writes   only when granting: the permit and the send-intent in one. Asked again with the same call id it grants the
--          same permit again, because a client may send a script twice.
local calls, entries, intents, holds = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call_id, dispatch_id, machine_id = ARGV[1], ARGV[2], ARGV[3]
local limit, window, timeout, history = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

-- What is compared is rounded down and what is recorded is rounded up, so that rounding never shortens a window.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local spent_at = clock[1] * 1000 + math.ceil(clock[2] / 1000)

local under_way = redis.call('HGET', intents, dispatch_id)
if under_way == call_id then
  return { 'granted', cjson.decode(redis.call('HGET', entries, call_id)).spentAt, redis.call('ZCOUNT', calls, '(' .. now, '+inf'), 0 }
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

local used = redis.call('ZCOUNT', calls, '(' .. now, '+inf')
if used >= limit then
  local freed_first = redis.call('ZRANGEBYSCORE', calls, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', used - limit, 1)
  return { 'full', tonumber(freed_first[2]), now }
end

-- The slots that are free opened when the most recently freed permits came back; the one taken is the oldest of them.
local opened = redis.call('ZREVRANGEBYSCORE', calls, now, '-inf', 'WITHSCORES', 'LIMIT', limit - used - 1, 1)
local free_since = math.max(tonumber(opened[2] or '0'), last_hold_end)

local old = redis.call('ZRANGEBYSCORE', calls, '-inf', now - history * window, 'LIMIT', 0, 100)
if #old > 0 then
  redis.call('ZREM', calls, unpack(old))
  redis.call('HDEL', entries, unpack(old))
end

redis.call('ZADD', calls, spent_at + timeout + window, call_id)
redis.call('HSET', entries, call_id, cjson.encode({
  callId = call_id, dispatchId = dispatch_id, machineId = machine_id, spentAt = spent_at, callTimeoutMs = timeout, outcome = 'under-way',
}))
redis.call('HSET', intents, dispatch_id, call_id)
return { 'granted', spent_at, used + 1, free_since }
