#include "tools/format.h"

#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tools/opt.h"

#define JAR_PREFIX "cookies-"

/* What follows prefix in the name; NULL: it has another. */
static const char *rest_of(const struct export_format *format, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(format->name, prefix, len) == 0 ? format->name + len : NULL;
}

static bool unknown(const char *prefix, const char *name, struct err *err)
{
    struct strbuf names = STRBUF_EMPTY;
    const char *guess, **all;
    size_t count = 0;

    for (const struct export_format *format = export_formats; format->name != NULL; format++)
        count++;
    all = mem_array(const char *, count + 1);
    count = 0;
    for (const struct export_format *format = export_formats; format->name != NULL; format++) {
        if (rest_of(format, prefix) == NULL)
            continue;
        all[count] = rest_of(format, prefix);
        strbuf_printf(&names, "%s%s", count != 0 ? ", " : "", all[count]);
        count++;
    }
    guess = opt_guess(name, all);
    if (guess != NULL)
        err_set(err, ERR_USAGE, "no format '%s'; did you mean '%s'?", name, guess);
    else
        err_set(err, ERR_USAGE, "no format '%s'; there is %s", name, strbuf_text(&names));
    mem_free(all);
    strbuf_clear(&names);
    return false;
}

bool format_find(const char *prefix, const char *name, const struct export_format **out_format,
                 struct err *err)
{
    for (const struct export_format *format = export_formats; format->name != NULL; format++) {
        const char *rest = rest_of(format, prefix);
        if (rest != NULL && strcmp(rest, name) == 0) {
            *out_format = format;
            return true;
        }
    }
    return unknown(prefix, name, err);
}

bool format_is_jar(const struct export_format *format)
{
    return rest_of(format, JAR_PREFIX) != NULL;
}
