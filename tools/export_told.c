#include "tools/export_told.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/export/files.h"
#include "proxy/base/strbuf.h"
#include "tools/format.h"
#include "tools/text.h"

bool export_path_is_special(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static void add_report(struct strbuf *out, const struct export_report *report)
{
    for (size_t i = 0; i < EXPORT_REASON_COUNT; i++) {
        if (report->reasons[i].count == 0)
            continue;
        strbuf_printf(out, "weir: %llu ", (unsigned long long)report->reasons[i].count);
        text_add_shown(out, span_of(export_reason_text((enum export_reason)i)));
        if (report->reasons[i].first[0] != '\0') {
            strbuf_add_str(out, " (first: ");
            text_add_shown(out, span_of(report->reasons[i].first));
            strbuf_add_char(out, ')');
        }
        strbuf_add_char(out, '\n');
    }
    if (report->has_files)
        strbuf_printf(out, "weir: bodies of requests lie in %s\n", report->files_path);
}

/* What became of the items of a file that was there. */
static void add_merged(struct strbuf *out, const struct export_options *options, const char *path,
                       const struct export_report *report)
{
    strbuf_add_str(out, "weir: merged ");
    text_add_count(out, report->considered, "exchange", "exchanges");
    strbuf_add_str(out, " into ");
    text_add_shown(out, span_of(options->into));
    if (strcmp(path, options->into) != 0) {
        strbuf_add_str(out, ", as ");
        text_add_shown(out, span_of(path));
    }
    strbuf_add_str(out, ": added ");
    text_add_count(out, report->merged.added, "item", "items");
    strbuf_printf(out, ", updated examples of %zu, kept %zu as they are", report->merged.updated,
                  report->merged.kept);
}

/* Scripts in the file are people's, the lack of one too. */
static void add_unset(struct strbuf *out, size_t count)
{
    if (count != 0)
        strbuf_printf(out,
                      "weir: %zu not linked: items that the file has without the script that sets what later "
                      "requests carry (--report names them); take them out and merge again\n",
                      count);
}

/* What items of the file send from there, they send from beside the result. */
static void add_bodies_left(struct strbuf *out, const struct export_options *options, const char *path)
{
    struct files *there = files_new(options->into), *here = files_new(path);

    if (strcmp(files_path(there), files_path(here)) != 0 && access(files_path(there), F_OK) == 0)
        strbuf_printf(out, "weir: bodies of items that were there already lie in %s: copy them to %s\n",
                      files_path(there), files_path(here));
    files_free(there);
    files_free(here);
}

static void add_written(struct strbuf *out, const struct export_format *format, const char *path,
                        const struct export_report *report)
{
    const char *plural = format_is_jar(format) ? "cookies" : "exchanges";

    if (report->considered == 0) {
        strbuf_printf(out, "weir: there are no %s: wrote an empty export", plural);
        if (path != NULL) {
            strbuf_add_str(out, " to ");
            text_add_shown(out, span_of(path));
        }
        return;
    }
    strbuf_printf(out, report->examples != 0 ? "weir: wrote %llu items of " : "weir: wrote %llu of ",
                  (unsigned long long)report->written);
    text_add_count(out, report->considered, format_is_jar(format) ? "cookie" : "exchange", plural);
    if (report->examples != 0) {
        strbuf_add_str(out, ", and ");
        text_add_count(out, report->examples, "further example", "further examples");
    }
    if (path != NULL) {
        strbuf_add_str(out, " to ");
        text_add_shown(out, span_of(path));
    }
}

void export_told(const struct export_options *options, const char *path, const struct export_report *report)
{
    struct strbuf out = STRBUF_EMPTY;

    add_report(&out, report);
    if (report->is_merged) {
        add_unset(&out, report->merged.unset);
        add_bodies_left(&out, options, path);
        add_merged(&out, options, path, report);
    } else {
        if (options->into != NULL) {
            strbuf_add_str(&out, "weir: ");
            text_add_shown(&out, span_of(options->into));
            strbuf_add_str(&out, " was not there: it is a new collection\n");
        }
        add_written(&out, options->format, path, report);
    }
    if (report->is_hidden)
        strbuf_add_str(&out, "; no known secret is in it\n");
    else if (report->written == 0)
        strbuf_add_char(&out, '\n');
    else
        strbuf_add_str(&out, "; values are as captured, passwords and tokens too: keep it secret\n");
    if (report->values_path != NULL) {
        strbuf_add_str(&out, report->blanks == 0 ? "weir: values of secrets go to "
                             : report->values == 0
                                 ? "weir: variables to fill in are in "
                                 : "weir: values of secrets, and variables to fill in, are in ");
        text_add_shown(&out, span_of(report->values_path));
        strbuf_add_str(&out, ", readable by its owner alone\n");
    } else if (options->format->hiding == EXPORT_HIDES_BY_NAME && path != NULL && report->is_hidden &&
               !export_path_is_special(path)) {
        strbuf_add_str(&out, "weir: it has no secrets, so that no file of values goes with it\n");
    }
    fputs(strbuf_text(&out), stderr);
    strbuf_clear(&out);
}
