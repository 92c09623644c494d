-- include lib/detach.lua, lib/audit.lua
--
-- Cancels those of some hundred requests that are queued. The audit log gets its entry with the first of them, and none
-- where none is queued; what was done in all chunks is recorded by the caller at the end.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 the entry for the record, '' once an earlier chunk has left it   4 ms for which entries are kept
--       5 who acts   6 the bytes that count for it: those of the entry and of the one at the end   7 … request ids
--
-- Returns  {{ids of the cancelled}, {tasks that ended with them: their jobs can go}, {ids of those in task}}
local cancelled, ended, dispatching = {}, {}, {}
local entry = ARGV[3]
for i = 7, #ARGV do
  local is_detached, found, has_ended = detach(ARGV[i], 'cancelled', {})
  if is_detached then
    cancelled[#cancelled + 1] = ARGV[i]
    if entry ~= '' then
      audit(space .. ':audit', entry, ARGV[4])
      count_entry(ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[4]))
      entry = ''
    end
  elseif found == 'dispatching' then
    dispatching[#dispatching + 1] = ARGV[i]
  end
  if has_ended then
    ended[#ended + 1] = found
  end
end
write_counts()
return { cancelled, ended, dispatching }
