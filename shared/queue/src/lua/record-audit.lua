-- include lib/audit.lua
--
-- Adds one entry to the audit log.
--
-- KEYS  1 audit                                      (see store-keys.ts)
-- ARGV  1 the entry as JSON   2 ms for which entries are kept
--
-- Returns  nothing
audit(KEYS[1], ARGV[1], ARGV[2])
