#!/bin/bash
# SPDX-License-Identifier: MIT
# bench/swap.sh [RENEWALS [HANDSHAKES]]: `thinair run` with an ECDSA and an RSA certificate from a
# real Pebble, renewed over and over through its admin socket while bench_swap opens a connection
# for every request. Default: 500 renewals, 50,000 handshakes. Needs build/release with thinair and
# bench_swap, and what tests/interop/pebble.sh needs; leaves nothing behind.
# Exit status: 0 the promise held, 1 it did not, 2 something is missing.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 2

renewals=${1:-500}
handshakes=${2:-50000}
name=swap.example.net
pids=()

for program in build/release/bin/thinair build/release/bin/bench_swap; do
    [ -x "$program" ] || { echo "swap: $program is not built" >&2; exit 2; }
done

leave() {
    local status=$? pid
    trap - EXIT INT TERM HUP
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    pebble_stop
    [ -n "${place-}" ] && rm -rf -- "$place"
    exit "$status"
}

# A page that answers at once, with a backlog for all clients.
page() {
    exec python3 -c '
import asyncio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


async def answer(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError):
        pass


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())'
}

# Order anew as soon as the last order is done; refused requests are repeated.
renew() {
    while :; do
        curl -s -o /dev/null --max-time 5 --unix-socket "$place/state/admin.sock" -X POST \
            "http://localhost/renew/$name"
        sleep 0.05
    done
}

# Whether both certificates are served.
serves_both() {
    local algorithms
    for algorithms in ECDSA+SHA256 RSA-PSS+SHA256; do
        openssl s_client -connect "127.0.0.1:$PEBBLE_TLS_PORT" -servername "$name" -tls1_3 \
            -sigalgs "$algorithms" -CAfile "$PEBBLE_ROOT" -verify_return_error \
            </dev/null >/dev/null 2>&1 || return 1
    done
}

# wait_for SECONDS COMMAND...
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

. tests/interop/pebble.sh
trap leave EXIT
place=$(mktemp -d "${TMPDIR:-/tmp}/thinair-swap.XXXXXX") || exit 2
pebble_start || exit 2
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

page >"$place/page.port" &
pids+=("$!")
wait_for 10 test -s "$place/page.port" || exit 2
build/release/bin/thinair run --name "$name" --to "127.0.0.1:$(cat "$place/page.port")" \
    --key ecdsa-p256,rsa-2048 --agree-terms --ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA" \
    --state "$place/state" --listen "127.0.0.1:$PEBBLE_TLS_PORT" \
    --http "127.0.0.1:$PEBBLE_HTTP_PORT" 2>"$place/thinair.log" &
thinair=$!
pids+=("$thinair")
if ! wait_for 60 serves_both; then
    tail -n 20 "$place/thinair.log" >&2
    exit 1
fi
renew &
pids+=("$!")
build/release/bin/bench_swap --connect "127.0.0.1:$PEBBLE_TLS_PORT" --name "$name" \
    --root "$PEBBLE_ROOT" --renewals "$renewals" --handshakes "$handshakes" --pid "$thinair" \
    --threads 4 --time-limit 3600
