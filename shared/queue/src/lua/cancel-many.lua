-- Cancels those of some hundred requests that are queued. What it did is recorded by the caller, for all chunks at once.
--
-- Behind indexes.lua and detach.lua.
-- KEYS  see detach.lua
-- ARGV  3 … request ids
--
-- Returns  {{ids of the cancelled}, {tasks that ended with them: their jobs can go}, {ids of those in task}}
local cancelled, ended, dispatching = {}, {}, {}
for i = 3, #ARGV do
  local is_detached, found, has_ended = detach(ARGV[i], 'cancelled', {})
  if is_detached then
    cancelled[#cancelled + 1] = ARGV[i]
  elseif found == 'dispatching' then
    dispatching[#dispatching + 1] = ARGV[i]
  end
  if has_ended then
    ended[#ended + 1] = found
  end
end
write_counts()
return { cancelled, ended, dispatching }
