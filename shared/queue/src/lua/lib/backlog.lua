-- include now.lua
--
-- How much waits, for the scripts that hold a POST against the bounds of the backlog.
--
-- KEYS of the scripts are passed on, see store-keys.ts. A reservation is <caller>\0<name>:<bytes>:<requests>.
--
-- Returns  requests queued, tasks waiting, requests queued of the caller; all with the room that is kept for POSTs
--          which are being recorded; and the bytes of the caller's that room is kept for
local function backlog_now(counts_key, waiting_key, callers_key, reservations_key, caller)
  local reserved, of_caller, bytes_of_caller, prefix = 0, 0, 0, caller .. '\0'
  for _, member in ipairs(redis.call('ZRANGE', reservations_key, '(' .. now, '+inf', 'BYSCORE')) do
    local size = tonumber(string.match(member, ':(%d+)$'))
    reserved = reserved + size
    if string.sub(member, 1, #prefix) == prefix then
      of_caller = of_caller + size
      bytes_of_caller = bytes_of_caller + (tonumber(string.match(member, ':(%d+):%d+$')) or 0)
    end
  end
  return (tonumber(redis.call('HGET', counts_key, 'queued')) or 0) + reserved,
    redis.call('ZCARD', waiting_key) + reserved,
    (tonumber(redis.call('HGET', callers_key, caller)) or 0) + of_caller,
    bytes_of_caller
end

-- Whether so many requests fit; the second and third bound are nil where there is none.
local function fits_backlog(size, requests, tasks, of_caller, most_requests, most_tasks, most_of_caller)
  return requests + size <= most_requests
    and (not most_tasks or tasks + size <= most_tasks)
    and (not most_of_caller or of_caller + size <= most_of_caller)
end
