-- Records what became of an attempt to deliver a callback.
--
-- KEYS  1 request or batch                          (see store-keys.ts)
-- ARGV  1 JSON of the delivery so far   2 the field that it stands in: delivery, or endDelivery of a result's end
--
-- Returns  1, or 0 when it is gone because its retention is over: then nothing is written, which would bring part of it
--          back for ever
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1])
return 1
