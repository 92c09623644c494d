-- include lib/stored-bytes.lua
--
-- What an attempt does with the Idempotency-Key that it has taken.
--
-- KEYS  1 idempotency record   2 stored             (see store-keys.ts)
-- ARGV  1 name of the attempt   2 renew | answer | release | forget
--       3 lease, ms (renew); ms for which the answer is kept (answer)   4 the answer (answer)
--       5 who asks, or ''
--
-- Returns  1; 0 when the record is gone or in the hands of another attempt, and nothing was changed. Only an answer is
--          kept all the same: the attempts of one key record the same and are answered alike.
local key, attempt, verb, caller = KEYS[1], ARGV[1], ARGV[2], ARGV[5]
stored_key = KEYS[2]

local owner, answer = unpack(redis.call('HMGET', key, 'owner', 'answer'))
if verb == 'answer' then
  if answer or redis.call('EXISTS', key) == 0 then
    return 0
  end
  redis.call('HSET', key, 'answer', ARGV[4])
  redis.call('HDEL', key, 'owner', 'until')
  redis.call('PEXPIRE', key, ARGV[3])
  if counted(key) then
    -- Before it counts more: what it is kept under is taken back as it stands.
    stays(key, caller)
    count_bytes(key, caller, #ARGV[4])
    goes_in(key, caller, tonumber(ARGV[3]))
  end
  return 1
elseif owner ~= attempt then
  return 0
elseif verb == 'renew' then
  redis.call('HSET', key, 'until', now + tonumber(ARGV[3]))
elseif verb == 'release' then
  redis.call('HDEL', key, 'owner', 'until')
else
  uncount(key, caller)
  redis.call('DEL', key)
end
return 1
