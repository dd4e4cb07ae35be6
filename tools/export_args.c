#include "tools/export_args.h"

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

/* The patterns are read by each export; whether they can be is known before the first. */
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
    return read_cookies(args, options, err);
}

bool export_args_check(const struct export_options *options, struct err *err)
{
    return options->secrets != EXPORT_SECRETS_DROP || options->format->hiding != EXPORT_HIDES_NOTHING ||
           err_set(err, ERR_USAGE, "'%s' can't leave secrets out: --secrets drop is for other formats",
                   options->format->name);
}
