/* SPDX-License-Identifier: MIT */
/*
 * Giving up privileges, for good and for the whole process. The order is the only one that works:
 * groups before the group, the group before the user, and a try to return at the end.
 *
 * Invariant: when air_privilege_drop() answers AIR_OK, no call brings the old user back.
 */
#include "hosts/program/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts/program/text.h"

void air_privilege_harden(void) {
    const struct rlimit none = {0, 0};

    (void)umask(S_IRWXG | S_IRWXO);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static enum air_error find_user(
    const char *user, uid_t *uid, gid_t *gid, struct air_buffer *reason) {
    struct passwd *found;

    errno = 0;
    found = getpwnam(user);
    if (found == NULL) {
        air_text_format(reason,
            "--user %s: there is no such user; make one with 'useradd --system "
            "%s'",
            user, user);
        return AIR_ERR_NOT_FOUND;
    }
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return AIR_OK;
}

enum air_error air_privilege_prepare(
    const char *state_dir, const char *user, struct air_buffer *reason) {
    uid_t uid;
    gid_t gid;
    int handle;
    enum air_error error;

    if (user == NULL || geteuid() != 0) {
        return AIR_OK;
    }
    error = find_user(user, &uid, &gid, reason);
    if (error != AIR_OK || (mkdir(state_dir, S_IRWXU) != 0 && errno == EEXIST)) {
        return error;
    }
    /* The folder is ours alone until its owner changes, so the handle can only be that folder. */
    handle = open(state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0 || fchown(handle, uid, gid) != 0) {
        air_text_format(reason, "%s cannot be made: %s", state_dir, strerror(errno));
        error = AIR_ERR_PERMISSION;
    }
    if (handle >= 0) {
        close(handle);
    }
    return error;
}

enum air_error air_privilege_drop(const char *user, struct air_buffer *reason) {
    uid_t uid;
    gid_t gid;
    enum air_error error = find_user(user, &uid, &gid, reason);

    if (error != AIR_OK || (geteuid() == uid && getuid() == uid && uid != 0)) {
        return error;
    }
    if (geteuid() != 0) {
        air_text_format(reason,
            "--user %s: only root can become another user; start as root, or "
            "drop the flag",
            user);
        return AIR_ERR_PERMISSION;
    }
    if (uid == 0) {
        return AIR_OK;
    }
    if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ||
        setuid(0) == 0 || geteuid() != uid || getegid() != gid) {
        air_text_format(reason, "--user %s: could not become that user: %s", user, strerror(errno));
        return AIR_ERR_PERMISSION;
    }
    return AIR_OK;
}
