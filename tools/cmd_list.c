/* list: a session's exchanges, one a line, as they are or as they come.
 *
 * Following a session that is being recorded: an exchange's row is there from its request on, is finished in
 * any order, and may appear late, when the capture's filter has decided. So the last WINDOW numbers are
 * looked at again and again, and a line is written when its exchange is finished; one that is still open when
 * the window moves on is shown as it is. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "capture/filter.h"
#include "capture/store/store.h"
#include "tools/command.h"
#include "tools/json_text.h"
#include "tools/table.h"
#include "tools/text.h"

/* Exchanges under way at the same time: more than clients have, little enough to read four times a second. */
#define WINDOW        1024
#define POLL_EVERY_NS (250L * 1000 * 1000)

static const struct table_column columns[] = {
    { "#", 5, true },      { "time", 12, false }, { "method", 6, false },  { "status", 6, false },
    { "type", 16, false }, { "size", 5, true },   { "duration", 8, true }, { "url", 0, false },
};

struct listing {
    struct store *store;
    struct filter *filter;
    int64_t session;
    struct table *table; /* NULL: JSON */

    /* Following: what is known of the exchanges from `from` on. */
    uint32_t from;
    enum { UNSEEN, OPEN, FINISHED, WRITTEN } states[WINDOW];
};

/* --- a line -------------------------------------------------------------------------------------------- */

/* "12 sse messages": what such an exchange is about. The number first: a terminal may cut the rest. */
static void add_messages(struct strbuf *cell, const struct record *record)
{
    const char *of = span_eq(record->response_type, SPAN("text/event-stream"))     ? "sse "
                     : span_starts(record->request_type, SPAN("application/grpc")) ? "grpc "
                                                                                   : "ws ";

    strbuf_printf(cell, "%u %smessage%s", record->messages, of, record->messages == 1 ? "" : "s");
}

static void write_record(struct listing *listing, const struct record *record)
{
    struct table *table = listing->table;
    struct strbuf cell = STRBUF_EMPTY;
    bool is_cut = record->state == RECORD_ABORTED && (record->flags & TAP_MADE_BY_WEIR) == 0;
    uint64_t duration_us;

    if (table == NULL) {
        json_print(json_of_record(record), JSON_COMPACT);
        return;
    }
    strbuf_printf(&cell, "%u", record->seq);
    table_take(table, &cell, STYLE_DIM);
    text_add_clock(&cell, record->started_us);
    table_take(table, &cell, STYLE_DIM);
    table_cell(table, record->method, STYLE_PLAIN);
    if (record->state == RECORD_ABORTED && record->status == 0)
        strbuf_add_str(&cell, "failed");
    else if (record->status != 0)
        strbuf_printf(&cell, "%d%s", record->status, is_cut ? " cut" : "");
    else
        strbuf_add_str(&cell, record->state == RECORD_OPEN ? "open" : "-");
    table_take(table, &cell,
               record->state == RECORD_ABORTED ? STYLE_RED
               : record->status != 0           ? style_of_status(record->status)
                                               : STYLE_PLAIN);
    if ((record->flags & TAP_SEALED) != 0)
        strbuf_add_str(&cell, "sealed");
    else if (record->messages != 0)
        add_messages(&cell, record);
    else
        strbuf_add(&cell, record->response_type);
    table_take(table, &cell, (record->flags & TAP_SEALED) != 0 ? STYLE_YELLOW : STYLE_PLAIN);
    text_add_size(&cell, record->response_body.bytes + record->tunnel_received_bytes);
    table_take(table, &cell, STYLE_PLAIN);
    if (record_duration(record, &duration_us))
        text_add_duration(&cell, duration_us);
    table_take(table, &cell, STYLE_PLAIN);
    record_add_url(record, &cell);
    table_take(table, &cell, STYLE_PLAIN);
    strbuf_clear(&cell);
}

/* --- all at once --------------------------------------------------------------------------------------- */

static bool list_all(struct listing *listing, struct err *err)
{
    struct store_cursor *cursor;
    const struct record *record;
    bool ok;

    if (!store_summaries(listing->store, listing->session, 1, listing->filter, &cursor, err))
        return false;
    while ((ok = store_next(cursor, &record, err)) && record != NULL && !ferror(stdout))
        write_record(listing, record);
    store_cursor_free(cursor);
    return ok;
}

/* --- following ----------------------------------------------------------------------------------------- */

