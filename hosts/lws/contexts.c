/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL calls us for every SSL_CTX that is made after this object was loaded; those of
 * libwebsockets are known by the lws_context that it leaves in their data. Their client_hello and
 * certificate callbacks, which libwebsockets does not use, become ours.
 *
 * Invariant: a context of somebody else is never touched; a connection that is none of ours goes on
 * as if we were not there.
 */

#include "hosts/lws/contexts.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"

/* Where data of others is looked for in a context: there are few users of it in a process. */
#define DATA_INDEX_MAX 32

struct seen {
    struct seen *next;
    SSL_CTX *context;
    bool is_served;
};

/* A resident that serves in an lws_context. */
struct server {
    struct server *next;
    struct lws_context *context;
    struct air_resident *resident;
};

/* What clients without a name get. */
struct fallback {
    struct fallback *next;
    struct air_resident *resident;
    int port;
    char name[AIR_ID_SIZE_MAX + 1];
};

static pthread_mutex_t mutex =
    PTHREAD_MUTEX_INITIALIZER; /* guards seen_list: any thread may make one */
static struct seen *seen_list;
static struct server *servers; /* of the serving thread, as is the next */
static struct fallback *fallbacks;

static void on_made(
    void *parent, void *data, CRYPTO_EX_DATA *all, int index, long size, void *argument);
static void on_freed(
    void *parent, void *data, CRYPTO_EX_DATA *all, int index, long size, void *argument);
static bool is_of(SSL_CTX *context, const struct lws_context *owner);
static int on_client_hello(SSL *ssl, int *alert, void *argument);
static int on_certificate(SSL *ssl, void *argument);
static const struct fallback *fallback_of(SSL *ssl);

/* Before libwebsockets makes its first: a program's objects are loaded before it runs, a plugin is
 * loaded before its vhosts are made. */
__attribute__((constructor)) static void watch(void) {
    (void)SSL_CTX_get_ex_new_index(0, NULL, on_made, NULL, on_freed);
}

enum air_error air_contexts_serve(struct lws_context *context, struct air_resident *resident) {
    struct server *server = servers;
    while (server != NULL && (server->context != context || server->resident != resident)) {
        server = server->next;
    }
    if (server == NULL) {
        server = air_memory_new(sizeof(*server));
        if (server == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        *server = (struct server){.next = servers, .context = context, .resident = resident};
        servers = server;
    }
    air_contexts_look(context);
    return AIR_OK;
}

enum air_error air_contexts_fall_back(struct air_resident *resident, int port, air_span name) {
    struct fallback **place = &fallbacks;
    while (*place != NULL) {
        if ((*place)->port == port) {
            return AIR_OK;
        }
        place = &(*place)->next;
    }
    struct fallback *fallback = air_memory_new(sizeof(*fallback));
    if (fallback == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    *fallback = (struct fallback){.resident = resident, .port = port};
    (void)snprintf(
        fallback->name, sizeof(fallback->name), "%.*s", (int)name.size, (const char *)name.data);
    *place = fallback;
    return AIR_OK;
}

void air_contexts_look(struct lws_context *context) {
    (void)pthread_mutex_lock(&mutex);
    for (struct seen *seen = seen_list; seen != NULL; seen = seen->next) {
        if (!seen->is_served && is_of(seen->context, context)) {
            SSL_CTX_set_client_hello_cb(seen->context, on_client_hello, NULL);
            SSL_CTX_set_cert_cb(seen->context, on_certificate, NULL);
            seen->is_served = true;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
}

void air_contexts_leave(struct air_resident *resident) {
    for (struct server **place = &servers; *place != NULL;) {
        struct server *server = *place;
        if (server->resident == resident) {
            *place = server->next;
            air_memory_free(server, sizeof(*server));
        } else {
            place = &server->next;
        }
    }
    for (struct fallback **place = &fallbacks; *place != NULL;) {
        struct fallback *fallback = *place;
        if (fallback->resident == resident) {
            *place = fallback->next;
            air_memory_free(fallback, sizeof(*fallback));
        } else {
            place = &fallback->next;
        }
    }
}

static void on_made(
    void *parent, void *data, CRYPTO_EX_DATA *all, int index, long size, void *argument) {
    (void)data;
    (void)all;
    (void)index;
    (void)size;
    (void)argument;
    struct seen *seen = air_memory_new(sizeof(*seen));
    if (seen == NULL) {
        return; /* served as libwebsockets has it */
    }
    seen->context = parent;
    (void)pthread_mutex_lock(&mutex);
    seen->next = seen_list;
    seen_list = seen;
    (void)pthread_mutex_unlock(&mutex);
}

static void on_freed(
    void *parent, void *data, CRYPTO_EX_DATA *all, int index, long size, void *argument) {
    (void)data;
    (void)all;
    (void)index;
    (void)size;
    (void)argument;
    struct seen *found = NULL;
    (void)pthread_mutex_lock(&mutex);
    for (struct seen **place = &seen_list; *place != NULL; place = &(*place)->next) {
        if ((*place)->context == parent) {
            found = *place;
            *place = found->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    if (found != NULL) {
        air_memory_free(found, sizeof(*found));
    }
}

/* libwebsockets leaves its context in the data of its servers' contexts, at an index that it does
 * not tell. */
static bool is_of(SSL_CTX *context, const struct lws_context *owner) {
    for (int index = 0; index < DATA_INDEX_MAX; index++) {
        if (SSL_CTX_get_ex_data(context, index) == owner) {
            return true;
        }
    }
    return false;
}

static int on_client_hello(SSL *ssl, int *alert, void *argument) {
    (void)argument;
    int result = SSL_CLIENT_HELLO_SUCCESS;
    for (const struct server *server = servers; server != NULL; server = server->next) {
        result = air_resident_client_hello(server->resident, ssl, alert);
        if (result == SSL_CLIENT_HELLO_SUCCESS) {
            return result;
        }
    }
    /* A name that nobody of us has is the host's own business. */
    return result != SSL_CLIENT_HELLO_SUCCESS && *alert == SSL_AD_UNRECOGNIZED_NAME
               ? SSL_CLIENT_HELLO_SUCCESS
               : result;
}

static int on_certificate(SSL *ssl, void *argument) {
    (void)argument;
    if (!SSL_is_server(ssl)) {
        return 1;
    }
    for (const struct server *server = servers; server != NULL; server = server->next) {
        if (air_resident_certificate(server->resident, ssl, NULL)) {
            return 1;
        }
    }
    const struct fallback *fallback = fallback_of(ssl);
    if (fallback != NULL) {
        (void)air_resident_certificate(fallback->resident, ssl, fallback->name);
    }
    return 1; /* what libwebsockets loaded decides */
}

/* By the port that was connected to, where the client named nobody. */
static const struct fallback *fallback_of(SSL *ssl) {
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    int port = 0;
    if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ||
        getsockname(SSL_get_fd(ssl), (struct sockaddr *)&address, &size) != 0) {
        return NULL;
    }
    if (address.ss_family == AF_INET) {
        port = ntohs(((const struct sockaddr_in *)&address)->sin_port);
    } else if (address.ss_family == AF_INET6) {
        port = ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    }
    const struct fallback *fallback = fallbacks;
    while (fallback != NULL && fallback->port != port) {
        fallback = fallback->next;
    }
    return fallback;
}
