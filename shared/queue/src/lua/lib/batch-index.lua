-- include now.lua
--
-- Where sealed batches are found, newest last: ordered by their bytes, since every score is 0, and an id begins with its time.
--
--   batches         :<id>           each batch
--                   <digest><id>    once for each source of its items and each pair of their correlations, as many as its record has
--                                   in `found` (requests/correlation-digest.ts)
--   batches:ended   <id>:<found> -> time (ms) at which the batch itself goes
--
-- space      key space
-- found      digests, one behind the other; nil for none
--
-- batch_listed(space, id, found)             one that was sealed
-- batch_ended(space, id, found, goes_at)     one that is complete; takes out those that are gone, a bounded number
-- batch_forgotten(space, id, found)          one that is about to be deleted
local batch_digest_size = 16

-- Calls `act` with the members of a batch, some hundred at a time.
local function for_batch_members(id, found, act)
  local members = { ':' .. id }
  for from = 1, #found, batch_digest_size do
    members[#members + 1] = string.sub(found, from, from + batch_digest_size - 1) .. id
    if #members == 500 then
      act(members)
      members = {}
    end
  end
  if #members > 0 then
    act(members)
  end
end

local function batch_listed(space, id, found)
  for_batch_members(id, found or '', function(members)
    local added = {}
    for _, member in ipairs(members) do
      added[#added + 1], added[#added + 2] = 0, member
    end
    redis.call('ZADD', space .. ':batches', unpack(added))
  end)
end

local function batch_forgotten(space, id, found)
  for_batch_members(id, found or '', function(members)
    redis.call('ZREM', space .. ':batches', unpack(members))
  end)
  redis.call('ZREM', space .. ':batches:ended', id .. ':' .. (found or ''))
end

local function batch_ended(space, id, found, goes_at)
  local gone = redis.call('ZRANGE', space .. ':batches:ended', '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 2)
  for _, member in ipairs(gone) do
    batch_forgotten(space, string.match(member, '^(.-):(%x*)$'))
  end
  redis.call('ZADD', space .. ':batches:ended', string.format('%.0f', goes_at), id .. ':' .. (found or ''))
end
