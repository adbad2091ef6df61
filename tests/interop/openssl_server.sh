#!/bin/bash
# SPDX-License-Identifier: MIT
#
# openssl_server.sh SERVER: examples/openssl_server against a real Pebble.
#
# Proven: from nothing it comes to serve a certificate that a verifying client accepts, by
# tls-alpn-01 on its own port (RFC 8737); started again it serves what it had stored, without a
# word to the CA; a client that wants another name is refused.
set -euo pipefail
. "$(dirname "$0")/pebble.sh"

server=$1
name=www.example.net
server_pid=

finish() {
    stop_server
    pebble_stop
}

stop_server() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
        server_pid=
        if grep -q Sanitizer "$PEBBLE_DIR/server.log"; then
            cat "$PEBBLE_DIR/server.log" >&2
            exit 1
        fi
    fi
}

start_server() {
    "$server" "$name" "$PEBBLE_TLS_PORT" "$PEBBLE_DIR/state" "$PEBBLE_URL" "$PEBBLE_CA" \
        2>"$PEBBLE_DIR/server.log" &
    server_pid=$!
}

# fetch NAME: what a client that believes Pebble's root gets.
fetch() {
    curl -s --noproxy '*' --max-time 5 --cacert "$PEBBLE_ROOT" \
        --resolve "$1:$PEBBLE_TLS_PORT:127.0.0.1" "https://$1:$PEBBLE_TLS_PORT/"
}

# wait_for_hello: fetch until it works.
wait_for_hello() {
    local deadline=$((SECONDS + 40))
    until [ "$(fetch "$name")" = hello ]; do
        if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$server_pid" 2>/dev/null; then
            echo "no certificate came:" >&2
            cat "$PEBBLE_DIR/server.log" >&2
            exit 1
        fi
        sleep 0.05
    done
}

pebble_start
trap finish EXIT
start_server
wait_for_hello
echo "served: $(fetch "$name")"
if fetch other.example.net >/dev/null; then
    echo "a name that is not ours was served" >&2
    exit 1
fi
stop_server

requests=$(grep -c 'calling handler' "$PEBBLE_LOG")
start_server
wait_for_hello
if [ "$requests" != "$(grep -c 'calling handler' "$PEBBLE_LOG")" ]; then
    echo "a restart asked the CA" >&2
    exit 1
fi
echo "served again from the store"
