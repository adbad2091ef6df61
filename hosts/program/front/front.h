/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_FRONT_H
#define AIR_PROGRAM_FRONT_H

/*
 * The TLS front of `thinair run`: it ends TLS on listening sockets and forwards the bytes, both
 * ways, to a backend chosen by SNI name.
 *
 * Every worker is a thread with a loop of its own; all accept from all listeners. Nothing in a loop
 * blocks, and no direction of a connection queues more than AIR_FRONT_PIPE_SIZE bytes: a side whose
 * peer is slow is not read.
 *
 * How a connection ends:
 *
 * - Either side may close its direction (close_notify from the client, FIN from the backend); the
 *   other direction goes on. The close is passed on after what was queued before it.
 * - No route, backend unreachable, acme-tls/1 handshake done, idle too long: close_notify, then a
 *   lingering close, so that the client reads the end rather than a reset.
 * - A direction that ends without its end mark is never made to look complete: when the client's
 *   TCP stream ends without close_notify (RFC 8446 section 6.1), the backend gets a reset; when the
 *   backend resets, the client gets what was queued and no close_notify.
 *
 * The functions of a front may be called by any thread, air_front_stop() once and last.
 */

#include <openssl/types.h>

#include "thinair/buffer.h"

#define AIR_FRONT_PIPE_SIZE 32768 /* two TLS records (RFC 8446 section 5.1) */
#define AIR_FRONT_THREADS_MAX 64
#define AIR_FRONT_LISTENERS_MAX 64
#define AIR_FRONT_CHALLENGES_MAX 64 /* acme-tls/1 handshakes at once (R-G1) */
#define AIR_FRONT_ADDRESSES_MAX 16  /* per backend, tried in the resolver's order */

struct air_front;

/* Every number that is 0 means its default. */
struct air_front_config {
    size_t size;          /* sizeof(struct air_front_config) */
    SSL_CTX *context;     /* of air_front_context_new(), attached to a table; shared, not taken */
    const int *listeners; /* listening stream sockets */
    size_t listeners_count;
    unsigned threads_count; /* default: one per processor */
    /* Default: 10,000. Less when RLIMIT_NOFILE has no room for two descriptors each: raise it
     * before the start. The backlog holds the clients beyond. */
    uint32_t connections_max;
    uint32_t handshake_timeout_ms; /* default: 10 s, whole */
    uint32_t challenge_timeout_ms; /* default: 5 s, whole, for acme-tls/1 (R-G1) */
    uint32_t connect_timeout_ms;   /* default: 5 s, for each address of a backend */
    uint32_t idle_timeout_ms;      /* default: 5 min without a byte in either direction */
};

/* Where the connections of a name go. */
struct air_front_route {
    air_span name;       /* the SNI name, "*.example.net" for one label; empty: the default */
    air_span to;         /* "HOST:PORT", "[::1]:8080", "unix:/path" */
    bool proxy_protocol; /* begin with a PROXY protocol v2 header: addresses, ALPN, SNI name */
};

/* What happened since the start, and what is so now. */
struct air_front_counts {
    uint64_t accepted_count;
    uint64_t handshakes_done_count;
    uint64_t handshakes_failed_count; /* also those that took too long or were given up */
    uint64_t challenges_count;        /* acme-tls/1 handshakes done */
    uint64_t backend_failures_count;  /* connections whose backend could not be reached */
    uint64_t unrouted_count;          /* connections whose name has no route */
    uint64_t idle_closed_count;
    uint64_t accept_pauses_count; /* the limit was reached, or descriptors ran out */
    uint64_t received_size;       /* bytes from clients, decrypted */
    uint64_t sent_size;           /* bytes to clients, before encryption */
    uint64_t active_count;        /* connections open now, in any state */
    uint64_t held_count;          /* directions not read now because the other side is slow */
    uint64_t queued_size;         /* memory of the queues now, in bytes */
};

/*
 * Make an SSL_CTX with the settings a front needs: TLS 1.2 and 1.3, forward secrecy, no
 * renegotiation, session tickets under keys that are replaced. The caller attaches it to a table:
 * air_server_attach(), air_tls_attach().
 *
 * out  Yours: SSL_CTX_free(). AIR_ERR_NO_MEMORY, AIR_ERR_CRYPTO.
 */
AIR_MUST_CHECK enum air_error air_front_context_new(SSL_CTX **out);

/*
 * Start the workers. Until air_front_routes_set() is called, connections are closed after their
 * handshake: enough to answer acme-tls/1.
 *
 * config  Read during the call. On success the listeners are the front's, which closes them when it
 *         stops, so that new clients are refused rather than kept waiting; on failure they stay the
 *         caller's.
 * out     Yours: air_front_stop().
 * reason  A sentence on failure; may be NULL.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_ARGUMENT   no context, no or too many listeners or threads, a wrong size.
 *   AIR_ERR_NO_MEMORY  also when the system gives no thread or descriptor; reason says which.
 */
AIR_MUST_CHECK enum air_error air_front_start(
    const struct air_front_config *config, struct air_front **out, struct air_buffer *reason);

/*
 * Replace all routes, whole or not at all. Connections that have their backend keep it; new ones
 * use the new routes. Names are resolved now, once: this call may block on the resolver.
 *
 * routes  Copied. None: connections are closed after their handshake.
 * reason  On failure a sentence that names the route; may be NULL.
 *
 * Returns AIR_OK, or, with the old routes still in force,
 *   AIR_ERR_MALFORMED  `to` is none of the three forms.
 *   AIR_ERR_BAD_NAME   a name that is no DNS name.
 *   AIR_ERR_EXISTS     two routes for one name.
 *   AIR_ERR_NETWORK    a host does not resolve; call again later.
 *   AIR_ERR_NO_MEMORY
 */
AIR_MUST_CHECK enum air_error air_front_routes_set(struct air_front *front,
    const struct air_front_route *routes, size_t routes_count, struct air_buffer *reason);

/* Read the counts: each exact, not all taken at one instant. */
void air_front_counts(const struct air_front *front, struct air_front_counts *counts);

/*
 * Stop: close the listeners, let the connections end by themselves for up to grace_ms, close the
 * rest, wait for the workers, free everything. NULL is accepted.
 */
void air_front_stop(struct air_front *front, uint32_t grace_ms);

#endif
