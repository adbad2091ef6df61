/* SPDX-License-Identifier: MIT */
/*
 * The keeper's process: let go of everything that is the server's, open what is to be kept, say so,
 * then answer one action after the other until the server has gone.
 *
 * Invariant: it ends only between actions, or by SIGKILL, and by _exit, so that nothing of the
 * server's that is registered for the end of its process runs here. It is not tied to its parent by
 * PR_SET_PDEATHSIG: that would kill it in the middle of a write, and also when the server becomes a
 * daemon or the thread that started it ends. The end of the socket says what is meant.
 */
#include "backends/keeper/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/keeper/channel.h"
#include "backends/keeper/duty.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/wire.h"
#include "thinair/account_file.h"
#include "thinair/files.h"
#include "thinair/openssl.h"

/* Where the socket is once everything else is closed; 2 stays, for what a library complains of. */
#define SOCKET 3

/* Longest sentence to the server. */
#define REASON_SIZE_MAX 2048

/* A result without records. */
#define ROOM_SIZE 1024

/* Longer paths are nobody's. */
#define PATH_SIZE 2048

static bool leave_server(int socket);
static enum air_error open_all(
    struct air_duty *duty, const struct air_keeper_config *config, struct air_buffer *reason);
static bool tell(enum air_error error, air_span reason, air_span reference);
static void serve(struct air_duty *duty);
static bool get_text(struct air_wire_reader *reader, char out[PATH_SIZE]);

void air_keeper_child_run(int socket, const struct air_keeper_config *config) {
    struct air_duty *duty = NULL;
    struct air_buffer reason;
    enum air_error error = AIR_ERR_STATE;

    air_buffer_init(&reason, REASON_SIZE_MAX);
    if (leave_server(socket)) {
        duty = air_memory_new(sizeof(*duty));
        error = duty != NULL ? open_all(duty, config, &reason) : AIR_ERR_NO_MEMORY;
    }
    if (tell(error, air_buffer_span(&reason), air_span_text(NULL)) && error == AIR_OK) {
        serve(duty);
    }
    _exit(0);
}