/* Makes room for seq in the window. */
static void move_window(struct listing *listing, uint32_t seq)
{
    uint32_t by;

    if (seq - listing->from < WINDOW)
        return;
    by = seq - listing->from - WINDOW + 1;
    if (by < WINDOW)
        memmove(listing->states, listing->states + by, (WINDOW - by) * sizeof listing->states[0]);
    for (uint32_t i = by < WINDOW ? WINDOW - by : 0; i < WINDOW; i++)
        listing->states[i] = UNSEEN;
    listing->from += by;
}

/* Forgets the exchanges at the window's start that are written. */
static void shrink_window(struct listing *listing)
{
    uint32_t by = 0;

    while (by < WINDOW && listing->states[by] == WRITTEN)
        by++;
    if (by != 0)
        move_window(listing, listing->from + WINDOW - 1 + by);
}

/* Which exchanges of the window are finished; filter or not: what the filter says of an open one may change.
 */
static bool look(struct listing *listing, bool has_ended, uint32_t *out_last, struct err *err)
{
    struct store_cursor *cursor;
    const struct record *record;
    bool ok;

    *out_last = listing->from;
    if (!store_summaries(listing->store, listing->session, listing->from, NULL, &cursor, err))
        return false;
    while ((ok = store_next(cursor, &record, err)) && record != NULL) {
        uint32_t place = record->seq - listing->from;
        if (place >= WINDOW)
            break; /* the next look's */
        if (listing->states[place] != WRITTEN)
            listing->states[place] = record->state == RECORD_OPEN && !has_ended ? OPEN : FINISHED;
        *out_last = record->seq;
    }
    store_cursor_free(cursor);
    return ok;
}

static bool write_finished(struct listing *listing, bool is_full, struct err *err)
{
    struct store_cursor *cursor;
    const struct record *record;
    bool ok;

    if (!store_summaries(listing->store, listing->session, listing->from, listing->filter, &cursor, err))
        return false;
    while ((ok = store_next(cursor, &record, err)) && record != NULL && !ferror(stdout)) {
        uint32_t place = record->seq - listing->from;
        if (place >= WINDOW)
            break;
        if (listing->states[place] == FINISHED ||
            (is_full && place < WINDOW / 2 && listing->states[place] == OPEN)) {
            write_record(listing, record);
            listing->states[place] = WRITTEN;
        }
    }
    store_cursor_free(cursor);
    /* What is finished and was not written is not meant. */
    for (size_t i = 0; i < WINDOW; i++) {
        if (listing->states[i] == FINISHED)
            listing->states[i] = WRITTEN;
    }
    return ok;
}

static bool follow(struct listing *listing, struct err *err)
{
    const struct timespec pause = { .tv_nsec = POLL_EVERY_NS };
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)listing->session);
    listing->from = 1;
    for (;;) {
        struct session_row row;
        uint32_t last, from = listing->from;
        bool has_ended, is_full;

        if (!store_find_session(listing->store, id, &row, err))
            return false;
        has_ended = row.state == SESSION_ENDED || row.state == SESSION_INTERRUPTED;
        session_row_clear(&row);
        if (!look(listing, has_ended, &last, err))
            return false;
        is_full = last - from == WINDOW - 1;
        if (!write_finished(listing, is_full, err))
            return false;
        shrink_window(listing);
        if (is_full && listing->from < from + WINDOW / 2)
            move_window(listing, from + WINDOW / 2 + WINDOW - 1);
        if (fflush(stdout) != 0 || ferror(stdout) || (has_ended && !is_full))
            return true;
        if (!is_full)
            nanosleep(&pause, NULL);
    }
}

int cmd_list(const struct args *args)
{
    struct listing listing = { .from = 1 };
    struct session_row row;
    struct err err;
    bool ok;

    if (args->filter != NULL && !filter_parse(args->filter, &listing.filter, &err))
        return command_fail(&err);
    ok = command_open_store(args, STORE_READ, &listing.store, &err);
    if (ok)
        ok = store_find_session(listing.store, args->operands.count != 0 ? args->operands.items[0] : NULL,
                                &row, &err);
    if (ok) {
        listing.session = row.id;
        session_row_clear(&row);
        if (!args->json)
            listing.table = table_new(stdout, TABLE_STREAM, columns, sizeof columns / sizeof columns[0]);
        ok = args->follow ? follow(&listing, &err) : list_all(&listing, &err);
        if (listing.table != NULL)
            table_end(listing.table);
    }
    store_close(listing.store);
    filter_unref(listing.filter);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}
