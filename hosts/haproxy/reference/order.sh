#!/bin/sh
# SPDX-License-Identifier: MIT
# Keys, once; then an order. -f: what is refused leaves no file behind.
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out account.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out example.net.key

curl -f -XPOST -u acme:acme \
    -F 'account_key=@account.key' \
    -F 'domain=example.net' \
    -F 'domain_key=@example.net.key' \
    -F 'aliases=www.example.net,example.com,www.example.com' \
    -o example.net.pem http://127.0.0.1:9011/acme/order
