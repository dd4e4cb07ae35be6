#include "tools/kept.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/export/files.h"
#include "capture/jar.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tools/cookie_sync.h"
#include "tools/export_args.h"
#include "tools/format.h"
#include "tools/export_told.h"
#include "tools/live_export.h"
#include "tools/text.h"

/* Whoever sees nothing happen for so long wonders. */
#define SAY_AFTER_US (1000 * 1000)

/* What somebody in a hurry waits without noticing: most exports are made in less. */
#define HURRIED_US (500 * 1000)

struct kept {
    char *store_path;
    struct cookie_sync *sync; /* NULL: none is asked for */
    char **domains;           /* of the synced files; owned */
    size_t domain_count;
    struct live_export **exports;
    bool *wants_cookies_only; /* of each: cookies are all that it holds */
    size_t export_count;
    const char **paths; /* of all, borrowed from args */
    size_t path_count;
    bool is_quiet;
};

/* --- what is asked for --------------------------------------------------------------------------------- */

static bool check_path(struct kept *kept, const char *path, struct err *err)
{
    struct outfile probe;

    if (strcmp(path, "-") == 0)
        return err_set(err, ERR_USAGE, "only a file can be kept up to date, not stdout");
    for (size_t i = 0; i < kept->path_count; i++)
        if (strcmp(kept->paths[i], path) == 0)
            return err_set(err, ERR_USAGE, "'%s' can't be two files at once", path);
    if (!outfile_open(&probe, path, err))
        return false;
    outfile_abandon(&probe);
    kept->paths = mem_realloc(kept->paths, (kept->path_count + 1) * sizeof *kept->paths);
    kept->paths[kept->path_count++] = path;
    return true;
}

/* "FORMAT:FILE" */
static bool read_target(struct kept *kept, const char *text, const char *prefix,
                        const struct export_format **out_format, const char **out_path, struct err *err)
{
    const char *colon = strchr(text, ':');
    char *name;
    bool ok;

    if (colon == NULL || colon == text || colon[1] == '\0')
        return err_set(err, ERR_USAGE, "'%s' is not FORMAT:FILE", text);
    name = mem_spandup(span_make(text, (size_t)(colon - text)));
    ok = format_find(prefix, name, out_format, err) && check_path(kept, colon + 1, err);
    mem_free(name);
    *out_path = colon + 1;
    return ok;
}

/* "DOMAIN[,...]=FORMAT:FILE" */
static bool add_sync(struct kept *kept, const char *text, const struct export_options *asked, struct err *err)
{
    const char *equals = strchr(text, '='), *path;
    struct export_options options = *asked;
    struct jar_scope scope;
    char *domain;

    if (equals == NULL || equals == text)
        return err_set(err, ERR_USAGE, "'%s' is not DOMAIN[,...]=FORMAT:FILE", text);
    domain = mem_spandup(span_make(text, (size_t)(equals - text)));
    kept->domains = mem_realloc(kept->domains, (kept->domain_count + 1) * sizeof *kept->domains);
    kept->domains[kept->domain_count++] = domain;
    options.domain = domain;
    if (!jar_scope_parse(domain, &scope, err) ||
        !read_target(kept, equals + 1, "cookies-", &options.format, &path, err))
        return false;
    if (kept->sync == NULL)
        kept->sync = cookie_sync_new();
    cookie_sync_add(kept->sync, &options, path);
    return true;
}

static bool add_export(struct kept *kept, const char *text, const struct export_options *asked,
                       bool has_only_cookies, struct err *err)
{
    struct export_options options = *asked;
    const char *path;
    size_t i = kept->export_count;

    if (!read_target(kept, text, "", &options.format, &path, err))
        return false;
    if (has_only_cookies && !format_is_jar(options.format))
        return err_set(err, ERR_USAGE, "with --cookies-only nothing is recorded that '%s' could hold",
                       options.format->name);
    if (!export_args_check(&options, err))
        return false;
    kept->exports = mem_realloc(kept->exports, (i + 1) * sizeof(struct live_export *));
    kept->wants_cookies_only = mem_realloc(kept->wants_cookies_only, (i + 1) * sizeof(bool));
    kept->exports[i] = live_export_new(&options, path);
    kept->wants_cookies_only[i] = format_is_jar(options.format);
    kept->export_count++;
    return true;
}

static bool add_all(struct kept *kept, const struct args *args, struct err *err)
{
    struct export_options asked = { .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES };

    if (!export_args_read(args, &asked, err))
        return false;
    for (size_t i = 0; i < args->sync_cookies.count; i++)
        if (!add_sync(kept, args->sync_cookies.items[i], &asked, err))
            return err_add(err, "--sync-cookies");
    for (size_t i = 0; i < args->live_export.count; i++)
        if (!add_export(kept, args->live_export.items[i], &asked, args->cookies_only, err))
            return err_add(err, "--export");
    return true;
}

