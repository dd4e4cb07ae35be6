/* A file is rendered in memory and compared with what was written last: cookies change all the time, but
 * mostly other ones. */
#include "tools/cookie_sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/export/files.h"
#include "capture/jar_follow.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "tools/keeper.h"

/* A change takes up to 175 ms to the store (see recorder.h, writer.h); this and the writing fit into what is
 * left of 250 ms. */
#define REST_US 25000
/* A jar that takes long to write must not take all of a core. */
#define REST_FACTOR 1

/* The wall clock, by which cookies expire, may be set: look again at least so often. */
#define LOOK_AGAIN_US (10 * 1000 * 1000)

struct file {
    struct export_options options;
    char *path;
    char *last; /* what was written last; of malloc; NULL: nothing yet */
    size_t last_len;
    bool is_failing;
};

struct cookie_sync {
    struct file *files;
    size_t count;
    struct jar_follow *follow; /* the keeper's thread's, while that runs */
    int64_t session;
    bool has_jar;    /* the session has had a cookie */
    bool is_failing; /* the store can't be read */
    struct keeper *keeper;
};

static bool render(const struct cookie_sync *sync, struct file *file, char **out_bytes, size_t *out_len,
                   struct err *err)
{
    const struct session_row session = { .id = sync->session };
    struct export_source source;
    struct export_report report;
    FILE *stream = open_memstream(out_bytes, out_len);
    bool ok;

    if (stream == NULL)
        return err_sys(err, errno, "making '%s'", file->path);
    source_store_init(&source, jar_follow_store(sync->follow), &session, NULL);
    source.jar = jar_follow_jar(sync->follow);
    source.jar_us = clock_wall_us();
    file->options.now_us = source.jar_us;
    ok = export_to_stream(&source, &file->options, stream, &report, err);
    export_report_clear(&report);
    source_store_clear(&source);
    fclose(stream);
    if (!ok)
        free(*out_bytes);
    return ok;
}

static bool replace(const char *path, struct span bytes, bool is_final, struct err *err)
{
    struct outfile out;

    if (!outfile_open(&out, path, err))
        return false;
    fwrite(bytes.ptr, 1, bytes.len, out.file); /* the end looks at its errors */
    return is_final ? outfile_commit(&out, err) : outfile_show(&out, err);
}

static bool write_file(const struct cookie_sync *sync, struct file *file, bool is_final, struct err *err)
{
    char *bytes;
    size_t len;

    if (!render(sync, file, &bytes, &len, err))
        return false;
    if (file->last != NULL && file->last_len == len && memcmp(file->last, bytes, len) == 0) {
        free(bytes);
        return true;
    }
    if (!replace(file->path, span_make(bytes, len), is_final, err)) {
        free(bytes);
        return false;
    }
    free(file->last);
    file->last = bytes;
    file->last_len = len;
    return true;
}

/* A failure is told once, and so is its end. */
static void tell(bool *is_failing, bool ok, const char *path, const struct err *err)
{
    if (!ok && !*is_failing)
        log_error("sync", "cookies are not up to date, it is tried again", LOG_S("file", path),
                  LOG_S("why", err->text));
    else if (ok && *is_failing)
        log_warn("sync", "cookies are up to date again", LOG_S("file", path));
    *is_failing = !ok;
}

static uint64_t next_expiry_us(const struct cookie_sync *sync)
{
    uint64_t wall_us = clock_wall_us(), expiry_us = jar_next_expiry_us(jar_follow_jar(sync->follow), wall_us);
    uint64_t wait_us;

    if (expiry_us == UINT64_MAX)
        return UINT64_MAX;
    wait_us = expiry_us - wall_us;
    return clock_mono_us() + (wait_us < LOOK_AGAIN_US ? wait_us : LOOK_AGAIN_US);
}

static bool work(void *self, uint64_t *out_again_us)
{
    struct cookie_sync *sync = self;
    bool all_ok = true, has_news, ok;
    struct err err;

    ok = jar_follow_step(sync->follow, &has_news, &err);
    tell(&sync->is_failing, ok, sync->files[0].path, &err);
    if (!ok)
        return false;
    sync->has_jar = sync->has_jar || has_news;
    if (!sync->has_jar)
        return true;
    for (size_t i = 0; i < sync->count; i++) {
        ok = write_file(sync, &sync->files[i], false, &err);
        tell(&sync->files[i].is_failing, ok, sync->files[i].path, &err);
        all_ok = all_ok && ok;
    }
    *out_again_us = next_expiry_us(sync);
    return all_ok;
}

struct cookie_sync *cookie_sync_new(void)
{
    struct cookie_sync *sync = mem_new(struct cookie_sync);
    struct keeper_options options = {
        .least_rest_us = REST_US,
        .rest_factor = REST_FACTOR,
        .work = work,
        .self = sync,
    };

    sync->keeper = keeper_new(&options);
    return sync;
}

void cookie_sync_free(struct cookie_sync *sync)
{
    if (sync == NULL)
        return;
    keeper_free(sync->keeper);
    jar_follow_free(sync->follow);
    for (size_t i = 0; i < sync->count; i++) {
        mem_free(sync->files[i].path);
        free(sync->files[i].last);
    }
    mem_free(sync->files);
    mem_free(sync);
}

void cookie_sync_add(struct cookie_sync *sync, const struct export_options *options, const char *path)
{
    sync->files = mem_realloc(sync->files, (sync->count + 1) * sizeof *sync->files);
    sync->files[sync->count++] = (struct file){ .options = *options, .path = mem_strdup(path) };
}

bool cookie_sync_start(struct cookie_sync *sync, const char *store_path, int64_t session, struct err *err)
{
    if (!jar_follow_new(store_path, session, &sync->follow, err))
        return false;
    sync->session = session;
    keeper_ask(sync->keeper);
    keeper_start(sync->keeper);
    return true;
}

void cookie_sync_ask(struct cookie_sync *sync)
{
    keeper_ask(sync->keeper);
}

bool cookie_sync_finish(struct cookie_sync *sync, struct err *err)
{
    struct err later;
    bool has_news, ok;

    keeper_end(sync->keeper);
    if (!jar_follow_step(sync->follow, &has_news, err))
        return false;
    ok = true;
    for (size_t i = 0; i < sync->count; i++)
        ok = write_file(sync, &sync->files[i], true, ok ? err : &later) && ok;
    return ok;
}
