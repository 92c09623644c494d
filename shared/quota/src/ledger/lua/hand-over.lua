-- include lib/ledger.lua
--
-- Adds what the caller remembers and the ledger may have lost. A worker does so before it opens a ledger that is not as
-- it knew it; whether that is the same ledger does not matter: each of these calls was made.
--
-- KEYS  see ledger.lua
-- ARGV  7 how many holds   8 … the holds, two arguments each: reason, until   then calls that the caller knows (ledger.lua)
--
-- Returns  {ids of the calls that were missing or whose outcome was}
-- Writes   missing calls and outcomes; holds that are missing or end sooner than the caller has seen.
local hold_count = tonumber(ARGV[7])
for i = 8, 7 + 2 * hold_count, 2 do
  local reason, ends = ARGV[i], tonumber(ARGV[i + 1])
  if ends > now and ends > tonumber(redis.call('HGET', holds, reason) or '0') then
    redis.call('HSET', holds, reason, as_text(ends))
  end
end
return add_missing(8 + 2 * hold_count)
