-- What an attempt does with the Idempotency-Key that it has taken.
--
-- KEYS  1 idempotency record                        (see store-keys.ts)
-- ARGV  1 name of the attempt   2 renew | answer | release | forget
--       3 lease, ms (renew); ms for which the answer is kept (answer)   4 the answer (answer)
--
-- Returns  1; 0 when the record is gone or in the hands of another attempt, and nothing was changed. Only an answer is
--          kept all the same: the attempts of one key record the same and are answered alike.
local key, attempt, verb = KEYS[1], ARGV[1], ARGV[2]

local owner, answer = unpack(redis.call('HMGET', key, 'owner', 'answer'))
if verb == 'answer' then
  if answer or redis.call('EXISTS', key) == 0 then
    return 0
  end
  redis.call('HSET', key, 'answer', ARGV[4])
  redis.call('HDEL', key, 'owner', 'until')
  redis.call('PEXPIRE', key, ARGV[3])
  return 1
elseif owner ~= attempt then
  return 0
elseif verb == 'renew' then
  local clock = redis.call('TIME')
  redis.call('HSET', key, 'until', clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[3]))
elseif verb == 'release' then
  redis.call('HDEL', key, 'owner', 'until')
else
  redis.call('DEL', key)
end
return 1
