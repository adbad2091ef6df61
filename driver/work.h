/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_WORK_H
#define AIR_DRIVER_WORK_H

/*
 * What the files of the driver share: the driver itself, and a work: one action being carried out.
 *
 * A work begins with an action that the engine handed out, is carried out by a transfer, a thread
 * of the pool or the host, and ends by air_work_finish(). Everything but a work's `run` happens on
 * the loop's thread.
 */

#include <curl/curl.h>
#include <stdatomic.h>
#include <uv.h>

#include "thinair/driver.h"

/* Longest explanation (struct air_result). */
#define AIR_WORK_EXPLANATION_SIZE_MAX 512

/* Transfers kept for the next request; the engine has no more of them open (AIR_ACTIONS). */
#define AIR_WORK_TRANSFERS_MAX 64

struct air_socket;
struct air_transfer;

struct air_work {
    struct air_work *next;
    struct air_work *previous;
    struct air_driver *driver;
    const struct air_action *action; /* the engine's, valid until the work is finished */
    bool is_cancelled;               /* the engine no longer wants it */
    bool is_done;                    /* carried out, but the engine had no memory for the result */
    bool is_carried;                 /* by the host */
    bool is_delivered;               /* the engine took the result */
    struct air_result result;
    char explanation[AIR_WORK_EXPLANATION_SIZE_MAX + 1];

    uv_work_t request;                   /* of works on the thread pool */
    void (*run)(struct air_work *work);  /* carries the action out, on a thread of the pool */
    void (*drop)(struct air_work *work); /* gives back what `part` holds; may be NULL */
    void *part;                          /* what a kind of work needs besides this */
};

struct air_driver {
    struct air_driver_config config;
    char user_agent[256];   /* whole */
    struct air_work *works; /* open ones, in no order */
    struct air_work *spare; /* so that an action, once handed out, always has its work */
    uv_timer_t wakeup;      /* the next turn at the engine */
    size_t handles_count;   /* of ours on the loop, not yet closed */
    bool is_asking;         /* actions are being handed out */
    bool is_stopping;
    bool is_closed; /* transfers have ended and handles are being closed */
    void (*stopped)(void *host);

    bool is_curl_open;
    CURLM *multi;
    CURLSH *share; /* of TLS sessions */
    struct curl_slist *headers;
    struct curl_slist *post_headers;
    uv_timer_t curl_timer;
    struct air_socket *sockets;
    struct air_transfer *transfers; /* at rest */
    size_t transfers_count;         /* at rest */
    _Atomic uint64_t requests_count;
};

/* work.c */

/* Make sure that driver->spare is there. AIR_ERR_NO_MEMORY. */
enum air_error air_work_reserve(struct air_driver *driver);

/* Turn the spare into the work of an action. */
struct air_work *air_work_begin(struct air_driver *driver, const struct air_action *action);

/* The open work of an action, or NULL. */
struct air_work *air_work_find(const struct air_driver *driver, uint64_t id);

/* Set the explanation: what is longer than its maximum is cut, control bytes become '?'. */
void air_work_explain(struct air_work *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Give the result to the engine and free the work. Is the engine short of memory, the work stays
 * and air_work_retry() tries again.
 */
void air_work_finish(struct air_work *work, enum air_error error);
void air_work_retry(struct air_driver *driver);

/* Have work->run called by a thread of the pool, then finish with work->result.error. */
void air_work_queue(struct air_work *work);

/* Free without a word to the engine. */
void air_work_free(struct air_work *work);

/* driver.c */

/* Ask the engine again in at most delay_ms; the earliest call wins. */
void air_driver_arm(struct air_driver *driver, uint64_t delay_ms);

/* A work is gone. */
void air_driver_work_ended(struct air_driver *driver);

/* One more handle of the driver's is on the loop; one has been closed. */
void air_driver_handle_opened(struct air_driver *driver);
void air_driver_handle_closed(struct air_driver *driver);

/* storage_work.c, key_work.c: carry the action out on the thread pool. */
void air_storage_work_start(struct air_work *work);
void air_key_work_start(struct air_work *work);

/* transfer.c */

enum air_error air_transfers_init(struct air_driver *driver);

/* Send the request of an HTTP action. */
void air_transfer_start(struct air_work *work);

/* End a transfer early; its work is finished with that error. */
void air_transfer_stop(struct air_work *work, enum air_error error);

/* Finish the works whose transfers have ended: after every call that lets curl work. */
void air_transfers_collect(struct air_driver *driver);

/* There is no memory to watch this transfer's socket: air_transfers_sweep() will end it. */
void air_transfer_starve(CURL *easy);
void air_transfers_sweep(struct air_driver *driver);

/* Close every connection and free everything of curl's. No transfer may be running. */
void air_transfers_deinit(struct air_driver *driver);

/* sockets.c: what curl waits for, as handles of the loop. */
enum air_error air_sockets_init(struct air_driver *driver);
void air_sockets_close(struct air_driver *driver);

#endif
