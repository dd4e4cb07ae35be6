#include "tools/bundle.h"

#include <errno.h>
#include <sys/stat.h>

#include "capture/export/files.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

struct bundle {
    const struct export_source *source;
    const struct export_options *options;
    char *stem;       /* "shop/session": what its files' names begin with */
    const char *name; /* "session" */
};

/* "folder/name", of the characters of a session's name that every shell and system leaves alone. */
static void make_stem(struct bundle *bundle, const char *folder)
{
    struct strbuf stem = STRBUF_EMPTY;

    strbuf_add_str(&stem, folder);
    for (const char *c = bundle->source->session->name; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                        *c == '_' || (*c == '.' && c != bundle->source->session->name);

        strbuf_add_char(&stem, is_plain ? *c : '-');
    }
    bundle->stem = strbuf_detach(&stem);
    bundle->name = bundle->stem + strlen(folder);
}

static bool write_collection(const struct bundle *bundle, struct export_report *out_report, struct err *err)
{
    struct export_options options = *bundle->options;
    char *path = mem_printf("%s%s", bundle->stem, options.format->file_name);
    char *report = mem_printf("%s.report.json", bundle->stem);
    bool ok;

    if (options.report_file == NULL)
        options.report_file = report;
    ok = export_to_file(bundle->source, &options, path, out_report, err);
    mem_free(path);
    mem_free(report);
    return ok;
}

/* Values of cookies are what jars are for: without secrets there are none. */
static bool write_jars(const struct bundle *bundle, struct err *err)
{
    static const char *const formats[] = { "cookies-tough", "cookies-netscape", "cookies-playwright" };
    bool ok = true;

    if (bundle->options->secrets == EXPORT_SECRETS_DROP)
        return true;
    for (size_t i = 0; ok && i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct export_options options = *bundle->options;
        struct export_report report;
        char *path;

        options.format = export_find_format(formats[i]);
        options.report_file = NULL;
        options.explain = NULL;
        path = mem_printf("%s%s", bundle->stem, options.format->file_name);
        ok = export_to_file(bundle->source, &options, path, &report, err);
        export_report_clear(&report);
        mem_free(path);
    }
    return ok;
}

static void print_readme(const struct bundle *bundle, const struct export_report *report, FILE *out)
{
    const char *name = bundle->name;
    bool has_jar = bundle->options->secrets != EXPORT_SECRETS_DROP;

    fprintf(out, "# %s\n\nRun it with [newman](https://www.npmjs.com/package/newman), in this folder:\n\n",
            name);
    fprintf(out, "    newman run %s%s", name, bundle->options->format->file_name);
    if (report->values_path != NULL)
        fprintf(out, " -e %s%s", name, bundle->options->format->values_name);
    if (has_jar && bundle->options->profile == EXPORT_RUNNABLE &&
        bundle->options->cookies == EXPORT_COOKIES_JAR)
        fprintf(out, " --cookie-jar %s.cookies.json", name);
    if (report->has_files)
        fprintf(out, " --working-dir %s.files", name);
    fputs(" --timeout-request 15000\n\n", out);
    if (report->values_path != NULL)
        fprintf(out, "- `%s%s` has the values of secrets%s.\n", name, bundle->options->format->values_name,
                report->values != 0 ? ": keep it to yourself, or give it with what they open"
                                    : ", which are empty: fill them in");
    if (has_jar)
        fprintf(out,
                "- `%s.cookies.json` (newman), `%s.cookies.txt` (curl, wget, Python) and "
                "`%s.storage-state.json` (Playwright) have the cookies: keep them to yourself.\n",
                name, name, name);
    if (report->has_files)
        fprintf(out, "- `%s.files` has bodies that requests send.\n", name);
    fprintf(out, "- `%s.report.json` says what became of each exchange, and why.\n", name);
}

static bool write_readme(const struct bundle *bundle, const struct export_report *report, const char *folder,
                         struct err *err)
{
    char *path = mem_printf("%sREADME.md", folder);
    struct outfile out;
    bool ok = outfile_open(&out, path, err);

    if (ok) {
        print_readme(bundle, report, out.file);
        ok = outfile_commit(&out, err);
    }
    mem_free(path);
    return ok;
}

bool bundle_write(const struct export_source *source, const struct export_options *options,
                  const char *folder, struct export_report *out_report, struct err *err)
{
    struct bundle bundle = { .source = source, .options = options };
    bool ok;

    *out_report = (struct export_report){ .considered = 0 };
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_sys(err, errno, "can't make the folder '%s'", folder);
    make_stem(&bundle, folder);
    ok = write_collection(&bundle, out_report, err) && write_jars(&bundle, err) &&
         write_readme(&bundle, out_report, folder, err);
    mem_free(bundle.stem);
    return ok;
}
