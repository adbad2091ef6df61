-- SPDX-License-Identifier: MIT
-- A task of HAProxy's drives the engine: storage inside the module, requests with core.httpclient
-- against a frontend of this same HAProxy. Nothing is made while the configuration is loaded.
package.cpath = os.getenv("SPIKE_FOLDER") .. "/?.so"
local spike = require("air_spike")

core.register_task(function()
    local guest = spike.new()
    while true do
        local id, method, path, stored = guest:next()
        if not id then
            core.msleep(math.min(method + 1, 1000)) -- the second result is then the pause
        elseif path ~= "/directory" then
            -- The engine read the directory: it asks for what stands in it.
            core.Alert("spike: stored " .. stored .. ", then asked for " .. method .. " " .. path)
            return
        else
            local client = core.httpclient()
            local answer = client:get({url = "http://ca.example" .. path,
                                       dst = os.getenv("SPIKE_ADDRESS")})
            guest:answer(id, answer.status, answer.body)
        end
    end
end)
