/* SPDX-License-Identifier: MIT */
/*
 * The on-installed command: a queue and the one thread that works it off. A command that fails or
 * hangs is logged and costs nobody anything: serving goes on.
 *
 * Invariant: a child gets no descriptor of ours but standard output and error, no variable but the
 * listed ones, and no signal blocked or ignored; its whole process group is gone before the next.
 */
#include "hosts/program/hook.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hosts/program/pool.h"
#include "hosts/program/text.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define PATH_VARIABLE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VARIABLES_COUNT 6
#define VARIABLE_SIZE_MAX 32768 /* 100 names of 253 bytes fit */

struct job {
    struct job *next;
    struct air_pool pool;
    char **arguments;
    char *variables[VARIABLES_COUNT + 1];
    char *id;
};

struct air_hooks {
    const struct air_log *log;
    unsigned timeout_s;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct job *first;
    struct job **last;
    unsigned waiting_count;
    bool is_ending;
    unsigned failures_count; /* the thread's alone */
};

static void *work(void *context);
static void run_job(struct air_hooks *hooks, const struct job *job);
static bool start_job(const struct job *job, pid_t *pid, int *error);
static const char *await(pid_t pid, unsigned timeout_s, int *status);
static enum air_error fill_job(struct job *job, const struct air_hook *hook);
static void free_job(struct job *job);

enum air_error air_hooks_new(
    const struct air_log *log, unsigned timeout_s, struct air_hooks **out) {
    struct air_hooks *hooks = air_memory_new(sizeof(*hooks));

    if (hooks == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    hooks->log = log;
    hooks->timeout_s = timeout_s > 0 ? timeout_s : AIR_HOOK_TIMEOUT_S;
    hooks->last = &hooks->first;
    pthread_mutex_init(&hooks->mutex, NULL);
    pthread_cond_init(&hooks->changed, NULL);
    if (pthread_create(&hooks->thread, NULL, work, hooks) != 0) {
        pthread_cond_destroy(&hooks->changed);
        pthread_mutex_destroy(&hooks->mutex);
        air_memory_free(hooks, sizeof(*hooks));
        return AIR_ERR_NO_MEMORY;
    }
    *out = hooks;
    return AIR_OK;
}

enum air_error air_hooks_add(struct air_hooks *hooks, const struct air_hook *hook) {
    struct job *job = air_memory_new(sizeof(*job));
    enum air_error error = job == NULL ? AIR_ERR_NO_MEMORY : fill_job(job, hook);

    if (error == AIR_OK) {
        pthread_mutex_lock(&hooks->mutex);
        if (hooks->waiting_count < AIR_HOOK_WAITING_MAX) {
            *hooks->last = job;
            hooks->last = &job->next;
            hooks->waiting_count++;
            pthread_cond_signal(&hooks->changed);
        } else {
            error = AIR_ERR_LIMIT;
        }
        pthread_mutex_unlock(&hooks->mutex);
    }
    if (error != AIR_OK) {
        free_job(job);
    }
    return error;
}

unsigned air_hooks_free(struct air_hooks *hooks) {
    unsigned failures_count;

    if (hooks == NULL) {
        return 0;
    }
    pthread_mutex_lock(&hooks->mutex);
    hooks->is_ending = true;
    pthread_cond_signal(&hooks->changed);
    pthread_mutex_unlock(&hooks->mutex);
    pthread_join(hooks->thread, NULL);
    failures_count = hooks->failures_count;
    pthread_cond_destroy(&hooks->changed);
    pthread_mutex_destroy(&hooks->mutex);
    air_memory_free(hooks, sizeof(*hooks));
    return failures_count;
}

static void *work(void *context) {
    struct air_hooks *hooks = context;
    struct job *job;

    do {
        pthread_mutex_lock(&hooks->mutex);
        while (hooks->first == NULL && !hooks->is_ending) {
            pthread_cond_wait(&hooks->changed, &hooks->mutex);
        }
        job = hooks->first;
        if (job != NULL) {
            hooks->first = job->next;
            hooks->last = hooks->first == NULL ? &hooks->first : hooks->last;
            hooks->waiting_count--;
        }
        pthread_mutex_unlock(&hooks->mutex);
        if (job != NULL) {
            run_job(hooks, job);
            free_job(job);
        }
    } while (job != NULL);
    return NULL;
}

static void run_job(struct air_hooks *hooks, const struct job *job) {
    const char *program = job->arguments[0];
    const char *mistake = NULL;
    int number = 0;
    int status = 0;
    pid_t pid;

    if (!start_job(job, &pid, &number)) {
        hooks->failures_count++;
        air_log_line(hooks->log, AIR_WARNING, "%s: on-installed: %s: %s", job->id, program,
            strerror(number));
        return;
    }
    mistake = await(pid, hooks->timeout_s, &status);
    if (mistake == NULL && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        air_log_line(hooks->log, AIR_INFO, "%s: on-installed: %s ran", job->id, program);
        return;
    }
    hooks->failures_count++;
    if (mistake != NULL) {
        air_log_line(hooks->log, AIR_WARNING, "%s: on-installed: %s %s", job->id, program, mistake);
    } else if (WIFEXITED(status)) {
        air_log_line(hooks->log, AIR_WARNING, "%s: on-installed: %s exited with status %d", job->id,
            program, WEXITSTATUS(status));
    } else {
        air_log_line(hooks->log, AIR_WARNING, "%s: on-installed: %s was ended by signal %d",
            job->id, program, WTERMSIG(status));
    }
}

static bool start_job(const struct job *job, pid_t *pid, int *error) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t every;

    sigemptyset(&none);
    sigfillset(&every);
    if (posix_spawn_file_actions_init(&files) != 0) {
        *error = ENOMEM;
        return false;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        *error = ENOMEM;
        return false;
    }
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &every);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    *error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (*error == 0) {
        *error = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    }
    if (*error == 0) {
        *error = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    }
    if (*error == 0) {
        *error = posix_spawn(
            pid, job->arguments[0], &files, &attributes, job->arguments, job->variables);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return *error == 0;
}

