-- Makes wrk request the URLs in turn instead of always the same one.
local paths = {}
for line in io.lines(os.getenv("URLS")) do
  paths[#paths + 1] = line:match("^%w+://[^/]+(/.*)$")
end
local next = 0

request = function()
  next = next % #paths + 1
  return wrk.format("GET", paths[next])
end
