-- include lib/audit.lua, lib/stored-bytes.lua
--
-- Adds one entry to the audit log.
--
-- KEYS  1 audit   2 stored                           (see store-keys.ts)
-- ARGV  1 the entry as JSON   2 ms for which entries are kept   3 who acts, for whom it counts, or ''
--
-- Returns  nothing
stored_key = KEYS[2]
audit(KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then
  count_entry(ARGV[3], #ARGV[1], tonumber(ARGV[2]))
end
