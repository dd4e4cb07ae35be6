/* import_target: a capture whose store is thrown away, for the fuzz targets of imports. */
#ifndef WEIR_TESTS_FUZZ_IMPORT_TARGET_H
#define WEIR_TESTS_FUZZ_IMPORT_TARGET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/import/import_job.h"

#define TARGET_NOW_US (1795305600ull * 1000000)

static char target_folder[] = "/tmp/weir-fuzz-XXXXXX";
static struct capture *target_capture;

static void target_end(void)
{
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    struct capture_summary summary;
    struct err err;
    char path[64];

    capture_end(target_capture, &summary, &err); /* nobody reads it */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", target_folder, names[i]);
        unlink(path);
    }
    rmdir(target_folder);
}

static void target_begin(void)
{
    const struct capture_options options = { .session_name = "fuzz" };
    struct err err;
    char path[64];

    if (mkdtemp(target_folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/db", target_folder);
    if (!capture_start(path, &options, &target_capture, &err))
        abort();
    atexit(target_end);
}

static void target_read(const uint8_t *bytes, size_t size, void (*read)(struct import_job *job))
{
    struct import_report report = { 0 };
    struct import_job job = { .report = &report, .now_us = TARGET_NOW_US };

    if (target_capture == NULL)
        target_begin();
    job.input = input_of(span_make(bytes, size));
    job.capture = target_capture;
    job.session = roster_at(capture_shared(target_capture)->roster, 0);
    read(&job);
    input_free(job.input);
}

#endif
