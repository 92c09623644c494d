-- Who goes before whom. It stands behind detach.lua, in front of the scripts that give a task its place.
--
-- A task has a class and a tag, a time in ms. Its rank, BullMQ's priority number, is the tag less the class's head
-- start, in steps since an epoch; the lowest goes first, and within one rank the first that came.
--
-- Without turns the tag is the arrival. With turns (start-time fair queueing, callers first and sources within each) it is
-- the greatest of
--   where the line of the class is: the greatest tag of a task begun so far; the arrival while nothing of it waits
--   the floor: the arrival less a lag. It bounds for how long ever new callers can go before one that waits, and keeps a
--   newcomer behind those of the next class that arrive with it
--   the caller's turn: one interval after the tag of its last task that was claimed
--   the source's turn: an interval after its last tag, and one more for each other source of its caller that has placed
--   something behind that; a new source's, behind one of each that has placed something
-- What a caller has placed stays where it is when it names a further source, so that two of its tasks can have the
-- same turn. Only one of them is claimed with it: pass-turn.lua.
--
-- Whose turn it is, a flow, is given as <caller>\0<source>, '' where no source is named.
--
-- order                    hash: epoch; rules, the last JSON of them; begun:<class> how far its line is; waiting:<class>
--                          tasks of it that wait
-- turns:<class>            sorted set: caller -> tag that its next task is claimed with at the earliest
-- turns:<class>:<caller>   sorted set: source -> tag that its next task gets at the earliest
-- Turns are empty while nothing of the class waits.
local classes = { 'critical', 'high', 'medium', 'low' }
local urgency = { critical = 1, high = 2, medium = 3, low = 4 }
local highest_rank = 2097151
local day = 24 * 3600000

local order, epoch

-- By class what a script has read of its line and not yet written: some hundred requests ask for little more than the
-- first. A script that gives places calls `write_order` once at its end.
--   waiting, begun   as they are by now
--   added            to `waiting`, not written
--   callers          those that were asked for, each with
--     floor          no tag that it gets is less
--     last           the greatest turn of its sources
--     turns          of its sources that were asked for
--     taken          sources whose turns are not written
--     takes          how many were used up
local lines = {}

local function line_of(class)
  local line = lines[class]
  if not line then
    local waiting, begun = unpack(redis.call('HMGET', order_key, 'waiting:' .. class, 'begun:' .. class))
    line = { waiting = tonumber(waiting) or 0, begun = tonumber(begun), callers = {}, added = 0 }
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
  local known_epoch, known_rules = unpack(redis.call('HMGET', order_key, 'epoch', 'rules'))
  order, epoch = cjson.decode(json), tonumber(known_epoch)
  local is_empty = redis.call('ZCARD', waiting_key) == 0 and redis.call('ZCARD', in_flight_key) == 0
    and redis.call('ZCARD', reconciling_key) == 0
  if not epoch or is_empty then
    epoch = arrived_at - order.headStartMs.critical - order.longestLagMs - day
    -- Set before it is emptied: a full Redis refuses a script with the first command that could take memory.
    redis.call('HSET', order_key, 'epoch', epoch)
    redis.call('DEL', order_key)
    redis.call('HSET', order_key, 'epoch', epoch, 'rules', json)
  elseif known_rules ~= json then
    redis.call('HSET', order_key, 'rules', json)
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

local function turns_key_of(class, caller)
  return space .. ':turns:' .. class .. (caller and ':' .. caller or '')
end

-- Who has been served owes nothing once nothing waits.
local function begin_anew(class, arrived_at)
  local line = line_of(class)
  for _, caller in ipairs(redis.call('ZRANGE', turns_key_of(class), 0, -1)) do
    redis.call('DEL', turns_key_of(class, caller))
  end
  redis.call('DEL', turns_key_of(class))
  redis.call('HSET', order_key, 'begun:' .. class, arrived_at)
  line.begun, line.callers = arrived_at, {}
end

-- Returns  caller and source
local function parts_of(flow)
  local at = string.find(flow, '\0', 1, true) or #flow + 1
  return string.sub(flow, 1, at - 1), string.sub(flow, at + 1)
end

-- A task uses the turns of whoever asked for its first request, unless it has another caller's place.
local function note_whose_turn(task_key, flow)
  local name = parts_of(flow)
  redis.call('HSET', task_key, 'turnOf', name)
  redis.call('HDEL', task_key, 'passed', 'steppedTo')
end

