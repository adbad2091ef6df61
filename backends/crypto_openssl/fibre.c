/* SPDX-License-Identifier: MIT */
/*
 * Slices by ucontext. OpenSSL's own ASYNC jobs are the same thing, but a job ends on the thread it
 * began on, its stack goes back to a pool unwiped, and the sanitizers cannot be told of it.
 *
 * Invariant: exactly one of `inside` and `outside` is waiting: inside between two slices, outside
 * during one. The stack has a page without access below it and is wiped before it is given back.
 */

#include "backends/crypto_openssl/fibre.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "backends/crypto_openssl/fibre_sanitizer.h"
#include "src/base/memory.h"

/* OpenSSL's jobs make do with 32 KiB; signal handlers of the host run on it too. */
#define STACK_SIZE ((size_t)128 * 1024)

struct air_openssl_fibre {
    ucontext_t inside;
    ucontext_t outside;
    void (*run)(void *context);
    void *context;
    uint8_t *mapping; /* the page without access, then the stack */
    size_t mapping_size;
    uint8_t *stack;
    bool has_ended;
    struct air_openssl_fibre_watch watch;
};

static bool map_stack(struct air_openssl_fibre *fibre);
static void enter(unsigned high, unsigned low);

enum air_error air_openssl_fibre_new(
    void (*run)(void *context), void *context, struct air_openssl_fibre **out) {
    struct air_openssl_fibre *fibre = air_memory_new(sizeof(*fibre));
    if (fibre == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (!map_stack(fibre) || getcontext(&fibre->inside) != 0) {
        air_openssl_fibre_free(fibre);
        return AIR_ERR_NO_MEMORY;
    }
    fibre->run = run;
    fibre->context = context;
    fibre->inside.uc_stack.ss_sp = fibre->stack;
    fibre->inside.uc_stack.ss_size = STACK_SIZE;
    fibre->inside.uc_link = NULL;
    /* makecontext() hands on nothing but ints. */
    uintptr_t self = (uintptr_t)fibre;
    makecontext(&fibre->inside, (void (*)(void))enter, 2, (unsigned)((uint64_t)self >> 32),
        (unsigned)((uint64_t)self & UINT32_MAX));
    air_openssl_fibre_watch_init(&fibre->watch, fibre->stack, STACK_SIZE);
    *out = fibre;
    return AIR_OK;
}

bool air_openssl_fibre_resume(struct air_openssl_fibre *fibre) {
    /* The slice runs with the signals blocked that this thread blocks, not those of the last. */
    (void)pthread_sigmask(SIG_SETMASK, NULL, &fibre->inside.uc_sigmask);
    air_openssl_fibre_watch_enter(&fibre->watch);
    (void)swapcontext(&fibre->outside, &fibre->inside);
    air_openssl_fibre_watch_left(&fibre->watch);
    return fibre->has_ended;
}

void air_openssl_fibre_pause(struct air_openssl_fibre *fibre) {
    air_openssl_fibre_watch_leave(&fibre->watch, false);
    (void)swapcontext(&fibre->inside, &fibre->outside);
    air_openssl_fibre_watch_entered(&fibre->watch);
}

void air_openssl_fibre_free(struct air_openssl_fibre *fibre) {
    if (fibre == NULL) {
        return;
    }
    if (fibre->stack != NULL) {
        air_openssl_fibre_watch_deinit(&fibre->watch);
        explicit_bzero(fibre->stack, STACK_SIZE);
        (void)munmap(fibre->mapping, fibre->mapping_size);
    }
    air_memory_free(fibre, sizeof(*fibre));
}

static bool map_stack(struct air_openssl_fibre *fibre) {
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0) {
        return false;
    }
    size_t size = (size_t)page + STACK_SIZE;
    void *mapping =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    if (mprotect(mapping, (size_t)page, PROT_NONE) != 0) {
        (void)munmap(mapping, size);
        return false;
    }
    /* A core dump has no business with half-made keys. Where that cannot be said, so be it. */
    (void)madvise(mapping, size, MADV_DONTDUMP);
    fibre->mapping = mapping;
    fibre->mapping_size = size;
    fibre->stack = fibre->mapping + page;
    return true;
}

/* The bottom of the stack: it has nowhere to return to. */
static void enter(unsigned high, unsigned low) {
    struct air_openssl_fibre *fibre =
        (struct air_openssl_fibre *)(uintptr_t)(((uint64_t)high << 32) | low);
    air_openssl_fibre_watch_entered(&fibre->watch);
    fibre->run(fibre->context);
    fibre->has_ended = true;
    air_openssl_fibre_watch_leave(&fibre->watch, true);
    (void)setcontext(&fibre->outside);
}
