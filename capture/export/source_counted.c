#include "capture/export/source_counted.h"

static bool counted_rewind(void *self, struct err *err)
{
    const struct source_counted *counted = self;

    return counted->of->rewind(counted->of->self, err);
}

static bool counted_next(void *self, const struct record **out_record, struct err *err)
{
    const struct source_counted *counted = self;
    uint64_t total = counted->source.session->exchanges;

    if (!counted->of->next(counted->of->self, out_record, err))
        return false;
    if (*out_record != NULL)
        counted->options->progress(counted->options->progress_self, counted->phase,
                                   (*out_record)->seq < total ? (*out_record)->seq : total, total);
    return true;
}

static bool counted_at(void *self, uint32_t seq, const struct record **out_record, struct err *err)
{
    const struct source_counted *counted = self;

    return counted->of->at(counted->of->self, seq, out_record, err);
}

static bool counted_body_read(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    const struct source_counted *counted = self;

    return counted->of->body_read(counted->of->self, body, sink, sink_self, err);
}

static bool counted_messages(void *self, uint32_t seq, store_message_sink each, void *each_self,
                             struct err *err)
{
    const struct source_counted *counted = self;

    return counted->of->messages(counted->of->self, seq, each, each_self, err);
}

static bool counted_cookies(void *self, bool (*each)(void *each_self, const struct cookie_row *row),
                            void *each_self, struct err *err)
{
    const struct source_counted *counted = self;

    return counted->of->cookies(counted->of->self, each, each_self, err);
}

void source_counted_init(struct source_counted *out_counted, const struct export_source *of,
                         const struct export_options *options)
{
    *out_counted = (struct source_counted){
        .source = {
            .session = of->session,
            .self = out_counted,
            .rewind = counted_rewind,
            .next = counted_next,
            .at = counted_at,
            .body_read = counted_body_read,
            .messages = counted_messages,
            .cookies = counted_cookies,
            .jar = of->jar,
            .jar_us = of->jar_us,
        },
        .of = of,
        .options = options,
    };
}
