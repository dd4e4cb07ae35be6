/* capture_args: what a person asked of a capture, as the proxy takes it and as the session remembers it. */
#ifndef WEIR_TOOLS_CAPTURE_ARGS_H
#define WEIR_TOOLS_CAPTURE_ARGS_H

#include <stdbool.h>

#include "capture/keep.h"
#include "proxy/base/err.h"
#include "proxy/live/proxy.h"
#include "tools/opt.h"

struct capture_args {
    struct proxy_options
        proxy; /* without CA, workers and callbacks; texts are borrowed from args and from here */
    const char *default_listen; /* where args say nothing */
    char *proxy_auth;
    struct keep keep;
};

/* Checks what no parser further down does, and reads the file of --proxy-auth @FILE. default_listen,
 * borrowed, is where to listen when nothing is said. After a failure there is nothing to clear. ERR_USAGE. */
bool capture_args_read(const struct args *args, const char *default_listen, struct capture_args *out_capture,
                       struct err *err);
void capture_args_clear(struct capture_args *capture);

/* The mode of listener i; for mem_free. */
char *capture_args_mode(const struct capture_args *capture, size_t i);
bool capture_args_is_forward(const struct capture_args *capture, size_t i);

/* JSON text without a password, for mem_free. */
char *capture_args_json(const struct args *args);

#endif
