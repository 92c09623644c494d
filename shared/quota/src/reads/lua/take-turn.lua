-- Takes the turn to read for a tenant, for one worker alone, or holds it for longer.
--
-- KEYS  1 turn   string: id of the turn that is on
-- ARGV  1 turn id   2 ms after which it ends by itself
--
-- Returns  1, or 0 while it is another one's
-- Writes   the turn, if it is this one's now
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
