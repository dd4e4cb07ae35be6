#include "tools/export_args.h"

#include "capture/export/patterns.h"
#include "capture/export/secrets.h"
#include "proxy/base/clock.h"
#include "proxy/base/span.h"

/* A hundred years. */
#define MAX_SESSION_DAYS 36500

static bool read_cookies(const struct args *args, struct export_options *options, struct err *err)
{
    uint64_t days = 0;

    if (args->session_expiry != NULL &&
        (!span_u64(span_of(args->session_expiry), &days) || days == 0 || days > MAX_SESSION_DAYS))
        return err_set(err, ERR_USAGE, "'--session-expiry' is a number of days from 1 to %d, not '%s'",
                       MAX_SESSION_DAYS, args->session_expiry);
    options->session_days = (unsigned)days;
    options->now_us = clock_wall_us();
    options->no_httponly_prefix = args->no_httponly_prefix;
    options->strip_partitioned = args->partitioned == 2;
    return true;
}

static bool parse_examples(const char *text, unsigned *out_count, struct err *err)
{
    uint64_t count;

    if (text == NULL)
        return true;
    if (!span_u64(span_of(text), &count) || count == 0 || count > 1000)
        return err_set(err, ERR_USAGE, "'--max-examples' is a number from 1 to 1000, not '%.100s'", text);
    *out_count = (unsigned)count;
    return true;
}

/* Each export reads them, too. */
static bool check_templates(const struct export_options *options, struct err *err)
{
    struct template *template;

    if (!patterns_template(options, &template, err))
        return false;
    template_free(template);
    return true;
}

static bool read_collection(const struct args *args, struct export_options *options, struct err *err)
{
    options->profile = args->profile == 2 ? EXPORT_FAITHFUL : EXPORT_RUNNABLE;
    options->tests = (enum export_tests)args->tests;
    options->cookies = args->cookies != 0 ? (enum export_cookies)(args->cookies - 1) : EXPORT_COOKIES_JAR;
    options->keeps_all = args->no_dedup;
    options->keeps_paths = args->no_template;
    options->patterns = args->template.items;
    options->pattern_count = args->template.count;
    if (!check_templates(options, err))
        return false;
    options->links = args->link || (options->profile == EXPORT_RUNNABLE &&
                                    options->group == EXPORT_CHRONOLOGICAL && !args->no_link);
    options->max_example_bytes =
        args->max_example_body.is_given ? args->max_example_body.bytes : EXPORT_MAX_EXAMPLE_BYTES;
    if (options->profile == EXPORT_FAITHFUL &&
        (args->group_by != 0 || args->no_dedup || args->no_template || args->template.count != 0))
        return err_set(err, ERR_USAGE,
                       "a faithful collection is in order of time, with nothing merged or templated: "
                       "--group-by, --no-dedup, --template and --no-template are for the other profile");
    if (options->profile == EXPORT_FAITHFUL && args->cookies != 0)
        return err_set(
            err, ERR_USAGE,
            "a faithful collection sends cookies as they were: --cookies is for the other profile");
    if (options->profile == EXPORT_FAITHFUL && (args->link || args->no_link))
        return err_set(err, ERR_USAGE,
                       "a faithful collection sends what was sent: --link and --no-link are for the other "
                       "profile");
    if (args->link && args->no_link)
        return err_set(err, ERR_USAGE, "'--link' and '--no-link' can't be given together");
    return parse_examples(args->max_examples, &options->max_examples, err);
}

/* The patterns of secrets are read by each export; whether they can be is known before the first. */
static bool check_patterns(const char *path, struct err *err)
{
    struct secrets *secrets = secrets_new();
    bool ok = secrets_load_patterns(secrets, path, err);

    secrets_free(secrets);
    return ok;
}

bool export_args_read(const struct args *args, struct export_options *options, struct err *err)
{
    static const enum export_secrets secrets[] = { EXPORT_SECRETS_ENV, EXPORT_SECRETS_ENV,
                                                   EXPORT_SECRETS_DROP, EXPORT_SECRETS_KEEP };

    options->secrets = secrets[args->secrets];
    options->secret_patterns = args->secret_patterns;
    if (args->secret_patterns != NULL && !check_patterns(args->secret_patterns, err))
        return false;
    return read_collection(args, options, err) && read_cookies(args, options, err);
}

bool export_args_check(const struct export_options *options, struct err *err)
{
    return options->secrets != EXPORT_SECRETS_DROP || options->format->hiding != EXPORT_HIDES_NOTHING ||
           err_set(err, ERR_USAGE, "'%s' can't leave secrets out: --secrets drop is for other formats",
                   options->format->name);
}
