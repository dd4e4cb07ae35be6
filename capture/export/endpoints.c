#include "capture/export/endpoints.h"

#include "capture/export/content.h"

/* What no JSON can be in need not be read. */
static bool may_be_json(struct span type)
{
    static const struct span other[] = { { "image/", 6 }, { "video/", 6 },    { "audio/", 6 },
                                         { "font/", 5 },  { "text/html", 9 }, { "text/css", 8 } };

    for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
        if (span_starts(type, other[i]))
            return false;
    return true;
}

/* Where its record was cut, what there is of it is its beginning too. */
static bool is_front(const struct record_body *body, const struct content *content)
{
    return !content->is_whole || body->kept < body->bytes;
}

static bool note_response(const struct export_source *source, const struct record *record,
                          struct template *template, struct dedup *dedup, struct err *err)
{
    struct content body;
    struct json_shape shape;
    bool has_shape;

    if (record->response_body.id == 0 || !may_be_json(record->response_type)) {
        has_shape = false;
    } else {
        if (!content_read(source, &record->response_body, &record->response_headers, ENDPOINTS_MAX_LOOK_BYTES,
                          CONTENT_FRONT, &body, err))
            return false;
        has_shape = !body.is_undecoded &&
                    json_shape_of(strbuf_span(&body.front), is_front(&record->response_body, &body), &shape);
        content_clear(&body);
    }
    template_see(template, record->host, record->port, record->path, record->status,
                 has_shape ? &shape : NULL);
    dedup_note(dedup, record, has_shape ? &shape : NULL);
    return true;
}

bool endpoints_identify(const struct export_source *source, const struct template *template,
                        const struct record *record, struct template_path *path, struct strbuf *out_text,
                        struct err *err)
{
    struct content body = { .is_whole = true };
    struct identity_request request;

    if (record->request_body.id != 0 && !content_read(source, &record->request_body, &record->request_headers,
                                                      ENDPOINTS_MAX_LOOK_BYTES, CONTENT_FRONT, &body, err))
        return false;
    identity_request_init(&request, record, strbuf_span(&body.front), is_front(&record->request_body, &body));
    template_path_of(template, record->host, record->port, record->path, path);
    identity_text(out_text, record, strbuf_span(&path->text), &request);
    identity_request_clear(&request);
    content_clear(&body);
    return true;
}

static bool add_request(const struct export_source *source, const struct record *record,
                        const struct template *template, struct dedup *dedup, struct template_path *path,
                        struct strbuf *text, struct err *err)
{
    struct identity identity;

    if (!dedup_wants(dedup, record))
        return true;
    strbuf_reset(text);
    if (!endpoints_identify(source, template, record, path, text, err))
        return false;
    identity = identity_of(strbuf_span(text));
    dedup_add(dedup, record, &identity);
    return true;
}

static bool first_pass(const struct export_source *source, struct template *template, struct dedup *dedup,
                       struct err *err)
{
    const struct record *record;

    if (!source->rewind(source->self, err))
        return false;
    for (;;) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        if (!note_response(source, record, template, dedup, err))
            return false;
    }
}

static bool second_pass(const struct export_source *source, const struct template *template,
                        struct dedup *dedup, struct err *err)
{
    struct template_path path = { .count = 0 };
    struct strbuf text = STRBUF_EMPTY;
    const struct record *record = NULL;
    bool ok = source->rewind(source->self, err);

    while (ok) {
        ok = source->next(source->self, &record, err);
        if (!ok || record == NULL)
            break;
        ok = add_request(source, record, template, dedup, &path, &text, err);
    }
    template_path_clear(&path);
    strbuf_clear(&text);
    return ok;
}

bool endpoints_find(const struct export_source *source, struct template *template,
                    const struct dedup_options *options, struct dedup **out_dedup, struct err *err)
{
    struct dedup *dedup = dedup_new(options);
    bool ok = first_pass(source, template, dedup, err);

    if (ok) {
        template_settle(template);
        ok = second_pass(source, template, dedup, err);
    }
    if (!ok) {
        dedup_free(dedup);
        return false;
    }
    dedup_settle(dedup);
    *out_dedup = dedup;
    return true;
}