/* NULL and a status, or what went wrong. The child is reaped in either case. */
static const char *await(pid_t pid, unsigned timeout_s, int *status) {
    struct pollfd entry = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    const char *mistake = NULL;
    int ready = entry.fd < 0 ? 0 : poll(&entry, 1, (int)timeout_s * 1000);

    if (ready <= 0) {
        mistake = "took too long and was killed";
    }
    /* Also after a good end: nothing of it may outlive its turn. The leader is not reaped yet, so
     * the group's number is still its own. */
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (entry.fd >= 0) {
        close(entry.fd);
    }
    return mistake;
}

static char *make_variable(struct air_pool *pool, const char *name, const air_span *pieces,
    size_t pieces_count, const char *separator) {
    struct air_buffer text;
    char *copy;

    air_buffer_init(&text, VARIABLE_SIZE_MAX);
    air_buffer_append_text(&text, name);
    for (size_t i = 0; i < pieces_count; i++) {
        air_buffer_append_text(&text, i > 0 ? separator : "");
        air_buffer_append_span(&text, pieces[i]);
    }
    copy = text.error == AIR_OK ? air_pool_text(pool, air_buffer_span(&text)) : NULL;
    air_buffer_deinit(&text);
    return copy;
}

static enum air_error fill_job(struct job *job, const struct air_hook *hook) {
    struct air_pool *pool = &job->pool;
    struct air_buffer digits;
    air_span key_type = air_span_text(air_key_type_text(hook->key_type));
    const air_span live[] = {
        air_span_text(hook->state_dir), air_span_text("live"), hook->certificate, key_type};
    air_span number;
    size_t count = 0;

    while (hook->command[count] != NULL) {
        count++;
    }
    air_buffer_init(&digits, 16);
    air_buffer_append_number(&digits, hook->generation);
    number = air_buffer_span(&digits);
    job->id = air_pool_text(pool, hook->certificate);
    job->arguments = air_pool_take(pool, (count + 1) * sizeof(*job->arguments));
    for (size_t i = 0; job->arguments != NULL && i < count; i++) {
        job->arguments[i] = air_pool_text(pool, air_span_text(hook->command[i]));
    }
    job->variables[0] = air_pool_text(pool, air_span_text(PATH_VARIABLE));
    job->variables[1] = make_variable(pool, "THINAIR_ID=", &hook->certificate, 1, "");
    job->variables[2] = make_variable(pool, "THINAIR_KEY_TYPE=", &key_type, 1, "");
    job->variables[3] = make_variable(pool, "THINAIR_GENERATION=", &number, 1, "");
    job->variables[4] = make_variable(pool, "THINAIR_NAMES=", hook->names, hook->names_count, " ");
    job->variables[5] =
        make_variable(pool, "THINAIR_LIVE=", live, sizeof(live) / sizeof(live[0]), "/");
    air_buffer_deinit(&digits);
    for (size_t i = 0; i < VARIABLES_COUNT; i++) {
        if (job->variables[i] == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (job->arguments == NULL || job->arguments[i] == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
    }
    return job->id == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
}

static void free_job(struct job *job) {
    if (job != NULL) {
        air_pool_deinit(&job->pool);
        air_memory_free(job, sizeof(*job));
    }
}
