/* SPDX-License-Identifier: MIT */
/*
 * Feeds every file of a folder to a fuzz target, where there is no libFuzzer.
 *
 * usage: fuzz_NAME FOLDER. Exit status: 0 all fed, 1 the folder has no file or cannot be read. A
 * broken promise ends the process with a signal.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* No input of a corpus is larger. */
#define INPUT_SIZE_MAX 2097152

static bool feed(const char *folder, const char *name);

int main(int argc, char **argv) {
    size_t fed_count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 1;
    }
    bool is_whole = true;
    const struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            is_whole = feed(argv[1], entry->d_name) && is_whole;
            fed_count++;
        }
    }
    (void)closedir(folder);
    (void)printf("%zu inputs\n", fed_count);
    return is_whole && fed_count > 0 ? 0 : 1;
}

/* In memory of exactly its size, so that AddressSanitizer sees a read beyond its end. */
static bool feed(const char *folder, const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    static uint8_t read_bytes[INPUT_SIZE_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(read_bytes, 1, sizeof(read_bytes), file);
    bool is_read = ferror(file) == 0 && size < sizeof(read_bytes);
    (void)fclose(file);
    uint8_t *input = malloc(size > 0 ? size : 1);
    if (!is_read || input == NULL) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        free(input);
        return false;
    }
    memcpy(input, read_bytes, size);
    (void)air_fuzz_one(input, size);
    free(input);
    return true;
}