bool kept_new(const struct args *args, struct kept **out_kept, struct err *err)
{
    struct kept *kept = NULL;

    *out_kept = NULL;
    if (args->sync_cookies.count + args->live_export.count == 0)
        return true;
    if (args->session_per != 0)
        return err_set(err, ERR_USAGE,
                       "--sync-cookies and --export are of one session: they don't go with --session-per");
    kept = mem_new(struct kept);
    kept->is_quiet = args->quiet;
    if (!add_all(kept, args, err)) {
        kept_free(kept);
        return false;
    }
    *out_kept = kept;
    return true;
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    cookie_sync_free(kept->sync);
    for (size_t i = 0; i < kept->export_count; i++)
        live_export_free(kept->exports[i]);
    for (size_t i = 0; i < kept->domain_count; i++)
        mem_free(kept->domains[i]);
    mem_free(kept->domains);
    mem_free(kept->exports);
    mem_free(kept->wants_cookies_only);
    mem_free(kept->paths);
    mem_free(kept->store_path);
    mem_free(kept);
}

/* --- while it runs ------------------------------------------------------------------------------------- */

bool kept_start(struct kept *kept, const char *store_path, int64_t session, struct err *err)
{
    kept->store_path = mem_strdup(store_path);
    if (kept->sync != NULL && !cookie_sync_start(kept->sync, kept->store_path, session, err))
        return false;
    for (size_t i = 0; i < kept->export_count; i++)
        if (!live_export_start(kept->exports[i], kept->store_path, session, err))
            return false;
    return true;
}

void kept_note(void *self, unsigned news)
{
    struct kept *kept = self;

    if (kept->sync != NULL && (news & CAPTURE_NEW_COOKIES) != 0)
        cookie_sync_ask(kept->sync);
    for (size_t i = 0; i < kept->export_count; i++)
        if ((news & (kept->wants_cookies_only[i] ? CAPTURE_NEW_COOKIES : CAPTURE_NEW_EXCHANGES)) != 0)
            live_export_ask(kept->exports[i]);
}

/* --- the end ------------------------------------------------------------------------------------------- */

/* A last export under way. */
struct last {
    const volatile sig_atomic_t *is_hurried;
    const char *path;
    uint64_t began_us, hurried_us; /* hurried_us 0: nobody is in a hurry */
    bool has_said;
};

static void say_writing(const char *path)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_add_str(&line, "weir: writing '");
    text_add_shown(&line, span_of(path));
    strbuf_add_str(&line, "' to its end; Ctrl-C gives it up\n");
    fputs(strbuf_text(&line), stderr);
    strbuf_clear(&line);
}

static bool goes_on(void *self)
{
    struct last *last = self;
    uint64_t now_us;

    if (*last->is_hurried == 0 && last->has_said)
        return true;
    now_us = clock_mono_us();
    if (*last->is_hurried != 0 && last->hurried_us == 0)
        last->hurried_us = now_us;
    if (!last->has_said && now_us - last->began_us >= SAY_AFTER_US) {
        last->has_said = true;
        if (isatty(STDERR_FILENO))
            say_writing(last->path);
    }
    return last->hurried_us == 0 || now_us - last->hurried_us < HURRIED_US;
}

static bool finish_export(const struct kept *kept, struct live_export *export,
                          const volatile sig_atomic_t *is_hurried, struct err *err)
{
    struct last last = {
        .is_hurried = is_hurried,
        .path = live_export_path(export),
        .began_us = clock_mono_us(),
    };
    struct export_report report;
    bool ok = live_export_finish(export, goes_on, &last, &report, err);

    if (ok && !kept->is_quiet)
        export_told(live_export_options(export), last.path, &report);
    else if (!ok && err->code == ERR_CLOSED)
        err_set(err, ERR_CLOSED, "'%s' is not complete: its last export was given up", last.path);
    export_report_clear(&report);
    return ok;
}

bool kept_finish(struct kept *kept, const volatile sig_atomic_t *is_hurried, struct err *err)
{
    struct err later;
    bool ok = kept->sync == NULL || cookie_sync_finish(kept->sync, err);

    for (size_t i = 0; i < kept->export_count; i++)
        live_export_end(kept->exports[i]);
    for (size_t i = 0; i < kept->export_count; i++)
        ok = finish_export(kept, kept->exports[i], is_hurried, ok ? err : &later) && ok;
    return ok;
}
