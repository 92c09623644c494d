-- Forgets callbacks that have a job now.
--
-- KEYS  1 moving                                    (see store-keys.ts)
-- ARGV  1 the time until which they were taken      then the entries
--
-- Returns  nothing
-- Writes   an entry that another intake has taken since stays: that intake ends it
local moving_key, taken_until = KEYS[1], tonumber(ARGV[1])

for i = 2, #ARGV do
  local present = redis.call('ZSCORE', moving_key, ARGV[i])
  if present and tonumber(present) == taken_until then
    redis.call('ZREM', moving_key, ARGV[i])
  end
end
