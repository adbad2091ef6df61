-- SPDX-License-Identifier: MIT
-- The desk of haproxy_runtime.py: carries out one request with hosts/haproxy/thinair_runtime.lua,
-- in the service itself or, with task=1, in the task. The answer's first line is yes, no or again;
-- the rest is the value or the sentence.

local runtime = require("thinair_runtime")
local deploy = require("thinair_deploy")
local text = require("thinair_runtime_text")

local queue = {}

-- A value as text, tables by their keys in order.
local function written(value, indent)
    if type(value) ~= "table" then
        return tostring(value)
    end
    local keys, lines = {}, {}
    for key in pairs(value) do
        table.insert(keys, key)
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
        table.insert(lines, indent .. key .. ": " .. written(value[key], indent .. "  "))
    end
    return "\n" .. table.concat(lines, "\n")
end

local verbs = {
    deploy = function(cli, asked) return cli:deploy(asked) end,
    withdraw = function(cli, asked) return cli:withdraw(asked) end,
    certificates = function(cli) return cli:certificates() end,
    crt_list = function(cli, asked) return cli:crt_list(asked.crt_list) end,
    command = function(cli, asked) return cli:command(asked.line, asked.pem) end,
    version = function(cli) return (cli:version()) end,
    file = function(_, asked)
        local lines = {}
        for _, key_type in ipairs{"ecdsa-p256", "rsa-2048"} do
            table.insert(lines, text.crt_list_line{
                store = deploy.store(asked, asked.names[1], key_type),
                names = asked.names, options = "alpn h2,http/1.1"})
        end
        return table.concat(lines, "\n") .. "\n"
    end,
}

local function carry_out(asked)
    local cli, why, again = runtime.connect{path = asked.path or "/run/stats.sock", timeout_s = 5}
    if not cli then
        return nil, why, again
    end
    return verbs[asked.verb](cli, asked)
end

local function answer_of(asked)
    local done, value, why, again = pcall(carry_out, asked)
    if not done then
        return "raised\n" .. tostring(value)
    elseif value == nil then
        return (again and "again\n" or "no\n") .. why
    end
    return "yes\n" .. written(value, "")
end

-- key=value pairs of a query, names separated by commas.
local function asked_of(query, body)
    local asked = {pem = body ~= "" and body or nil}
    for key, value in query:gmatch("([%w_]+)=([^&]*)") do
        asked[key] = value:gsub("%%(%x%x)", function(digits)
            return string.char(tonumber(digits, 16))
        end)
    end
    if asked.names then
        local names = {}
        for name in asked.names:gmatch("[^,]+") do
            table.insert(names, name)
        end
        asked.names = names
    end
    return asked
end

core.register_task(function()
    while true do
        local asked = table.remove(queue, 1)
        if asked then
            asked.answer = answer_of(asked)
        else
            core.msleep(5)
        end
    end
end)

core.register_service("runtime", "http", function(applet)
    local asked = asked_of(applet.qs, applet:receive() or "")
    local answer
    if asked.task then
        table.insert(queue, asked)
        while not asked.answer do
            core.msleep(5)
        end
        answer = asked.answer
    else
        answer = answer_of(asked)
    end
    applet:set_status(200)
    applet:add_header("content-length", tostring(#answer))
    applet:start_response()
    applet:send(answer)
end)
