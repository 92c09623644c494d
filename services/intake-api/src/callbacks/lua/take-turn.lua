-- Lets a callback call its host, or tells when its turn is: never more than the limit in any rolling window, and first
-- come first served where there is a queue. Each that must wait gets a turn of its own, so that thousands do not all
-- come back at once.
--
-- KEYS  1 calls   2 turns, of this host             (see store-keys.ts)
-- ARGV  1 callback   2 limit   3 window ms   4 ms to wait although it could go, or 0
--
-- Returns  0 when it may call now; the call counts from now. Else ms until its turn, at least 1
-- Writes   the call, or the turn. Both go away by themselves when nobody calls this host any more
local calls_key, turns_key = KEYS[1], KEYS[2]
local callback, limit, window, busy = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', calls_key, '-inf', now - window)
-- A turn that nobody took: its callback has nothing to tell any more, or comes late and gets another.
redis.call('ZREMRANGEBYSCORE', turns_key, '-inf', now - window)

local function give_turn(at)
  redis.call('ZADD', turns_key, at, callback)
  redis.call('PEXPIRE', turns_key, at - now + 2 * window)
  return math.max(at - now, 1)
end

local turn = tonumber(redis.call('ZSCORE', turns_key, callback) or nil)
if turn and turn > now then
  return math.ceil(turn - now)
end
local has_room = redis.call('ZCARD', calls_key) < limit
local is_next = turn or redis.call('ZCARD', turns_key) == 0
if has_room and is_next then
  if busy > 0 then
    return give_turn(now + busy)
  end
  redis.call('ZREM', turns_key, callback)
  redis.call('ZADD', calls_key, now, callback .. ':' .. clock[1] .. ':' .. clock[2])
  redis.call('PEXPIRE', calls_key, window)
  return 0
end

redis.call('ZREM', turns_key, callback)
local at = now
local last = redis.call('ZREVRANGE', turns_key, 0, 0, 'WITHSCORES')[2]
if last then
  at = math.max(at, tonumber(last))
end
at = at + math.ceil(window / limit)
if not has_room then
  local oldest = redis.call('ZRANGE', calls_key, 0, 0, 'WITHSCORES')[2]
  at = math.max(at, tonumber(oldest) + window + 1)
end
return give_turn(at)
