/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_CERTIFICATE_H
#define AIR_TEST_SUPPORT_FAKE_CERTIFICATE_H

/*
 * Requests and certificates of the fake crypto port, and what a fake CA needs to answer one with
 * the other.
 *
 * A request is plain text:          A certificate is a PEM block, its body base64url of:
 *
 *   fake csr 1                        fake certificate 1
 *   key-type ecdsa-p256               not-before 1795446245000
 *   key <hex of spki_sha256>          not-after 1803222245000
 *   name example.net                  serial <hex>
 *   name www.example.net              key-type ecdsa-p256
 *   must-staple                       key <hex of spki_sha256>
 *   country CH                        subject <hex>       "signed" by the block whose
 *   state Bern                        issuer <hex>        subject is this issuer
 *   locality Thun                     server-auth
 *   organization Example              name example.net
 *                                     challenge <hex>     only for tls-alpn-01
 *
 * Dates are milliseconds since 1970. Names, must-staple and the subject's parts come as often as
 * they apply.
 */

#include "thinair/crypto.h"

#define AIR_FAKE_NAMES_MAX 100
#define AIR_FAKE_ID_SIZE 20

struct air_fake_csr {
    enum air_key_type key_type;
    uint8_t spki_sha256[AIR_SHA256_SIZE];
    air_span names[AIR_FAKE_NAMES_MAX]; /* borrowed from the text that was read */
    size_t names_count;
    bool must_staple;
    struct air_subject subject; /* borrowed, too */
};

struct air_fake_certificate {
    air_time_ms not_before_ms;
    air_time_ms not_after_ms;
    uint8_t serial[AIR_SERIAL_SIZE_MAX];
    size_t serial_size;
    enum air_key_type key_type;
    uint8_t spki_sha256[AIR_SHA256_SIZE];
    uint8_t subject[AIR_FAKE_ID_SIZE];
    uint8_t issuer[AIR_FAKE_ID_SIZE];
    bool is_server_auth;
    bool has_challenge;
    uint8_t challenge[AIR_SHA256_SIZE];
    air_span names[AIR_FAKE_NAMES_MAX]; /* borrowed from the caller, or from `text` below */
    size_t names_count;
    struct air_buffer text; /* what air_fake_certificate_read() decoded */
};

/* Append a request. */
enum air_error air_fake_csr_write(const struct air_fake_csr *csr, struct air_buffer *out);

/* AIR_ERR_MALFORMED: not a request of ours. */
enum air_error air_fake_csr_read(air_span text, struct air_fake_csr *out);

/* Append a certificate as PEM. */
enum air_error air_fake_certificate_write(
    const struct air_fake_certificate *certificate, struct air_buffer *out);

/* Read the first certificate of a chain. Yours on success: air_fake_certificate_deinit().
 * AIR_ERR_MALFORMED: there is none. */
enum air_error air_fake_certificate_read(air_span chain, struct air_fake_certificate *out);
void air_fake_certificate_deinit(struct air_fake_certificate *certificate);

/*
 * What a CA does: append the chain that answers a request, a leaf and the certificate that "signed"
 * it. The leaf's serial is the eight bytes of `serial`.
 *
 * Returns AIR_OK, the buffer's error, or AIR_ERR_MALFORMED: not a request of ours.
 */
enum air_error air_fake_certificate_issue(air_span csr, air_time_ms not_before_ms,
    air_time_ms not_after_ms, uint64_t serial, struct air_buffer *chain);

/* Append a PEM block with a body of base64url; read the body of one back. */
enum air_error air_fake_pem_write(const char *label, air_span body, struct air_buffer *out);
enum air_error air_fake_pem_read(air_span block, struct air_buffer *body);

#endif
