-- include now.lua
--
-- Lets a callback call its host, or tells when its turn is: never more than the limit in any rolling window, and the callers
-- whose callbacks wait take turns. Each that must wait gets a turn of its own, so that thousands do not all come back at
-- once: those of one caller one after the other, whatever others have. Two of different callers can have the same turn;
-- the one goes whose caller was served less lately, and the other gets another turn behind those of its caller.
--
-- KEYS  1 calls   2 turns   3 callers, of this host (see store-keys.ts)
-- ARGV  1 callback   2 limit   3 window ms   4 ms to wait although it could go, or 0   5 whose callback it is, or ''
--
-- Returns  0 when it may call now; the call counts from now. Else ms until its turn, at least 1
-- Writes   the call, or the turn, and of the caller: last: its last turn, next: when one of its callbacks is expected,
--          called: when it was served. All expire by themselves once this host is no longer called
local calls_key, turns_key, callers_key = KEYS[1], KEYS[2], KEYS[3]
local callback, limit, window, busy = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local caller = ARGV[5]
local interval = math.ceil(window / limit)

redis.call('ZREMRANGEBYSCORE', calls_key, '-inf', now - window)
-- A turn that was not used: its callback has nothing to deliver any more, or comes late and gets another.
redis.call('ZREMRANGEBYSCORE', turns_key, '-inf', now - window)

local function of(field)
  return tonumber(redis.call('HGET', callers_key, field .. ':' .. caller) or nil)
end

local function note(field, value)
  redis.call('HSET', callers_key, field .. ':' .. caller, value)
end

local function give_turn(at)
  redis.call('ZADD', turns_key, at, callback)
  note('last', math.max(at, of('last') or 0))
  local expected = of('next')
  if not expected or expected <= now or expected > at then
    note('next', at)
  end
  redis.call('PEXPIRE', turns_key, at - now + 2 * window)
  redis.call('PEXPIRE', callers_key, math.max(redis.call('PTTL', callers_key), at - now + 2 * window))
  return math.max(at - now, 1)
end

-- Whether a caller that was served less lately has a callback whose turn has come. One that does not come soon is not
-- waited for: its intake may have died, or it has nothing to tell any more.
local function is_others_turn()
  local patience = interval + 1000
  local served = of('called') or 0
  local fields = redis.call('HGETALL', callers_key)
  local values = {}
  for i = 1, #fields, 2 do
    values[fields[i]] = tonumber(fields[i + 1])
  end
  for field, at in pairs(values) do
    local other = string.match(field, '^next:(.*)$')
    if other and other ~= caller and at <= now and at > now - patience and (values['called:' .. other] or 0) < served then
      return true
    end
  end
  return false
end

local turn = tonumber(redis.call('ZSCORE', turns_key, callback) or nil)
if turn and turn > now then
  return math.ceil(turn - now)
end
local has_room = redis.call('ZCARD', calls_key) < limit
local is_next = turn or redis.call('ZCARD', turns_key) == 0
if has_room and is_next and not is_others_turn() then
  if busy > 0 then
    return give_turn(now + busy)
  end
  redis.call('ZREM', turns_key, callback)
  redis.call('ZADD', calls_key, now, callback .. ':' .. clock[1] .. ':' .. clock[2])
  redis.call('PEXPIRE', calls_key, window)
  note('called', now)
  -- Those that have turns behind this one come an interval apart.
  if (of('last') or 0) > now then
    note('next', now + interval)
  else
    redis.call('HDEL', callers_key, 'next:' .. caller)
  end
  redis.call('PEXPIRE', callers_key, math.max(redis.call('PTTL', callers_key), window))
  return 0
end

redis.call('ZREM', turns_key, callback)
local last = of('last')
local at = last and last >= now and last + interval or now
if not has_room then
  local oldest = redis.call('ZRANGE', calls_key, 0, 0, 'WITHSCORES')[2]
  at = math.max(at, tonumber(oldest) + window + 1)
end
return give_turn(at)
