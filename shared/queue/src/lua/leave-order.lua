-- Takes out what stands first on a machine and has ended, for the one behind it. The last one stays: a request that asks
-- for the same meanwhile shares its place.
--
-- KEYS  1 order:<machine>
-- ARGV  1 '<place> <operation> <key>'
--
-- Returns  1, or 0 where it does not stand first, or nothing is behind it
local first, second = unpack(redis.call('ZRANGE', KEYS[1], 0, 1))
if first ~= ARGV[1] or not second then
  return 0
end
return redis.call('ZREM', KEYS[1], first)
