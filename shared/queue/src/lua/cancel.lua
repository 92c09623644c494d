-- include lib/detach.lua, lib/audit.lua
--
-- Cancels one request that is queued. Against the beginning of its call, the script that runs first wins.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 request id   4 the entry for the record   5 who acts, for whom it counts   6 ms for which entries are kept
--
-- Returns  {'cancelled_now', task id, 1 if the task ended with it: its job can go}
--          {present status or 'missing', '', 0}: nothing is written
local is_detached, found, has_ended = detach(ARGV[3], 'cancelled', {})
if not is_detached then
  return { found, '', 0 }
end
write_counts()
audit(space .. ':audit', ARGV[4], ARGV[6])
count_entry(ARGV[5], #ARGV[4], tonumber(ARGV[6]))
return { 'cancelled_now', found, has_ended and 1 or 0 }
