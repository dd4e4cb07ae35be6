/* stream_world: a stream over loopback and what it told, and the other side: a plain blocking socket. */
#ifndef WEIR_TESTS_STREAM_WORLD_H
#define WEIR_TESTS_STREAM_WORLD_H

#include <stdbool.h>

#include "proxy/base/strbuf.h"
#include "proxy/net/loop.h"
#include "proxy/net/stream.h"

/* More than any socket buffer of loopback takes at once. */
#define MUCH_BYTES (16 * 1024 * 1024)

/* When the stream is closed, from inside the callback. */
enum closing { CLOSE_NEVER, CLOSE_ON_BYTES, CLOSE_ON_EOF, CLOSE_ON_DRAINED, CLOSE_ON_ERROR };

struct stream_world {
    struct loop *loop;
    struct stream *stream; /* NULL: closed */
    int fd, other;         /* other -1: closed */
    struct strbuf got;
    volatile int has_bytes, eofs, drains, errors;
    struct err err;
    enum closing closing;
    bool pauses; /* in its first on_bytes */
};

/* Of each test: *state is a struct stream_world. */
int stream_world_setup(void **state);
int stream_world_teardown(void **state);

/* What its stream tells a struct stream_world. */
extern const struct stream_events stream_world_events;
void stream_world_sockets(int *out_ours, int *out_other);

void world_give(const struct stream_world *f, const char *text); /* from the other side */
void world_write_text(const struct stream_world *f, const char *text);
void world_write_much(const struct stream_world *f);
/* The other side reads all of world_write_much() while the loop turns; after it: EOF or not. */
void world_take_much(const struct stream_world *f, bool then_eof);
void world_reset_other(struct stream_world *f); /* it ends with a reset */

#endif
