-- How much waits; it stands in front of the scripts that hold a POST against the bounds of the backlog.
--
-- Returns  requests queued, dispatches waiting; both with the room that is kept for POSTs which are being recorded
local function backlog_now(counts_key, waiting_key, reservations_key, now)
  local reserved = 0
  for _, member in ipairs(redis.call('ZRANGE', reservations_key, '(' .. now, '+inf', 'BYSCORE')) do
    reserved = reserved + tonumber(string.match(member, ':(%d+)$'))
  end
  return (tonumber(redis.call('HGET', counts_key, 'queued')) or 0) + reserved,
    redis.call('ZCARD', waiting_key) + reserved
end

-- Whether so many requests fit; the second bound is nil where there is none.
local function fits_backlog(size, requests, dispatches, most_requests, most_dispatches)
  return requests + size <= most_requests
    and (not most_dispatches or dispatches + size <= most_dispatches)
end
