-- include lib/stored-bytes.lua, lib/backlog.lua
--
-- Keeps room in the backlog for the requests of one POST while they are being recorded, or refuses it as a whole. What
-- several intakes take in at the same time is seen by all of them, so that together they do not pass the bound either.
-- Until its room is given back, what a POST has recorded so far counts twice: near the bound a POST may be refused that
-- would fit a moment later, and none is let in that does not fit. A POST of one request is recorded by the script that
-- finds the room, and keeps none; but where it gets a place in the order of its machine before it is recorded: what is refused
-- shall leave none there.
--
-- KEYS  1 counts   2 waiting   3 reservations   4 the batch or request that the POST records   5 queued by caller
--       6 stored   7 queued by source        (see store-keys.ts)
-- ARGV  1 requests of the POST   2 name of the reservation   3 ms after which its room is given up
--       4 most requests queued   5 most tasks waiting, or ''   6 most queued of one caller, or ''   7 the caller
--       8 bytes of the POST   9 most bytes stored of one caller, or ''
--       10 most queued of the caller's source, or ''   11 this source: all its POSTs have a reservation whose name begins with
--       'source.', and of a caller only one source is bounded
--
-- Returns  {'kept', 0, 0, 0}: there is room, or the POST was begun before and is to be completed
--          {'full', requests queued, tasks waiting, requests queued of the caller}: all with the room that is kept
--          {'source-full', requests queued of the source, with those that room is kept for, 0, 0}
--          {'storage-full', bytes stored of the caller, with those that room is kept for, 0, 0}
local counts_key, waiting_key, reservations_key, batch_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local size, name, give_up_after = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local most_requests, most_tasks, most_of_caller = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local caller, bytes, most_bytes = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local most_of_source, source = tonumber(ARGV[10]), ARGV[11]
stored_key = KEYS[6]

redis.call('ZREMRANGEBYSCORE', reservations_key, '-inf', now)
local requests, tasks, of_caller, reserved_bytes =
  backlog_now(counts_key, waiting_key, KEYS[5], reservations_key, caller)
local fits = fits_backlog(size, requests, tasks, of_caller, most_requests, most_tasks, most_of_caller)
local stored = most_bytes and stored_now(caller) + reserved_bytes or 0
local is_new = redis.call('EXISTS', batch_key) == 0
-- Other callers may name the source, too: it has no more than its caller has.
local function of_source_now()
  local prefix, reserved = caller .. '\0source.', 0
  for _, member in ipairs(redis.call('ZRANGE', reservations_key, 0, -1)) do
    if string.sub(member, 1, #prefix) == prefix then
      reserved = reserved + tonumber(string.match(member, ':(%d+)$'))
    end
  end
  local queued = tonumber(redis.call('ZSCORE', KEYS[7], source)) or 0
  return math.min(queued, tonumber(redis.call('HGET', KEYS[5], caller)) or 0) + reserved
end

if is_new then
  local of_source = most_of_source and of_source_now() or 0
  if most_of_source and of_source + size > most_of_source then
    return { 'source-full', of_source, 0, 0 }
  elseif not fits then
    return { 'full', requests, tasks, of_caller }
  elseif most_bytes and stored + bytes > most_bytes then
    return { 'storage-full', stored, 0, 0 }
  end
end
redis.call('ZADD', reservations_key, now + give_up_after, caller .. '\0' .. name .. ':' .. bytes .. ':' .. size)
return { 'kept', 0, 0, 0 }
