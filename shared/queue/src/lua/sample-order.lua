-- The order in short: the first tasks all, of the others some at equal distances; of each its class and the source of the request that
-- was first for it. One that ends at this moment is left out; of one whose request is gone the source is unknown.
--
-- KEYS  1 BullMQ's sorted set of jobs in the order
-- ARGV  1 how many of the first   2 how many others at most   3 what the key of a task begins with
--       4 what that of a request begins with   5 … fields in which a request's document stands, in their order
--
-- Returns  {how many are in the order, {class, source, ...} of the first, {rank, class, source, ...} of the others}
--          A source is '' where there is none. A rank is 0 for the first of all.
local size, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local waiting = redis.call('ZCARD', KEYS[1])

local function source_of(request)
  local parts = redis.call('HMGET', ARGV[4] .. request, unpack(ARGV, 5))
  local last = 0
  while parts[last + 1] do
    last = last + 1
  end
  local text = table.concat(parts, '', 1, last)
  -- Decoded only where there is one: that is what takes time.
  if not text:find('"source"', 1, true) then
    return ''
  end
  local is_read, document = pcall(cjson.decode, text)
  local source = is_read and type(document) == 'table' and document.source
  return type(source) == 'string' and source or ''
end

local function add(list, id, rank)
  local class, first = unpack(redis.call('HMGET', ARGV[3] .. id, 'priority', 'first'))
  if class and first then
    list[#list + 1] = rank
    list[#list + 1] = class
    list[#list + 1] = source_of(first)
  end
end

local head, others = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, size - 1)) do
  add(head, id)
end
local distance = math.max(1, (waiting - size) / most)
for i = 0, math.min(most, waiting - size) - 1 do
  local rank = math.floor(size + i * distance)
  local id = redis.call('ZRANGE', KEYS[1], rank, rank)[1]
  if id then
    add(others, id, rank)
  end
end
return { waiting, head, others }