static void reset_signals(void) {
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); /* handlers are the server's */
    }
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* False: something that must be is not. */
static bool leave_server(int socket) {
    const struct rlimit none = {0, 0};
    const int nowhere = open("/dev/null", O_RDWR);

    reset_signals();
    (void)umask(S_IRWXG | S_IRWXO);
    (void)prctl(PR_SET_NAME, "thinair-keeper", 0, 0, 0);
    if (nowhere < 0 || dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 ||
        (socket != SOCKET && dup2(socket, SOCKET) < 0)) {
        return false;
    }
    return close_range(SOCKET + 1, ~0U, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static enum air_error open_all(
    struct air_duty *duty, const struct air_keeper_config *config, struct air_buffer *reason) {
    enum air_error error = air_crypto_openssl_new(&duty->crypto);

    duty->vault.crypto = duty->crypto;
    if (error == AIR_OK) {
        error = air_storage_files_new(config->state_dir, AIR_FILES_CREATE, &duty->storage, reason);
    }
    return error;
}

static bool tell(enum air_error error, air_span reason, air_span reference) {
    struct air_buffer frame;
    bool is_told;

    air_buffer_init(&frame, REASON_SIZE_MAX + AIR_KEY_PEM_SIZE_MAX);
    air_frame_begin(&frame);
    air_wire_put_u8(&frame, (uint8_t)error);
    air_wire_put_span(&frame, error == AIR_OK ? air_span_text(NULL) : reason);
    air_wire_put_span(&frame, reference);
    is_told = air_frame_end(&frame) == AIR_OK && air_frame_write(SOCKET, air_buffer_span(&frame));
    air_buffer_deinit(&frame);
    return is_told;
}

static bool answer_account(struct air_duty *duty, struct air_wire_reader *reader) {
    char path[PATH_SIZE];
    struct air_buffer reference;
    struct air_buffer reason;
    uint64_t key = 0;
    uint32_t number = 0;
    bool is_told = false;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&reason, REASON_SIZE_MAX);
    if (get_text(reader, path)) {
        enum air_error error = air_account_file_load(path, duty->crypto, &key, &reason);

        if (error == AIR_OK) {
            error = air_vault_add(&duty->vault, key, &number);
        }
        if (error == AIR_OK) {
            error = air_vault_refer(&duty->vault, number, &reference);
        }
        is_told = tell(error, air_buffer_span(&reason), air_buffer_span(&reference));
    }
    air_buffer_deinit(&reference);
    air_buffer_deinit(&reason);
    return is_told;
}

static bool answer_pair(struct air_duty *duty, struct air_wire_reader *reader) {
    char chain_path[PATH_SIZE];
    char key_path[PATH_SIZE];
    struct air_keeper_pair pair = {.chain_path = chain_path, .key_path = key_path};
    struct air_buffer reason;
    bool is_told = false;

    air_buffer_init(&reason, REASON_SIZE_MAX);
    pair.certificate = air_wire_get_span(reader);
    pair.key_type = (enum air_key_type)air_wire_get_u8(reader);
    if (get_text(reader, chain_path) && get_text(reader, key_path)) {
        const enum air_error error = air_duty_add_pair(duty, &pair, &reason);

        is_told = tell(error, air_buffer_span(&reason), air_span_text(NULL));
    }
    air_buffer_deinit(&reason);
    return is_told;
}

/* A string as a terminated text. */
static bool get_text(struct air_wire_reader *reader, char out[PATH_SIZE]) {
    const air_span text = air_wire_get_span(reader);

    if (reader->error != AIR_OK || text.size >= PATH_SIZE || air_span_find(text, 0) < text.size) {
        return false;
    }
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
    return true;
}

/* For the result of a write or a lock: once it is carried out it can be told. */
static bool make_room(struct air_buffer *frame) {
    const size_t size = frame->size;

    if (air_buffer_extend(frame, ROOM_SIZE) == NULL) {
        return false;
    }
    air_buffer_truncate(frame, size);
    return true;
}

static bool answer_action(struct air_duty *duty, air_span wire) {
    struct air_action *action = NULL;
    struct air_buffer frame;
    bool is_answered = air_action_decode(wire, &action) == AIR_OK;

    if (is_answered) {
        air_buffer_init(&frame, AIR_WIRE_SIZE_MAX + AIR_FRAME_HEAD_SIZE);
        air_frame_begin(&frame);
        is_answered = make_room(&frame) && air_duty_carry_out(duty, action, &frame) &&
                      air_frame_end(&frame) == AIR_OK &&
                      air_frame_write(SOCKET, air_buffer_span(&frame));
        air_buffer_deinit(&frame);
        air_action_free(action);
    }
    return is_answered;
}

/* False, for what nobody may ask or what is damaged, ends the process: the server has lost its
 * senses, or somebody else has taken it over. */
static bool answer(struct air_duty *duty, air_span content, bool *is_sealed) {
    struct air_wire_reader reader = {.rest = content};

    switch (air_wire_get_u8(&reader)) {
    case AIR_FRAME_ACTION:
        return answer_action(duty, reader.rest);
    case AIR_FRAME_ACCOUNT:
        return !*is_sealed && answer_account(duty, &reader);
    case AIR_FRAME_PAIR:
        return !*is_sealed && answer_pair(duty, &reader);
    case AIR_FRAME_SEAL:
        *is_sealed = true;
        return true;
    default:
        return false;
    }
}

static void serve(struct air_duty *duty) {
    struct air_buffer content;
    bool is_sealed = false;

    air_buffer_init(&content, AIR_WIRE_SIZE_MAX);
    while (
        air_frame_read(SOCKET, &content) && answer(duty, air_buffer_span(&content), &is_sealed)) {
        air_buffer_clear(&content);
    }
}
