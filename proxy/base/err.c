#include "proxy/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return false;
}

/* ": what" behind the text, as far as it fits. */
static void append(struct err *err, const char *what)
{
    strncat(err->text, ": ", sizeof err->text - strlen(err->text) - 1);
    strncat(err->text, what, sizeof err->text - strlen(err->text) - 1);
}

bool err_add(struct err *err, const char *format, ...)
{
    char below[sizeof err->text];
    va_list args;

    memcpy(below, err->text, sizeof below);
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    append(err, below);
    return false;
}

bool err_sys(struct err *err, int errno_value, const char *format, ...)
{
    const char *reason = strerrordesc_np(errno_value);
    va_list args;

    err->code = ERR_SYS;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    append(err, reason != NULL ? reason : "unknown error");
    return false;
}
