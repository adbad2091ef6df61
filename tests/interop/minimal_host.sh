#!/bin/bash
# SPDX-License-Identifier: MIT
#
# minimal_host.sh HOST: examples/minimal_host against a real Pebble.
#
# Proven: an engine driven by hand, with blocking calls only, comes to a certificate by http-01
# (RFC 8555 section 8.3) that Pebble's root vouches for; a second run finds it and orders nothing.
set -euo pipefail
. "$(dirname "$0")/pebble.sh"

host=$1
name=www.example.net

run() {
    timeout 60 "$host" "$name" "$PEBBLE_DIR/web" "$PEBBLE_DIR/state" "$PEBBLE_URL" "$PEBBLE_CA"
}

pebble_start
mkdir -p "$PEBBLE_DIR/web/.well-known/acme-challenge"
timeout 120 python3 -m http.server --bind 127.0.0.1 --directory "$PEBBLE_DIR/web" \
    "$PEBBLE_HTTP_PORT" >"$PEBBLE_DIR/web.log" 2>&1 &
web=$!
trap 'kill "$web" 2>/dev/null; pebble_stop' EXIT
for ((i = 0; i < 100; i++)); do
    curl -s -o "$PEBBLE_DIR/web.html" "http://127.0.0.1:$PEBBLE_HTTP_PORT/" && break
    sleep 0.1
done
run
live=$PEBBLE_DIR/state/live/$name/ecdsa-p256
openssl verify -CAfile "$PEBBLE_ROOT" -untrusted "$live/fullchain.pem" -verify_hostname "$name" \
    "$live/fullchain.pem"
orders=$(grep -c 'POST /order-plz' "$PEBBLE_LOG")
run
if [ "$orders" != "$(grep -c 'POST /order-plz' "$PEBBLE_LOG")" ]; then
    echo "the second run ordered again" >&2
    exit 1
fi
