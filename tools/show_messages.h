/* show_messages: what was said inside an exchange, for people and for programs.
 *
 * People get a line on each message, its time, direction (-> to the origin, <- from it) and kind, and its
 * payload below, set in: text as it is, JSON indented, protobuf by number or, with a schema, by name, and
 * other bytes as a dump. Programs get an object a line. Messages are read and written one by one, however
 * many there are. */
#ifndef WEIR_TOOLS_SHOW_MESSAGES_H
#define WEIR_TOOLS_SHOW_MESSAGES_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/protobuf_schema.h"
#include "capture/record.h"
#include "capture/store/store.h"
#include "proxy/base/err.h"

struct message_show {
    struct store *store;
    int64_t session;
    const struct record *record; /* whose messages; lent for each call */
    FILE *out;
    bool is_tty, has_colour, is_json;
    const struct protobuf_schema *schema; /* NULL: none */
    uint32_t last;                        /* the number of the last one shown; 0: none */
};

/* Those after show->last that there are. */
bool message_show_all(struct message_show *show, struct err *err);
/* Those too that still come, until the exchange ends, its session does, or out can't be written to. */
bool message_show_follow(struct message_show *show, struct err *err);

#endif
