/* say: what a capture tells a person when it starts and when it ends.
 *
 * Its first lines are a contract with scripts: "listening on 127.0.0.1:41233", one a listener; of a mode that
 * is not forward it stands behind: "listening on 127.0.0.1:1080 (socks5)". */
#ifndef WEIR_TOOLS_SAY_H
#define WEIR_TOOLS_SAY_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/capture.h"
#include "certs/ca.h"
#include "proxy/live/proxy.h"
#include "tools/capture_args.h"
#include "tools/view.h"

/* Where clients are accepted. Flushed. */
void say_listeners(FILE *out, const struct proxy *proxy, const struct capture_args *capture);
/* What a phone needs, of each listener that it can reach and use as a proxy. */
void say_phones(FILE *out, const struct proxy *proxy, const struct capture_args *capture);
void say_new_ca(FILE *out, const struct ca *ca);
/* ends_how: "Ctrl-C ends it"; NULL: nothing about that. Flushed. */
void say_recording(FILE *out, const char *session, const char *ends_how);

/* Of each session, to the view, which does not wait for a reader that does not read. store: as --store gave
 * it, or NULL. */
void say_summary(struct view *view, const char *store, const struct capture_summary *summary);
/* With the last lines of what it has said to output, a file. */
void say_browser_failed(const char *program, int status, int output);
/* COMMAND has ended, and no client came. */
void say_nothing_came(void);

#endif