-- What is known of a flow's caller in this line, and the flow's source.
local function caller_of(class, flow, arrived_at)
  local name, source = parts_of(flow)
  local line = line_of(class)
  local caller = line.callers[name]
  if not caller then
    local key = turns_key_of(class, name)
    local turn = tonumber(redis.call('ZSCORE', turns_key_of(class), name) or 0)
    caller = { key = key, turns = {}, taken = {}, takes = 0,
      floor = math.max(line.begun or arrived_at, arrived_at - lag_of(class), turn),
      last = tonumber(redis.call('ZRANGE', key, 0, 0, 'REV', 'WITHSCORES')[2] or 0) }
    line.callers[name] = caller
  end
  caller.turns[source] = caller.turns[source] or tonumber(redis.call('ZSCORE', caller.key, source) or 0)
  return caller, source
end

local function write_taken(caller)
  local turns = {}
  for source in pairs(caller.taken) do
    turns[#turns + 1], turns[#turns + 2] = caller.turns[source], source
  end
  if #turns > 0 then
    redis.call('ZADD', caller.key, unpack(turns))
  end
  caller.taken = {}
end

-- How many sources of a caller have a turn behind this one. Only where it is not the last, anything is asked for it.
local function count_behind(caller, turn)
  if turn >= caller.last then
    return 0
  end
  write_taken(caller)
  return redis.call('ZCOUNT', caller.key, '(' .. string.format('%.0f', turn), '+inf')
end

-- Where a task of this class and flow would stand in its line.
local function next_tag(class, flow, arrived_at)
  if order.intervalMs == 0 then
    return arrived_at
  end
  if line_of(class).waiting <= 0 then
    begin_anew(class, arrived_at)
  end
  local caller, source = caller_of(class, flow, arrived_at)
  local turn = caller.turns[source]
  if turn > caller.floor then
    return turn + count_behind(caller, turn) * order.intervalMs
  end
  local others = count_behind(caller, caller.floor)
  -- A step before what the others have placed at the same turn: they have had theirs.
  return others == 0 and caller.floor or caller.floor + others * order.intervalMs - order.stepMs
end

-- Uses up a turn.
local function take_turn(class, flow, tag, arrived_at)
  if order.intervalMs == 0 then
    return
  end
  local caller, source = caller_of(class, flow, arrived_at)
  caller.turns[source] = tag + order.intervalMs
  caller.last = math.max(caller.last, tag + order.intervalMs)
  caller.taken[source], caller.takes = true, caller.takes + 1
end

-- Writes the turns of one caller. Those that the line has passed go, a few for each that was used up.
local function write_turns(class, name, caller, arrived_at)
  write_taken(caller)
  redis.call('ZADD', turns_key_of(class), 'NX', 0, name)
  local passed = redis.call('ZCOUNT', caller.key, '-inf', arrived_at - order.longestLagMs)
  if passed > 0 then
    redis.call('ZREMRANGEBYRANK', caller.key, 0, math.min(4 * caller.takes, passed) - 1)
  end
end

-- Writes what was given to whom.
local function write_order(arrived_at)
  for class, line in pairs(lines) do
    if line.added ~= 0 then
      redis.call('HINCRBY', order_key, 'waiting:' .. class, line.added)
    end
    for name, caller in pairs(line.callers) do
      if caller.takes > 0 then
        write_turns(class, name, caller, arrived_at)
      end
    end
  end
end

-- Moves a task up to where a fresh one of this class and flow would stand, if that is before its place, and makes
-- it of this class if that is the more urgent one. It never moves back.
--
-- Returns  its rank, whether it moved
local function promote(task_id, class, flow, arrived_at)
  local task_key = space .. ':task:' .. task_id
  local state, old_class, old_tag, old_rank = unpack(
    redis.call('HMGET', task_key, 'state', 'class', 'tag', 'priority'))
  local fresh = next_tag(class, flow, arrived_at)
  local place = math.min(fresh - order.headStartMs[class], old_tag - order.headStartMs[old_class])
  local is_before = place < old_tag - order.headStartMs[old_class]
  if is_before then
    take_turn(class, flow, fresh, arrived_at)
  end
  local new_class = urgency[class] < urgency[old_class] and class or old_class
  local new_tag = place + order.headStartMs[new_class]
  local rank = math.min(tonumber(old_rank), rank_of(new_class, new_tag))
  if new_class ~= old_class or new_tag ~= tonumber(old_tag) then
    redis.call('HSET', task_key, 'class', new_class, 'tag', new_tag, 'priority', rank)
  end
  if is_before and order.intervalMs > 0 then
    note_whose_turn(task_key, flow)
  end
  if new_class ~= old_class and state == 'waiting' then
    add_waiting(old_class, -1)
    add_waiting(new_class, 1)
  end
  return rank, rank < tonumber(old_rank)
end
