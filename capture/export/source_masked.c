/* The record that is shown is a copy whose texts are replaced; it lives until the next one. Two are kept, as
 * sources do: that of next and that of at. */
#include "capture/export/source_masked.h"

#include "capture/export/content.h"
#include "capture/export/secret_stream.h"
#include "proxy/base/mem.h"

struct body_plan {
    bool is_decoded; /* its content coding is undone: it hid a secret */
    bool is_clean;   /* nothing of it is replaced */
};

struct shown {
    struct record record;   /* as it is shown */
    struct record original; /* borrowed insides */
    struct strbuf *texts;   /* what the spans of record point to; owned, each */
    size_t count, cap;
    struct body_plan bodies[2];
};

struct source_masked {
    const struct export_source *inner;
    struct secrets *secrets;
    struct shown of_next, of_at;
    const struct shown *current;
};

static void shown_clear(struct shown *shown)
{
    for (size_t i = 0; i < shown->count; i++)
        strbuf_clear(&shown->texts[i]);
    mem_free(shown->texts);
    mem_free(shown->record.request_headers.items);
    mem_free(shown->record.response_headers.items);
    mem_free(shown->record.request_trailers.items);
    mem_free(shown->record.response_trailers.items);
    *shown = (struct shown){ .count = 0 };
}

/* --- heads --------------------------------------------------------------------------------------------- */

/* Texts without secrets, by far the most, stay where they are. */
static struct span masked(struct source_masked *self, struct shown *shown, struct secret_text text)
{
    struct strbuf out = STRBUF_EMPTY;

    if (text.text.len == 0 || !secrets_are_in(self->secrets, &text))
        return text.text;
    secrets_replace(self->secrets, &text, SECRET_STYLE_MASK, &out);
    if (shown->count == shown->cap) {
        shown->cap = shown->cap != 0 ? shown->cap * 2 : 16;
        shown->texts = mem_realloc(shown->texts, shown->cap * sizeof(*shown->texts));
    }
    shown->texts[shown->count++] = out;
    return strbuf_span(&out);
}

static struct span masked_plain(struct source_masked *self, struct shown *shown, struct span text)
{
    return masked(self, shown, (struct secret_text){ .kind = SECRET_TEXT_PLAIN, .text = text });
}

static struct record_fields masked_fields(struct source_masked *self, struct shown *shown,
                                          enum http_role direction, const struct record_fields *fields,
                                          bool without_coding)
{
    struct record_fields out = { .items = mem_array(struct record_field, fields->count + 1) };

    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->items[i];

        if (without_coding && span_ieq(field->name, SPAN("Content-Encoding")))
            continue;
        out.items[out.count].name = masked_plain(self, shown, field->name);
        out.items[out.count++].value =
            masked(self, shown, secret_text_of_field(&shown->original, direction, field));
    }
    return out;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static bool note_secret(void *self, const struct secret_piece *piece, struct err *err)
{
    bool *has_any = self;

    (void)err; /* having found one is enough, and no failure */
    *has_any = *has_any || piece->secret != NULL;
    return !*has_any;
}

static bool plan_body(struct source_masked *self, struct shown *shown, enum http_role direction,
                      struct err *err)
{
    const struct record *record = &shown->original;
    bool is_request = direction == HTTP_REQUEST, has = false, ok = true;
    struct body_plan *plan = &shown->bodies[direction];
    struct secret_text front;
    struct content content;
    struct span coding;

    *plan = (struct body_plan){ .is_decoded = false };
    if (!record_find(is_request ? &record->request_headers : &record->response_headers,
                     SPAN("Content-Encoding"), &coding))
        return true;
    if (!content_read(self->inner, is_request ? &record->request_body : &record->response_body,
                      is_request ? &record->request_headers : &record->response_headers, SECRETS_MAX_TEXT,
                      CONTENT_ALL, &content, err))
        return false;
    if (!content.is_undecoded) {
        front = secret_text_of_body(record, direction, strbuf_span(&content.front));
        ok = secret_stream(self->secrets, self->inner, &content, &front, note_secret, &has, err) || has;
        plan->is_decoded = has;
        plan->is_clean = !has;
    }
    content_clear(&content);
    return ok;
}

struct writing {
    const struct secrets *secrets;
    store_sink sink;
    void *sink_self;
};

static bool write_piece(void *self, const struct secret_piece *piece, struct err *err)
{
    struct writing *writing = self;
    struct strbuf mask = STRBUF_EMPTY;
    bool ok;

    if (piece->secret == NULL)
        return writing->sink(writing->sink_self, piece->text, err);
    secrets_add_mask(writing->secrets, piece, &mask);
    ok = writing->sink(writing->sink_self, strbuf_span(&mask), err);
    strbuf_clear(&mask);
    return ok;
}

static const struct shown *shown_of_body(const struct source_masked *self, int64_t body)
{
    const struct shown *all[] = { self->current, &self->of_next, &self->of_at };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] != NULL &&
            (all[i]->original.request_body.id == body || all[i]->original.response_body.id == body))
            return all[i];
    return NULL;
}

