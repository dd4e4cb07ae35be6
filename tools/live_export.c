#include "tools/live_export.h"

#include <stdatomic.h>
#include <stdio.h>

#include "capture/export/source_guard.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "tools/keeper.h"

#define REST_US     (1000 * 1000)
#define REST_FACTOR 32

struct live_export {
    struct export_options options;
    char *path;
    const char *store_path;
    int64_t session;
    bool is_failing; /* the keeper's thread's */
    atomic_bool is_ending;
    struct keeper *keeper;
};

static bool find_session(const struct live_export *export, struct store *store, struct session_row *out_row,
                         struct err *err)
{
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)export->session);
    return store_find_session(store, id, out_row, err);
}

static bool write_from(struct live_export *export, struct store *store, const struct session_row *row,
                       bool (*goes_on)(void *self), void *self, struct export_report *out_report,
                       struct err *err)
{
    struct export_source source;
    struct source_guard guard;
    uint32_t last_seq;
    bool ok;

    if (!store_last_seq(store, row->id, &last_seq, err))
        return false;
    source_store_init(&source, store, row, NULL);
    source_guard_init(&guard, &source, last_seq, goes_on, self);
    export->options.now_us = clock_wall_us();
    ok = export_to_file(&guard.source, &export->options, export->path, out_report, err);
    source_store_clear(&source);
    return ok;
}

static bool write_export(struct live_export *export, bool (*goes_on)(void *self), void *self,
                         struct export_report *out_report, struct err *err)
{
    struct session_row row;
    struct store *store;
    bool ok;

    *out_report = (struct export_report){ .considered = 0 };
    if (!store_open(export->store_path, STORE_READ, &store, err))
        return false;
    ok = find_session(export, store, &row, err);
    if (ok) {
        ok = write_from(export, store, &row, goes_on, self, out_report, err);
        session_row_clear(&row);
    }
    store_close(store);
    return ok;
}

static bool is_wanted(void *self)
{
    struct live_export *export = self;

    return !atomic_load(&export->is_ending);
}

static bool work(void *self, uint64_t *out_again_us)
{
    struct live_export *export = self;
    struct export_report report;
    struct err err;
    bool ok;

    (void)out_again_us;
    export->options.unsynced = true;
    ok = write_export(export, is_wanted, export, &report, &err);
    export_report_clear(&report);
    if (!is_wanted(export))
        return true;
    if (!ok && !export->is_failing)
        log_error("export", "the file is not up to date, it is tried again", LOG_S("file", export->path),
                  LOG_S("why", err.text));
    else if (ok && export->is_failing)
        log_warn("export", "the file is up to date again", LOG_S("file", export->path));
    export->is_failing = !ok;
    return ok;
}

struct live_export *live_export_new(const struct export_options *options, const char *path)
{
    struct live_export *export = mem_new(struct live_export);
    struct keeper_options keeper = {
        .least_rest_us = REST_US,
        .rest_factor = REST_FACTOR,
        .is_humble = true,
        .work = work,
        .self = export,
    };

    export->options = *options;
    export->path = mem_strdup(path);
    export->keeper = keeper_new(&keeper);
    return export;
}

void live_export_free(struct live_export *export)
{
    if (export == NULL)
        return;
    live_export_end(export);
    keeper_free(export->keeper);
    mem_free(export->path);
    mem_free(export);
}

const char *live_export_path(const struct live_export *export)
{
    return export->path;
}

const struct export_options *live_export_options(const struct live_export *export)
{
    return &export->options;
}

bool live_export_start(struct live_export *export, const char *store_path, int64_t session, struct err *err)
{
    struct session_row row;
    struct store *store;
    bool ok;

    export->store_path = store_path;
    export->session = session;
    if (!store_open(store_path, STORE_READ, &store, err))
        return false;
    ok = find_session(export, store, &row, err);
    store_close(store);
    if (!ok)
        return false;
    if (row.seen != 0)
        live_export_ask(export);
    session_row_clear(&row);
    keeper_start(export->keeper);
    return true;
}

void live_export_ask(struct live_export *export)
{
    keeper_ask(export->keeper);
}

void live_export_end(struct live_export *export)
{
    atomic_store(&export->is_ending, true);
    keeper_end(export->keeper);
}

bool live_export_finish(struct live_export *export, bool (*goes_on)(void *self), void *self,
                        struct export_report *out_report, struct err *err)
{
    export->options.unsynced = false;
    return write_export(export, goes_on, self, out_report, err);
}
