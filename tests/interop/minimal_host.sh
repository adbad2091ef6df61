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
    timeout 60 "$host" "$name" "$PEBBLE_HTTP_PORT" "$PEBBLE_DIR/state" "$PEBBLE_URL" "$PEBBLE_CA"
}

pebble_start
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
