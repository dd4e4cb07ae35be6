/* export: a session in another tool's format. The formats are capture/export's; here are words and files. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "capture/export/export.h"
#include "capture/export/source_guard.h"
#include "capture/export/survey.h"
#include "capture/filter.h"
#include "capture/jar.h"
#include "capture/store/store.h"
#include "proxy/base/mem.h"
#include "tools/bundle.h"
#include "tools/command.h"
#include "tools/export_args.h"
#include "tools/export_fit.h"
#include "tools/export_told.h"
#include "tools/format.h"
#include "tools/progress.h"
#include "tools/text.h"

const char *cmd_export_word(size_t i, const char **out_about)
{
    *out_about = export_formats[i].what;
    return export_formats[i].name;
}

static void show_progress(void *self, enum export_phase phase, uint64_t done, uint64_t total)
{
    static const char *const words[] = { [EXPORT_LEARNING] = "looking for secrets",
                                         [EXPORT_WRITING] = "writing",
                                         [EXPORT_CHECKING] = "checking that no secret was written" };
    struct strbuf text = STRBUF_EMPTY;

    if (!progress_is_due(self))
        return;
    strbuf_add_str(&text, words[phase]);
    if (total != 0)
        strbuf_printf(&text, ": exchange %llu of %llu", (unsigned long long)done, (unsigned long long)total);
    progress_show(self, strbuf_span(&text), done, total);
    strbuf_clear(&text);
}

/* "DIR/", there or not. */
static bool is_folder(const char *path)
{
    return path != NULL && span_ends(span_of(path), SPAN("/"));
}

/* What makes no sense with --into. */
static bool check_into(const struct args *args, const struct export_options *options, struct err *err)
{
    const char *path = args->output != NULL ? args->output : args->into;

    if (args->into == NULL)
        return true;
    if (strcmp(options->format->name, "collection") != 0)
        return err_set(err, ERR_USAGE, "only a 'collection' can be merged --into a file, '%s' can't",
                       options->format->name);
    if (survey_is_flat(options) || options->keeps_all)
        return err_set(err, ERR_USAGE,
                       "--into merges endpoints: --profile faithful, --group-by chronological and --no-dedup "
                       "have exchanges instead, which are others in each capture");
    if (strcmp(path, "-") == 0 || strcmp(args->into, "-") == 0)
        return err_set(err, ERR_USAGE, "--into reads a file and replaces it: stdin and stdout are none");
    if (is_folder(path) || is_folder(args->into))
        return err_set(err, ERR_USAGE, "--into merges into a collection, not into a folder: give its file");
    if (export_path_is_special(path) || export_path_is_special(args->into))
        return err_set(err, ERR_USAGE, "--into replaces a file, and '%s' is none",
                       export_path_is_special(path) ? path : args->into);
    return true;
}

static bool write_export(const struct args *args, const struct export_format *format, struct store *store,
                         const struct session_row *row, const struct filter *filter, struct err *err)
{
    static const enum export_group groups[] = { EXPORT_BY_BOTH, EXPORT_BY_BOTH, EXPORT_BY_DOMAIN,
                                                EXPORT_BY_ENDPOINT, EXPORT_CHRONOLOGICAL };
    const char *path = args->output != NULL && strcmp(args->output, "-") != 0 ? args->output : NULL;
    FILE *stream = stdout;
    struct export_options options = {
        .format = format,
        .group = groups[args->group_by],
        .into = args->into,
        .name = args->name,
        .host = args->host,
        .domain = args->domain,
        .explain = args->explain ? stderr : NULL,
        .report_file = args->report,
        .keep_browser_headers = args->keep_browser_headers,
    };
    struct export_report report = { 0 };
    struct export_source source;
    struct source_guard guard;
    struct progress progress;
    uint32_t last_seq;
    bool ok;

    if (!store_last_seq(store, row->id, &last_seq, err) || !export_args_read(args, &options, err) ||
        !export_args_check(&options, err) || !check_into(args, &options, err) ||
        !export_fit_check(args, store, row, filter, err))
        return false;
    if (path == NULL)
        path = args->into;
    if (is_folder(path) && strcmp(format->name, "collection") != 0)
        return err_set(err, ERR_USAGE,
                       "only a collection goes into a folder, with all that it needs; "
                       "for '%s' give the name of a file",
                       format->name);
    if (path != NULL && export_path_is_special(path)) {
        stream = fopen(path, "we");
        if (stream == NULL)
            return err_sys(err, errno, "writing to '%s'", path);
    }
    if (progress_has_place() && (path != NULL || !isatty(STDOUT_FILENO))) {
        options.progress = show_progress;
        options.progress_self = &progress;
    }
    progress_begin(&progress);
    source_store_init(&source, store, row, filter);
    source_guard_init(&guard, &source, last_seq, NULL, NULL);
    if (is_folder(path))
        ok = bundle_write(&guard.source, &options, path, &report, err);
    else
        ok = path != NULL && stream == stdout
                 ? export_to_file(&guard.source, &options, path, &report, err)
                 : export_to_stream(&guard.source, &options, stream, &report, err);
    progress_end(&progress);
    if (stream != stdout && fclose(stream) != 0 && ok)
        ok = err_sys(err, errno, "writing to '%s'", path);
    if (ok)
        export_told(&options, path, &report);
    export_report_clear(&report);
    source_store_clear(&source);
    return ok;
}

int cmd_export(const struct args *args)
{
    const struct export_format *format;
    struct filter *filter = NULL;
    struct store *store = NULL;
    struct jar_scope scope;
    struct session_row row;
    struct err err;
    bool ok;

    if (args->operands.count == 0) {
        err_set(&err, ERR_USAGE,
                "which format? usage: weir export FORMAT [SESSION]; 'weir help export' lists them");
        return command_fail(&err);
    }
    if (!format_find("", args->operands.items[0], &format, &err))
        return command_fail(&err);
    if (args->domain != NULL && !format_is_jar(format)) {
        err_set(&err, ERR_USAGE,
                "--domain goes with the cookies formats; for '%s' there is --filter 'host:%s'", format->name,
                args->domain);
        return command_fail(&err);
    }
    if (args->filter != NULL && format_is_jar(format)) {
        err_set(&err, ERR_USAGE, "--filter is about exchanges; for '%s' there is --domain", format->name);
        return command_fail(&err);
    }
    if (args->host != NULL && strcmp(format->name, "openapi") != 0) {
        err_set(&err, ERR_USAGE, "--host goes with 'openapi'; for '%s' there is --filter 'host:%s'",
                format->name, args->host);
        return command_fail(&err);
    }
    if (args->template.count != 0 && strcmp(format->name, "openapi") != 0 &&
        strcmp(format->name, "collection") != 0) {
        err_set(&err, ERR_USAGE,
                "--template goes with 'collection' and 'openapi': '%s' has paths as they were", format->name);
        return command_fail(&err);
    }
    if (!jar_scope_parse(args->domain, &scope, &err) ||
        (args->filter != NULL && !filter_parse(args->filter, &filter, &err)))
        return command_fail(&err);
    ok = command_open_store(args, STORE_READ, &store, &err);
    if (ok)
        ok = store_find_session(store, args->operands.count > 1 ? args->operands.items[1] : NULL, &row, &err);
    if (ok) {
        ok = write_export(args, format, store, &row, filter, &err);
        session_row_clear(&row);
    }
    store_close(store);
    filter_unref(filter);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}
