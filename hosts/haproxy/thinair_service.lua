-- SPDX-License-Identifier: MIT
-- The service over HTTP: challenges, orders and what is managed. README.md has the table of
-- requests, statuses and bodies.

local deploy = require("thinair_deploy")
local reply = require("thinair_reply")
local runtime = require("thinair_runtime")

local service = {}

local CHALLENGES = "/.well-known/acme-challenge/"
local BODY_SIZE_MAX = 1048576
-- What is read of a body that is too long, so that its sender gets to hear it.
local DRAIN_SIZE_MAX = 67108864
local CHUNK_SIZE = 16384
-- How long an order is not looked at: at first, growing by that factor, at most; and at most when
-- no order has ended at all.
local PAUSE_MIN_MS, PAUSE_GROWTH, PAUSE_MAX_MS, UNSEEN_MAX_MS = 20, 1.1, 500, 10000

local function header(applet, name)
    local values = applet.headers[name]
    return values and values[0] or ""
end

-- The whole body; or nil, a status and a sentence. Must be read before anything else is waited for:
-- HAProxy 2.6 drops what arrives while a service sleeps.
local function read_body(applet)
    local parts, size = {}, 0
    while size <= DRAIN_SIZE_MAX do
        local part = applet:receive(CHUNK_SIZE)
        if not part or #part == 0 then
            break
        end
        size = size + #part
        if size <= BODY_SIZE_MAX then
            parts[#parts + 1] = part
        else
            parts = {}
        end
    end
    if size > BODY_SIZE_MAX then
        return nil, 413, "the request is longer than " .. BODY_SIZE_MAX .. " bytes"
    elseif size == 0 then
        return nil, 400, "no body: send a form with the field domain"
    elseif size < (tonumber(applet.length) or 0) then
        return nil, 400, "the body was cut short"
    end
    return table.concat(parts)
end

local function challenge(applet, handle)
    if applet.method ~= "GET" and applet.method ~= "HEAD" then
        return reply.refuse(applet, 405, "a challenge is asked for with GET", {allow = "GET, HEAD"})
    end
    local body = handle:challenge(applet.method, applet.path, header(applet, "host"))
    if not body then
        return reply.refuse(applet, 404, "no such challenge")
    end
    reply.send(applet, 200, "text/plain", body)
end

-- The certificates of an order that is done: a list of key_type and pem.
local function certificates(handle, id, key_types)
    local list = {}
    for _, key_type in ipairs(key_types) do
        local pem, why = handle:read(id, key_type)
        if not pem then
            return nil, why
        end
        list[#list + 1] = {key_type = key_type, pem = pem}
    end
    return list
end

-- How an order ended: certificates; or nil, a status, a sentence, and a problem type of the CA's.
-- nil alone: not yet.
local function ended(handle, order)
    if order.status then
        return nil, order.status, order.text
    end
    local state, what = handle:view(order.id)
    if state == "done" then
        local list, why = certificates(handle, order.id, what)
        if not list then
            return nil, 503, "the certificate cannot be read: " .. why
        end
        return list
    end
    if state == "failed" then
        return nil, reply.of_failure(what)
    end
    if not state then
        return nil, 503, "the order was forgotten: ask again"
    end
end

-- A loop that runs when orders have ended, and now and then although none has. HAProxy counts what
-- a service runs, and ends it after four seconds of that (tune.lua.service-timeout), so it looks up
-- ever more seldom.
local function looks(handle)
    local seen, pause_ms, unseen_ms = nil, PAUSE_MIN_MS, 0
    return function()
        while seen and seen == handle:ended() and unseen_ms < UNSEEN_MAX_MS do
            core.msleep(math.floor(pause_ms))
            unseen_ms = unseen_ms + pause_ms
            pause_ms = math.min(pause_ms * PAUSE_GROWTH, PAUSE_MAX_MS)
        end
        seen, unseen_ms = handle:ended(), 0
        return true
    end
end

local function answer_one(applet, handle, order)
    local list, status, text, kind
    for _ in looks(handle) do
        list, status, text, kind = ended(handle, order)
        if list or status then
            break
        end
    end
    if not list then
        return reply.refuse(applet, status, text, nil, kind)
    end
    if header(applet, "accept"):find("application/json", 1, true) then
        return reply.send(applet, 200, "application/json",
            reply.json{domain = order.domain, certificates = list} .. "\n")
    end
    reply.send(applet, 200, "text/plain; charset=utf-8", list[1].pem)
end

-- One line of JSON for each order, as it ends.
local function answer_batch(applet, handle, orders)
    local open = #orders
    reply.begin(applet, 200, "application/x-ndjson")
    for _ in looks(handle) do
        for _, order in ipairs(orders) do
            local list, status, text, kind
            if not order.is_told then
                list, status, text, kind = ended(handle, order)
            end
            if list or status then
                order.is_told = true
                open = open - 1
                applet:send(reply.json{domain = order.domain, status = status or 200,
                    type = kind, detail = text, certificates = list} .. "\n")
            end
        end
        if open == 0 then
            break
        end
    end
end

-- Start what is ordered: one after the other, so that HAProxy's traffic goes on between them.
local function start_all(handle, requests)
    local orders = {}
    for index = 1, #requests do
        if index > 1 then
            core.yield()
        end
        orders[index] = handle:order(requests, index)
    end
    requests:forget()
    return orders
end

local function order(applet, handle)
    if applet.method ~= "POST" then
        return reply.refuse(applet, 405, "an order is a POST", {allow = "POST"})
    end
    local body, status, complaint = read_body(applet)
    if not body then
        return reply.refuse(applet, status, complaint)
    end
    local requests, is_batch, why = handle:requests(header(applet, "content-type"), body)
    if not requests then
        return reply.refuse(applet, is_batch, why)
    end
    local orders = start_all(handle, requests)
    if is_batch then
        return answer_batch(applet, handle, orders)
    end
    answer_one(applet, handle, orders[1])
end

-- What HAProxy holds besides ours, where its runtime API can be asked.
local function add_foreign(options, entries, by_store)
    if not options.stats_socket then
        return
    end
    local haproxy = runtime.connect{path = options.stats_socket}
    local held = haproxy and haproxy:certificates() or {}
    for _, certificate in ipairs(held) do
        local ours = by_store[certificate.store]
        if ours then
            ours.deployed_serial = certificate.serial
        else
            certificate.managed = false
            entries[#entries + 1] = certificate
        end
    end
end

local function list(applet, handle, options)
    if applet.method ~= "GET" and applet.method ~= "HEAD" then
        return reply.refuse(applet, 405, "the list is asked for with GET", {allow = "GET, HEAD"})
    end
    local entries, by_store = {}, {}
    for _, status in ipairs(handle:status()) do
        local names = {}
        for name in status.names:gmatch("[^\n]+") do
            names[#names + 1] = name
        end
        status.names = names
        status.managed = true
        entries[#entries + 1] = status
        if options.state then
            by_store[deploy.store(options, status.id, status.key_type)] = status
        end
    end
    add_foreign(options, entries, by_store)
    reply.send(applet, 200, "application/json", reply.json{certificates = entries} .. "\n")
end

local function renew(applet, handle, id)
    if applet.method ~= "POST" then
        return reply.refuse(applet, 405, "a renewal is a POST", {allow = "POST"})
    end
    local renewed, why = handle:renew(id)
    if not renewed then
        return reply.refuse(applet, 404, id .. " is not managed here: " .. why)
    end
    reply.send(applet, 202, "application/json", reply.json{renewing = id} .. "\n")
end

function service.http(handle, options)
    return function(applet)
        local path = applet.path
        if path:sub(1, #CHALLENGES) == CHALLENGES then
            return challenge(applet, handle)
        elseif path == "/acme/order" then
            return order(applet, handle)
        elseif path == "/acme/certificates" then
            return list(applet, handle, options)
        end
        local id = path:match("^/acme/renew/([%w._-]+)$")
        if id then
            return renew(applet, handle, id)
        end
        reply.refuse(applet, 404, "no such path")
    end
end

return service
