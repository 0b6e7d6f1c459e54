-- Takes tokens from a bucket that all gateways share. The server's clock is the only one that counts.
--
-- KEYS[1]  the bucket: a hash of `tokens` and `at` (microseconds)
-- ARGV     rate (tokens/s), burst, least (what the request needs), most (what the gateway would lease)
-- Returns  {granted, milliseconds until `least` would be there}
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local least, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1]) or burst, tonumber(bucket[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000000)

-- A request above the burst passes on a full bucket and leaves a debt; otherwise it could never pass.
local threshold = math.min(least, burst)
local granted, wait = 0, 0
if tokens >= threshold then
  granted = math.max(least, math.min(most, math.floor(tokens)))
  tokens = tokens - granted
else
  wait = math.ceil((threshold - tokens) * 1000 / rate)
end

redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) * 1000 / rate) + 1000)
return {granted, wait}
