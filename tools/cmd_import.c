/* import: another tool's file as a session. The formats are capture/import's; here are words and progress. */
#include <stdio.h>

#include "capture/import/import.h"
#include "proxy/base/mem.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/progress.h"
#include "tools/text.h"

static void show_progress(void *self, uint64_t done, uint64_t total)
{
    struct strbuf text = STRBUF_EMPTY;

    if (!progress_is_due(self))
        return;
    text_add_size(&text, done);
    strbuf_add_str(&text, " of ");
    text_add_size(&text, total);
    progress_show(self, strbuf_span(&text), done, total);
    strbuf_clear(&text);
}

static void add_reasons(struct strbuf *out, const struct import_report *report)
{
    for (size_t i = 0; i < IMPORT_REASON_COUNT; i++) {
        if (report->reasons[i].count == 0)
            continue;
        strbuf_printf(out, "weir: %llu ", (unsigned long long)report->reasons[i].count);
        strbuf_add_str(out, import_reason_text((enum import_reason)i));
        strbuf_add_str(out, " (first: ");
        text_add_shown(out, span_of(report->reasons[i].first));
        strbuf_add_str(out, ")\n");
    }
}

static void add_damages(struct strbuf *out, const char *path, const struct import_report *report)
{
    for (uint64_t i = 0; i < report->damage_count && i < IMPORT_DAMAGES; i++) {
        strbuf_add_str(out, "weir: ");
        text_add_shown(out, span_of(path));
        strbuf_add_str(out, ": ");
        text_add_shown(out, span_of(report->damages[i]));
        strbuf_add_char(out, '\n');
    }
    if (report->damage_count > IMPORT_DAMAGES)
        strbuf_printf(out, "weir: and %llu more places\n",
                      (unsigned long long)(report->damage_count - IMPORT_DAMAGES));
}

static bool is_nothing(const struct import_report *report)
{
    return report->exchanges == 0 && report->cookies == 0;
}

static void say_report(const char *path, const struct import_report *report)
{
    struct strbuf out = STRBUF_EMPTY;

    add_reasons(&out, report);
    add_damages(&out, path, report);
    if (is_nothing(report)) {
        strbuf_add_str(&out, "weir: nothing was imported\n");
    } else {
        strbuf_add_str(&out, "weir: imported ");
        if (report->exchanges != 0 || report->cookies == 0)
            text_add_count(&out, report->exchanges, "exchange", "exchanges");
        else
            text_add_count(&out, report->cookies, "cookie", "cookies");
        strbuf_add_str(&out, " into the session '");
        text_add_shown(&out, span_of(report->session));
        strbuf_add_str(&out, "'\n");
    }
    fputs(strbuf_text(&out), stderr);
    strbuf_clear(&out);
}

/* Of one operand the file; of two the first is the word "cookies". */
static const char *file_of(const struct args *args, const struct import_format **out_format, struct err *err)
{
    bool is_word = args->operands.count == 2 && strcmp(args->operands.items[0], "cookies") == 0;

    *out_format = args->format != 0 ? &import_formats[args->format - 1] : NULL;
    if (args->operands.count == 0 || (args->operands.count == 2 && !is_word)) {
        err_set(err, ERR_USAGE, "%s; usage: weir import [cookies] FILE",
                args->operands.count == 0 ? "which file?" : "one file at a time");
        return NULL;
    }
    for (size_t i = 0; is_word && import_formats[i].name != NULL; i++)
        if (strcmp(import_formats[i].name, "cookies") == 0)
            *out_format = &import_formats[i];
    return args->operands.items[args->operands.count - 1];
}

int cmd_import(const struct args *args)
{
    struct progress progress;
    struct import_report report;
    struct import_options options = {
        .session_name = args->session,
        .progress = progress_has_place() ? show_progress : NULL,
        .progress_self = &progress,
    };
    struct err err;
    const char *path = file_of(args, &options.format, &err);
    char *store = path != NULL ? config_store_path(args->store, &err) : NULL;
    bool ok;

    if (store == NULL)
        return command_fail(&err);
    options.store_path = store;
    progress_begin(&progress);
    ok = import_file(path, &options, &report, &err);
    progress_end(&progress);
    mem_free(store);
    if (!ok)
        return command_fail(&err);
    say_report(path, &report);
    return report.damage_count != 0 || is_nothing(&report) ? EXIT_FAILED : EXIT_DONE;
}
