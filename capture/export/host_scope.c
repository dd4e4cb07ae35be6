#include "capture/export/host_scope.h"

bool host_scope_parse(const char *text, struct host_scope *out_scope, struct err *err)
{
    struct err why;

    return url_parse_authority(span_of(text), &out_scope->authority, &why) ||
           err_set(err, ERR_USAGE, "'%.100s' is no HOST[:PORT]: %.100s", text, why.text);
}

bool host_scope_takes(const struct host_scope *scope, const struct record *record)
{
    return span_ieq(record->host, span_of(scope->authority.host)) &&
           (scope->authority.port == 0 || scope->authority.port == record->port);
}
