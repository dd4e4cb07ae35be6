#include "tools/cookie_args.h"

#include "proxy/base/clock.h"
#include "proxy/base/span.h"

/* A hundred years. */
#define MAX_SESSION_DAYS 36500

bool cookie_args_read(const struct args *args, struct export_options *options, struct err *err)
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
