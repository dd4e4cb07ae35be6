#include "capture/export/source_guard.h"

static bool may_go_on(const struct source_guard *guard, struct err *err)
{
    return guard->goes_on == NULL || guard->goes_on(guard->self) ||
           err_set(err, ERR_CLOSED, "the export was given up");
}

static bool guard_rewind(void *self, struct err *err)
{
    const struct source_guard *guard = self;

    return may_go_on(guard, err) && guard->of->rewind(guard->of->self, err);
}

static bool guard_next(void *self, const struct record **out_record, struct err *err)
{
    const struct source_guard *guard = self;

    if (!may_go_on(guard, err) || !guard->of->next(guard->of->self, out_record, err))
        return false;
    if (*out_record != NULL && (*out_record)->seq > guard->last_seq)
        *out_record = NULL;
    return true;
}

static bool guard_at(void *self, uint32_t seq, const struct record **out_record, struct err *err)
{
    const struct source_guard *guard = self;

    return may_go_on(guard, err) && guard->of->at(guard->of->self, seq, out_record, err);
}

/* What reads a body or messages, behind the question. */
struct guarded_sink {
    const struct source_guard *guard;
    store_sink bytes;
    store_message_sink message;
    void *self;
};

static bool guard_bytes(void *self, struct span bytes, struct err *err)
{
    const struct guarded_sink *sink = self;

    return may_go_on(sink->guard, err) && sink->bytes(sink->self, bytes, err);
}

static bool guard_body_read(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    const struct source_guard *guard = self;
    struct guarded_sink guarded = { .guard = guard, .bytes = sink, .self = sink_self };

    return guard->of->body_read(guard->of->self, body, guard_bytes, &guarded, err);
}

static bool guard_message(void *self, const struct record_message *message, struct err *err)
{
    const struct guarded_sink *sink = self;

    return may_go_on(sink->guard, err) && sink->message(sink->self, message, err);
}

static bool guard_messages(void *self, uint32_t seq, store_message_sink each, void *each_self,
                           struct err *err)
{
    const struct source_guard *guard = self;
    struct guarded_sink guarded = { .guard = guard, .message = each, .self = each_self };

    return guard->of->messages(guard->of->self, seq, guard_message, &guarded, err);
}

static bool guard_cookies(void *self, bool (*each)(void *each_self, const struct cookie_row *row),
                          void *each_self, struct err *err)
{
    const struct source_guard *guard = self;

    return may_go_on(guard, err) && guard->of->cookies(guard->of->self, each, each_self, err);
}

void source_guard_init(struct source_guard *out_guard, const struct export_source *of, uint32_t last_seq,
                       bool (*goes_on)(void *self), void *self)
{
    *out_guard = (struct source_guard){
        .source = {
            .session = of->session,
            .self = out_guard,
            .rewind = guard_rewind,
            .next = guard_next,
            .at = guard_at,
            .body_read = guard_body_read,
            .messages = guard_messages,
            .cookies = guard_cookies,
            .jar = of->jar,
            .jar_us = of->jar_us,
        },
        .of = of,
        .last_seq = last_seq,
        .goes_on = goes_on,
        .self = self,
    };
}