static bool masked_body_read(void *of, int64_t body, store_sink sink, void *sink_self, struct err *err)
{
    static const struct record_fields as_it_is = { NULL, 0 };
    struct source_masked *self = of;
    const struct shown *shown = shown_of_body(self, body);
    const struct record_fields *headers = &as_it_is;
    struct writing writing = { self->secrets, sink, sink_self };
    enum http_role direction;
    struct secret_text front;
    struct content content;
    bool ok;

    if (shown == NULL) /* of no record that was shown: nobody could say what it is */
        return err_set(err, ERR_FOUND, "a body of no exchange that was read");
    direction = shown->original.request_body.id == body ? HTTP_REQUEST : HTTP_RESPONSE;
    if (shown->bodies[direction].is_clean)
        return self->inner->body_read(self->inner->self, body, sink, sink_self, err);
    if (shown->bodies[direction].is_decoded)
        headers =
            direction == HTTP_REQUEST ? &shown->original.request_headers : &shown->original.response_headers;
    if (!content_read(self->inner,
                      direction == HTTP_REQUEST ? &shown->original.request_body
                                                : &shown->original.response_body,
                      headers, SECRETS_MAX_TEXT, CONTENT_FRONT, &content, err))
        return false;
    front = secret_text_of_body(&shown->original, direction, strbuf_span(&content.front));
    ok = secret_stream(self->secrets, self->inner, &content, &front, write_piece, &writing, err);
    content_clear(&content);
    return ok;
}

/* --- records ------------------------------------------------------------------------------------------- */

static bool show(struct source_masked *self, struct shown *shown, const struct record *record,
                 const struct record **out_record, struct err *err)
{
    struct record *copy = &shown->record;

    shown_clear(shown);
    *out_record = NULL;
    if (record == NULL)
        return true;
    shown->original = *record;
    if (!plan_body(self, shown, HTTP_REQUEST, err) || !plan_body(self, shown, HTTP_RESPONSE, err))
        return false;
    *copy = *record;
    copy->request_headers = masked_fields(self, shown, HTTP_REQUEST, &record->request_headers,
                                          shown->bodies[HTTP_REQUEST].is_decoded);
    copy->response_headers = masked_fields(self, shown, HTTP_RESPONSE, &record->response_headers,
                                           shown->bodies[HTTP_RESPONSE].is_decoded);
    copy->request_trailers = masked_fields(self, shown, HTTP_REQUEST, &record->request_trailers, false);
    copy->response_trailers = masked_fields(self, shown, HTTP_RESPONSE, &record->response_trailers, false);
    copy->method = masked_plain(self, shown, record->method);
    copy->host = masked_plain(self, shown, record->host);
    copy->path = masked_plain(self, shown, record->path);
    if (record->query.ptr != NULL)
        copy->query = masked(self, shown, secret_text_of_query(record));
    copy->reason = masked_plain(self, shown, record->reason);
    copy->request_type = masked_plain(self, shown, record->request_type);
    copy->response_type = masked_plain(self, shown, record->response_type);
    copy->interim = masked_plain(self, shown, record->interim);
    copy->client_tls = masked_plain(self, shown, record->client_tls);
    copy->origin_tls = masked_plain(self, shown, record->origin_tls);
    copy->error = masked_plain(self, shown, record->error);
    self->current = shown;
    *out_record = copy;
    return true;
}

static bool masked_rewind(void *of, struct err *err)
{
    struct source_masked *self = of;

    return self->inner->rewind(self->inner->self, err);
}

static bool masked_next(void *of, const struct record **out_record, struct err *err)
{
    struct source_masked *self = of;
    const struct record *record;

    return self->inner->next(self->inner->self, &record, err) &&
           show(self, &self->of_next, record, out_record, err);
}

static bool masked_at(void *of, uint32_t seq, const struct record **out_record, struct err *err)
{
    struct source_masked *self = of;
    const struct record *record;

    return self->inner->at(self->inner->self, seq, &record, err) &&
           show(self, &self->of_at, record, out_record, err);
}

struct message_sink {
    struct source_masked *self;
    store_message_sink each;
    void *each_self;
};

static bool mask_message(void *of, const struct record_message *message, struct err *err)
{
    struct message_sink *to = of;
    struct record_message copy = *message;
    struct shown texts = { .count = 0 };
    bool ok;

    if (message->payload.ptr != NULL)
        copy.payload =
            masked(to->self, &texts, secret_text_of_message(NULL, message->direction, message->payload));
    copy.event_type = masked_plain(to->self, &texts, message->event_type);
    copy.event_id = masked_plain(to->self, &texts, message->event_id);
    copy.note = masked_plain(to->self, &texts, message->note);
    ok = to->each(to->each_self, &copy, err);
    shown_clear(&texts);
    return ok;
}

static bool masked_messages(void *of, uint32_t seq, store_message_sink each, void *each_self, struct err *err)
{
    struct source_masked *self = of;
    struct message_sink to = { self, each, each_self };

    return self->inner->messages(self->inner->self, seq, mask_message, &to, err);
}

static bool masked_cookies(void *of, bool (*each)(void *each_self, const struct cookie_row *row),
                           void *each_self, struct err *err)
{
    struct source_masked *self = of;

    return self->inner->cookies(self->inner->self, each, each_self, err);
}

void source_masked_init(struct export_source *out_source, const struct export_source *source,
                        struct secrets *secrets)
{
    struct source_masked *self = mem_new(struct source_masked);

    self->inner = source;
    self->secrets = secrets;
    *out_source = (struct export_source){
        .session = source->session,
        .self = self,
        .rewind = masked_rewind,
        .next = masked_next,
        .at = masked_at,
        .body_read = masked_body_read,
        .messages = masked_messages,
        .cookies = masked_cookies,
    };
}

void source_masked_clear(struct export_source *source)
{
    struct source_masked *self = source->self;

    if (self == NULL)
        return;
    shown_clear(&self->of_next);
    shown_clear(&self->of_at);
    mem_free(self);
    source->self = NULL;
}
