/* view: exchanges on a terminal as they are done, a line each, and below them one line on how it goes.
 *
 * A tap listener on every worker notes what the line needs and puts it into its worker's ring; the main
 * thread takes lines out and writes them. Nobody waits: a full ring drops the line and counts it, and when
 * the reader of our output does not read, lines stay in the rings. Bytes of strangers are shown by
 * text_add_shown.
 *
 * Threads: view_add_worker, and the listener it is for, on that worker's; view_note_log any; all else the
 * main thread's. A view is freed after the workers have ended. */
#ifndef WEIR_TOOLS_VIEW_H
#define WEIR_TOOLS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/filter.h"
#include "proxy/base/log.h"
#include "proxy/exchange/tap.h"

struct view;
struct view_worker;

struct view_options {
    int fd; /* where lines go; stays the caller's */
    bool has_colour;
    bool has_status;       /* the line below: fd is a terminal that nobody else writes to */
    struct filter *filter; /* only what it takes is shown, as far as that is known at the end; NULL: all */
};

struct view *view_new(const struct view_options *options);
void view_free(struct view *view); /* NULL is fine */

/* What view_listener takes as self on this worker; the view's. */
struct view_worker *view_add_worker(struct view *view);
extern const struct tap_listener view_listener;

/* A log_sink: log lines go out between the view's own. self is the view. */
void view_note_log(void *self, enum log_level level, const char *line);

/* Says something in a line of its own, at the next view_show. */
void view_say(struct view *view, const char *text);
/* Nothing is recorded now: exchanges are not shown either. */
void view_set_paused(struct view *view, bool is_paused);

/* Becomes readable when view_show has something to do; view_wait before polling says whether there is
 * something already, so that nobody need wait. */
int view_fd(const struct view *view);
bool view_wait(struct view *view);
/* Writes what there is, as far as the reader takes it. open_clients is for the status line. */
void view_show(struct view *view, uint64_t open_clients);
/* The last lines, without a status line; waits for the reader for at most patience_ms. */
void view_finish(struct view *view, int patience_ms);

#endif
