#include "capture/export/source.h"

#include <stdio.h>

#include "proxy/base/mem.h"

/* Exchanges in between that are cheaper to step over than to seek across. */
#define STEP_RATHER_THAN_SEEK 4

struct source_store {
    struct store *store;
    int64_t session;
    const struct filter *filter;
    struct store_cursor *pass; /* of next */
    struct store_cursor *seek; /* of at, without the filter */
    uint32_t seek_seq;         /* the one that seek gave last */
};

static bool source_rewind(void *self, struct err *err)
{
    struct source_store *source = self;

    store_let_go(source->store);
    store_cursor_free(source->pass);
    source->pass = NULL;
    return store_exchanges(source->store, source->session, 1, source->filter, &source->pass, err);
}

/* Records are read ahead: those of exchanges that were taken out since are passed over, and the body of one
 * that is not will be there when it is asked for. */
static bool source_next(void *self, const struct record **out_record, struct err *err)
{
    struct source_store *source = self;
    bool is_there = false;

    do {
        store_let_go(source->store);
        if (!store_next(source->pass, out_record, err))
            return false;
        if (*out_record != NULL &&
            !store_hold(source->store, source->session, (*out_record)->seq, &is_there, err))
            return false;
    } while (*out_record != NULL && !is_there);
    return true;
}

static bool source_at(void *self, uint32_t seq, const struct record **out_record, struct err *err)
{
    struct source_store *source = self;
    const struct record *record = NULL;
    bool is_there = false;

    store_let_go(source->store);
    if (source->seek == NULL) {
        if (!store_exchanges(source->store, source->session, seq, NULL, &source->seek, err))
            return false;
        store_seek(source->seek, seq);
    } else if (seq <= source->seek_seq || seq - source->seek_seq > STEP_RATHER_THAN_SEEK) {
        store_seek(source->seek, seq);
    }
    do {
        if (!store_next(source->seek, &record, err))
            return false;
    } while (record != NULL && record->seq < seq);
    source->seek_seq = record != NULL ? record->seq : UINT32_MAX;
    if (record != NULL && record->seq == seq &&
        !store_hold(source->store, source->session, seq, &is_there, err))
        return false;
    *out_record = is_there ? record : NULL;
    return true;
}

/* Whether the session is still there. */
static bool has_session(struct source_store *source)
{
    struct session_row row;
    struct err ignored; /* whatever it is, the body's failure says more */
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)source->session);
    if (!store_find_session(source->store, id, &row, &ignored))
        return false;
    session_row_clear(&row);
    return true;
}

/* Of an exchange that was taken out since its record was read the body is as one that was not kept. */
static bool source_body_read(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    struct source_store *source = self;

    return store_body_read(source->store, body, sink, sink_self, err) ||
           (err->code == ERR_FOUND && has_session(source));
}

static bool source_messages(void *self, uint32_t seq, store_message_sink each, void *each_self,
                            struct err *err)
{
    struct source_store *source = self;

    return store_messages(source->store, source->session, seq, 1, each, each_self, err);
}

static bool source_cookies(void *self, bool (*each)(void *each_self, const struct cookie_row *row),
                           void *each_self, struct err *err)
{
    struct source_store *source = self;

    return store_cookies(source->store, source->session, each, each_self, err);
}

void source_store_init(struct export_source *out_source, struct store *store,
                       const struct session_row *session, const struct filter *filter)
{
    struct source_store *source = mem_new(struct source_store);

    source->store = store;
    source->session = session->id;
    source->filter = filter;
    *out_source = (struct export_source){
        .session = session,
        .self = source,
        .rewind = source_rewind,
        .next = source_next,
        .at = source_at,
        .body_read = source_body_read,
        .messages = source_messages,
        .cookies = source_cookies,
    };
}

void source_store_clear(struct export_source *source)
{
    struct source_store *self = source->self;

    if (self == NULL)
        return;
    store_let_go(self->store);
    store_cursor_free(self->pass);
    store_cursor_free(self->seek);
    mem_free(self);
    source->self = NULL;
}
