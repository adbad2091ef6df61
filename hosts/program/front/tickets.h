/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_TICKETS_H
#define AIR_FRONT_TICKETS_H

/*
 * The keys that session tickets are sealed with (RFC 5077, RFC 8446 section 4.6.1). OpenSSL's own
 * are made once and never change, so that whoever learns them later can read every TLS 1.2 session
 * of the process's life; these are replaced, and forgotten.
 */

#include <openssl/types.h>
#include <pthread.h>

#include "thinair/thinair.h"

/* A key seals for this long, opens for as long again, and is then gone. */
#define AIR_FRONT_TICKET_KEY_LIFE_S (12 * 3600)

#define AIR_FRONT_TICKET_NAME_SIZE 16 /* as OpenSSL's callback has it */

struct air_front_ticket_key {
    uint8_t name[AIR_FRONT_TICKET_NAME_SIZE];
    uint8_t cipher[32]; /* AES-256 */
    uint8_t mac[32];    /* HMAC with SHA-256 */
};

/* Any thread may ask. Times count from an arbitrary start and never step back. */
struct air_front_tickets {
    pthread_mutex_t lock;
    struct air_front_ticket_key current;
    struct air_front_ticket_key previous;
    bool has_previous;
    int64_t made_s; /* when current was made */
};

enum air_front_ticket_match {
    AIR_FRONT_TICKET_UNKNOWN,
    AIR_FRONT_TICKET_CURRENT,
    AIR_FRONT_TICKET_PREVIOUS
};

/* False: no random bytes. */
bool air_front_tickets_init(struct air_front_tickets *tickets, int64_t now_s);
void air_front_tickets_deinit(struct air_front_tickets *tickets);

/* The key to seal with; the key of that name to open with. Copies: wipe them. */
void air_front_tickets_current(
    struct air_front_tickets *tickets, int64_t now_s, struct air_front_ticket_key *out);
enum air_front_ticket_match air_front_tickets_find(struct air_front_tickets *tickets, int64_t now_s,
    const uint8_t *name, struct air_front_ticket_key *out);

/* Have a context's tickets sealed with keys of its own, freed with it. AIR_ERR_NO_MEMORY,
 * AIR_ERR_CRYPTO. */
AIR_MUST_CHECK enum air_error air_front_tickets_attach(SSL_CTX *context);

#endif
