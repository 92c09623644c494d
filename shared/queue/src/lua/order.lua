-- Who goes before whom. It stands behind detach.lua, in front of the scripts that give a dispatch its place.
--
-- A dispatch has a class and a tag, a time in ms. Its rank, BullMQ's priority number, is the tag less the class's head
-- start, in steps since an epoch; the lowest goes first, and within one rank the first that came.
--
-- Without turns the tag is the arrival. With turns (start-time fair queueing) it is the greatest of
--   where the line of the class is: the greatest tag of a dispatch begun so far; the arrival while nothing of it waits
--   the source's turn: one interval after the tag that its last dispatch got
--   the floor: the arrival less a lag. It bounds for how long ever new sources can go before one that waits, and keeps
--   a newcomer behind those of the next class that arrive with it
--
-- order          hash: epoch; begun:<class> how far its line is; waiting:<class> dispatches of it that wait
-- turns:<class>  sorted set: source -> tag that its next dispatch gets at the earliest; empty while nothing waits
local classes = { 'critical', 'high', 'medium', 'low' }
local urgency = { critical = 1, high = 2, medium = 3, low = 4 }
local highest_rank = 2097151
local day = 24 * 3600000

local order, epoch

-- By class what a script has read of its line and not yet written: some hundred requests ask for little more than the
-- first. A script that gives places calls `write_order` once at its end.
--   waiting, begun, turns   as they are by now; turns only of sources that were asked for
--   added                   to `waiting`, not written
--   taken, takes            sources whose turns are not written, and how many were used up
local lines = {}

local function line_of(class)
  local line = lines[class]
  if not line then
    local waiting, begun = unpack(redis.call('HMGET', order_key, 'waiting:' .. class, 'begun:' .. class))
    line = { waiting = tonumber(waiting) or 0, begun = tonumber(begun), turns = {}, added = 0, taken = {}, takes = 0 }
    lines[class] = line
  end
  return line
end

local function add_waiting(class, by)
  local line = line_of(class)
  line.waiting, line.added = line.waiting + by, line.added + by
end

-- Reads the rules, JSON of `OrderRules` in order.ts, for requests that arrive at this time. The scale of the ranks begins
-- anew whenever nothing is open, so that it never ends for a queue that is empty now and then.
--
-- Returns  whether a request that arrives now has a place on the scale
local function open_order(json, arrived_at)
  order = cjson.decode(json)
  epoch = tonumber(redis.call('HGET', order_key, 'epoch'))
  local is_empty = redis.call('ZCARD', waiting_key) == 0 and redis.call('ZCARD', sending_key) == 0
    and redis.call('ZCARD', reconciling_key) == 0
  if not epoch or is_empty then
    epoch = arrived_at - order.headStartMs.critical - order.longestLagMs - day
    redis.call('DEL', order_key)
    redis.call('HSET', order_key, 'epoch', epoch)
  end
  return (arrived_at - epoch) / order.stepMs <= highest_rank
end

local function rank_of(class, tag)
  local rank = math.floor((tag - order.headStartMs[class] - epoch) / order.stepMs)
  return math.max(1, math.min(highest_rank, rank))
end

-- How far behind its arrival a tag of this class may lie.
local function lag_of(class)
  local more_urgent = classes[urgency[class] - 1]
  if not more_urgent then
    return order.longestLagMs
  end
  local gap = order.headStartMs[more_urgent] - order.headStartMs[class] - order.stepMs
  return math.max(0, math.min(order.longestLagMs, gap))
end

-- Where a dispatch of this class and source would stand in its line.
local function next_tag(class, source, arrived_at)
  if order.intervalMs == 0 then
    return arrived_at
  end
  local turns_key, line = space .. ':turns:' .. class, line_of(class)
  if line.waiting <= 0 then
    redis.call('DEL', turns_key)
    redis.call('HSET', order_key, 'begun:' .. class, arrived_at)
    line.begun, line.turns, line.taken, line.takes = arrived_at, {}, {}, 0
    return arrived_at
  end
  line.turns[source] = line.turns[source] or tonumber(redis.call('ZSCORE', turns_key, source)) or 0
  return math.max(line.begun or arrived_at, arrived_at - lag_of(class), line.turns[source])
end

-- Uses up a turn: the source's next one is an interval later.
local function take_turn(class, source, tag)
  if order.intervalMs == 0 then
    return
  end
  local line = line_of(class)
  line.turns[source], line.taken[source], line.takes = tag + order.intervalMs, true, line.takes + 1
end

-- Writes what was given to whom. Turns that the line has passed go, a few for each that was used up.
local function write_order(arrived_at)
  for class, line in pairs(lines) do
    if line.added ~= 0 then
      redis.call('HINCRBY', order_key, 'waiting:' .. class, line.added)
    end
    if line.takes > 0 then
      local turns_key, turns = space .. ':turns:' .. class, {}
      for source in pairs(line.taken) do
        turns[#turns + 1], turns[#turns + 2] = line.turns[source], source
      end
      redis.call('ZADD', turns_key, unpack(turns))
      local passed = redis.call('ZCOUNT', turns_key, '-inf', arrived_at - order.longestLagMs)
      if passed > 0 then
        redis.call('ZREMRANGEBYRANK', turns_key, 0, math.min(4 * line.takes, passed) - 1)
      end
    end
  end
end

-- Moves a dispatch up to where a fresh one of this class and source would stand, if that is before its place, and makes
-- it of this class if that is the more urgent one. It never moves back.
--
-- Returns  its rank, whether it moved
local function lift(dispatch_id, class, source, arrived_at)
  local dispatch_key = space .. ':dispatch:' .. dispatch_id
  local state, old_class, old_tag, old_rank = unpack(
    redis.call('HMGET', dispatch_key, 'state', 'class', 'tag', 'priority'))
  local fresh = next_tag(class, source, arrived_at)
  local place = math.min(fresh - order.headStartMs[class], old_tag - order.headStartMs[old_class])
  if place < old_tag - order.headStartMs[old_class] then
    take_turn(class, source, fresh)
  end
  local new_class = urgency[class] < urgency[old_class] and class or old_class
  local new_tag = place + order.headStartMs[new_class]
  local rank = math.min(tonumber(old_rank), rank_of(new_class, new_tag))
  if new_class ~= old_class or new_tag ~= tonumber(old_tag) then
    redis.call('HSET', dispatch_key, 'class', new_class, 'tag', new_tag, 'priority', rank)
  end
  if new_class ~= old_class and state == 'waiting' then
    add_waiting(old_class, -1)
    add_waiting(new_class, 1)
  end
  return rank, rank < tonumber(old_rank)
end
