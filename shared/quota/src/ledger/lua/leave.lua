-- Records that the caller was stopped in order: it is not alive any more. What it called counts as before, and a handover
-- waits for it as for any other: it may have made calls that are missing since.
--
-- KEYS  see ledger.lua
-- ARGV  see ledger.lua
--
-- Writes   the caller's sign of life.
if redis.call('HEXISTS', workers, ARGV[7]) == 1 then
  show_life(ARGV[5] .. '/left')
end
