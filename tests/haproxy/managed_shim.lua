-- SPDX-License-Identifier: MIT
-- Stands before the real thinair_core and tells the longest CPU time of each of its functions,
-- every time there is a longer one. os.clock() counts the whole process, so the test starts one
-- thread.

local path = "MODULES/thinair_core.so"
local core_engine = assert(package.loadlib(path, "luaopen_thinair_core"))()

local longest, wrapped = {}, {}
local wrap

local function measured(name, call)
    return function(...)
        local begun = os.clock()
        local results = table.pack(call(...))
        local took_ms = (os.clock() - begun) * 1000
        if took_ms > (longest[name] or -1) then
            longest[name] = took_ms
            core.log(core.info, string.format("core call %s %.3f", name, took_ms))
        end
        if type(results[1]) == "userdata" then
            wrap(results[1])
        end
        return table.unpack(results, 1, results.n)
    end
end

function wrap(object)
    local index = getmetatable(object).__index
    if wrapped[index] then
        return object
    end
    wrapped[index] = true
    for name, call in pairs(index) do
        index[name] = measured(name, call)
    end
    return object
end

local start = core_engine.start

function core_engine.start(options)
    local handle, is_first = start(options)
    if handle then
        wrap(handle)
    end
    return handle, is_first
end

return core_engine
