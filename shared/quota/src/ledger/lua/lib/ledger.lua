-- include now.lua
--
-- What all scripts of the ledger share.
--
-- KEYS  1 calls      sorted set: call id -> time (ms) from which its window counts: the answer, or the moment at which
--                    the call must have been given up. Its permit is free again one window after that
--       2 entries    hash: call id -> JSON of the call
--       3 intents    hash: task id -> call id of the call that stands for it: it is in flight, or it is over and no
--                    other may follow (`mayRepeat` of its entry)
--       4 holds      hash: reason -> time (ms) until which no call is granted
--       5 generation      hash, gone when the ledger was emptied: id, createdAt, lossSeen; of the last handover its id
--                    `handover`, the `server` it was made on, `handoverAt`, `aliveSince`, `rewound` (open.lua);
--                    `changes`, how often calls were recorded: it never falls, unless time went backwards.
--                    generation:unsent:<call id> is there for an hour where the maker of a call said that it never left
--       6 settings   hash: <calls>/<window>[/<calls>/<window>...]/<timeout> -> when a worker last declared that this is the
--                    quota (ms): so many calls in each of these windows
--       7 estimate   hash: window -> <calls>/<until>. How many calls fit into it after a 429; proven: how many once did
--                    (throttle-cause.lua)
--       8 workers    hash: process id -> <last sign of life, ms>/<handover in which it took part>, with /left behind it for
--                    a worker that was stopped in order
--       9 streaks    hash: reason -> how often in a row a hold was set for it (hold.lua); ended by a good answer
--      10 answers    hash: good, refused, throttled. How many answers of each sort came so far (judge-refusal.lua)
--      11 aside      sorted set: task id -> number of good answers after which it goes back to its place
-- ARGV  1 the generation that the caller knows, '' if none
--       2 limits, '<calls>/<window ms>' joined by '/'   3 call timeout ms (the caller's settings)
--       4 the handover that the caller knows, '' if none   5 the highest `changes` it has seen   6 its process id
local calls, entries, intents, holds, generation, settings, estimate, workers, streaks, answers, aside = unpack(KEYS)

-- Calls kept at least before one is dropped that counts in no window any more.
local least_kept = 1500

-- What is compared is rounded down and what is recorded is rounded up, so that rounding never shortens a window.
local now_up = clock[1] * 1000 + math.ceil(clock[2] / 1000)

local function as_text(ms)
  return string.format('%.0f', ms)
end

-- The call that was recorded as this JSON; nil for one that is missing or cannot be read, which counts as missing.
local function parse_entry(json)
  local ok, entry = pcall(cjson.decode, json)
  return ok and type(entry) == 'table' and entry.spentAt and entry.outcome and entry or nil
end

local function knows_generation()
  return ARGV[1] ~= '' and redis.call('HGET', generation, 'id') == ARGV[1]
end

-- The Redis process that runs this, '' where it may not be asked. Another one may have other data: older ones, after a
-- failover to a replica that lagged or a restart from an older file.
local function server_id()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end

-- Whether this is the ledger that the caller opened, with all that the caller has seen in it.
local function is_as_known()
  local id, handover, server, changes = unpack(redis.call('HMGET', generation, 'id', 'handover', 'server', 'changes'))
  return ARGV[1] ~= '' and id == ARGV[1] and handover == ARGV[4] and server == server_id()
    and (tonumber(changes) or 0) >= tonumber(ARGV[5])
end

-- Every other worker that has this ledger open reads it soon, so that it remembers what was recorded: shared/queue's wakes.
-- Nothing fails by it: each reads the ledger every few seconds in any case.
local function tell_workers()
  redis.pcall('PUBLISH', 'diq:wakes', 'call ' .. string.gsub(calls, ':ledger:calls$', '') .. ' ' .. ARGV[6])
end

local function count_change()
  tell_workers()
  return redis.call('HINCRBY', generation, 'changes', 1)
end

-- A full Redis, or one that takes no writes for now, must not prevent reading: then there is no sign.
local function show_life(handover)
  redis.pcall('HSET', workers, ARGV[6], as_text(now) .. '/' .. handover)
end

-- The task's next call, if one is asked for, is measured by this one: never by one that was made before it.
local function stand_for_task(call_id, entry)
  local standing = redis.call('HGET', intents, entry.taskId)
  if entry.mayRepeat then
    if standing == call_id then
      redis.call('HDEL', intents, entry.taskId)
    end
    return
  end
  local other = standing and parse_entry(redis.call('HGET', entries, standing))
  if not other or other.spentAt <= entry.spentAt then
    redis.call('HSET', intents, entry.taskId, call_id)
  end
end

-- Whether it is known what became of a call. One that a process took for lost, because its maker was gone, is not answered
-- until another call may follow: its maker may come back.
local function is_answered(entry)
  return entry.outcome ~= 'in_flight' and (entry.outcome ~= 'lost' or entry.mayRepeat == true)
end

-- A call whose maker said that it never left. Others that saw it in flight may remember it longer than the ledger.
local unsent_known_for = 3600000
local function unsent_key(call_id)
  return generation .. ':unsent:' .. call_id
end

-- Adds calls that the caller knows and that are missing, and outcomes that are: three arguments each from `first` on, call
-- id, time from which its window counts, JSON of the call. Whatever else is there and can be read is left as it is.
--
-- Returns  the ids of the calls that were changed
local function add_missing(first)
  local changed = {}
  for i = first, #ARGV, 3 do
    local call_id, counted_from, json = unpack(ARGV, i, i + 2)
    local known, reported = parse_entry(redis.call('HGET', entries, call_id)), parse_entry(json)
    local has_outcome = known and not is_answered(known) and is_answered(reported)
    local is_unsent = not known and not is_answered(reported) and redis.call('EXISTS', unsent_key(call_id)) == 1
    if not is_unsent then
      local added = redis.call('ZADD', calls, has_outcome and 'XX' or 'NX', 'CH', counted_from, call_id)
      if not known or has_outcome then
        redis.call('HSET', entries, call_id, json)
      end
      if added > 0 or not known or has_outcome then
        changed[#changed + 1] = call_id
        if reported.taskId ~= '' then
          stand_for_task(call_id, reported)
        end
      end
    end
  end
  return changed
end

local function in_use(window)
  return redis.call('ZRANGEBYSCORE', calls, '(' .. as_text(now - window), '+inf', 'WITHSCORES')
end

local function count_in_use(window)
  return redis.call('ZCOUNT', calls, '(' .. as_text(now - window), '+inf')
end

-- The time from which the n-th newest call counts; nil where fewer are recorded. A limit of n calls is used up while
-- that is within its window, and its next slot opens one window later.
local function nth_newest(n)
  local found = redis.call('ZRANGE', calls, as_text(n - 1), as_text(n - 1), 'REV', 'WITHSCORES')
  return tonumber(found[2])
end

-- Of calls, given as a list of id and time, the records of so many at a time: `see` gets time and JSON, in order.
local function each_record(flat, see)
  for first = 1, #flat, 1000 do
    local ids, last = {}, math.min(first + 998, #flat - 1)
    for i = first, last, 2 do
      ids[#ids + 1] = flat[i]
    end
    for i, json in ipairs(redis.call('HMGET', entries, unpack(ids))) do
      see(tonumber(flat[first + 2 * i - 1]), json)
    end
  end
end

-- Whether this record is of a call that was answered 429. Without reading all of it: there can be thousands.
local function is_throttled(json)
  return json and string.find(json, '"outcome":"throttled"', 1, true) and true or false
end

-- Of the permits in use, the times from which those count whose call was not answered 429, in order.
local function fitted_times(window)
  local times = {}
  each_record(in_use(window), function(counts_from, json)
    if not is_throttled(json) then
      times[#times + 1] = counts_from
    end
  end)
  return times
end

-- Whether calls met an obstacle and none was answered well since. A missing token is none: who spends has one.
local function is_in_doubt()
  return redis.call('HLEN', streaks) > redis.call('HEXISTS', streaks, 'no_token')
end

-- Until when (ms) a call that is in flight can last at most; 0 when none is. A process that died ends none, time does.
local function in_flight_until()
  local latest = 0
  -- A call in flight counts from the time at which it must have been given up, which is still to come.
  local open = redis.call('ZRANGEBYSCORE', calls, '(' .. as_text(now), '+inf', 'WITHSCORES')
  for i = 1, #open, 2 do
    local entry = parse_entry(redis.call('HGET', entries, open[i]))
    if not entry or entry.outcome == 'in_flight' then
      latest = math.max(latest, tonumber(open[i + 1]))
    end
  end
  return latest
end
