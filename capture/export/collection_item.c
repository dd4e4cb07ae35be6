#include "capture/export/collection.h"

#include "capture/export/digest.h"
#include "capture/export/text.h"

static const struct dedup_item *endpoint_of(const struct collection *collection,
                                            const struct survey_item *item)
{
    return collection->survey.dedup != NULL ? dedup_item(collection->survey.dedup, item->place) : NULL;
}

/* --- what it is called --------------------------------------------------------------------------------- */

static void add_name(struct collection *collection, const struct request *request, size_t number, int width,
                     struct strbuf *out)
{
    const struct record *record = request->record;
    struct secrets *secrets = collection->job->secrets;
    struct strbuf path = STRBUF_EMPTY, name = STRBUF_EMPTY, query = STRBUF_EMPTY;

    survey_add_path(&collection->survey, collection->job, record, &path);
    naming_add_item(&name, record->method, strbuf_span(&path));
    if (request->body.content.is_whole)
        naming_add_operation(&name, record, strbuf_span(&request->body.content.front));
    if (number != 0)
        strbuf_printf(out, "%0*zu ", width, number);
    collection_add_shown(secrets, strbuf_span(&name), out);
    if (number == 0) {
        collection_add_shown(secrets, record->query, &query);
        names_claim(collection->names, out, strbuf_span(&query));
    }
    strbuf_clear(&path);
    strbuf_clear(&name);
    strbuf_clear(&query);
}

/* Whether it stands for all calls of an endpoint, in whatever session. */
static bool is_endpoint_item(const struct collection *collection)
{
    return collection->survey.dedup != NULL && !collection->is_flat && !collection->job->options->keeps_all;
}

/* The same item has the same id in every export: an endpoint's by what it is, an exchange's by its own. */
static bool make_id(struct collection *collection, const struct record *record, char out[DIGEST_UUID_BYTES],
                    struct err *err)
{
    bool is_endpoint = is_endpoint_item(collection);
    struct template_path path = { .count = 0 };
    struct strbuf identity = STRBUF_EMPTY;
    bool ok = !is_endpoint || endpoints_identify(collection->job->source, collection->survey.template, record,
                                                 &path, &identity, err);

    if (is_endpoint && ok)
        identity_uuid(strbuf_span(&identity), out);
    else
        digest_uuid("item", span_of(record->uid), out);
    template_path_clear(&path);
    strbuf_clear(&identity);
    return ok;
}

static void write_description(struct collection *collection, const struct survey_item *item,
                              const struct request *request)
{
    const struct dedup_item *endpoint = endpoint_of(collection, item);
    const struct record *record = request->record;
    struct json_out *json = &collection->json;
    struct strbuf text = STRBUF_EMPTY;
    char time[TEXT_TIME_BYTES];

    text_time_ms(time, (int64_t)(record->started_us / 1000));
    strbuf_printf(&text, "Exchange %u, %s, answered %d.\n", record->seq, time, record->status);
    if (endpoint != NULL && endpoint->count > 1)
        strbuf_printf(&text, "- It stands for %u calls.\n", endpoint->count);
    if (endpoint != NULL && endpoint->repeats != 0)
        strbuf_printf(&text, "- %u of them repeat another one, such as polling does.\n", endpoint->repeats);
    if (record->state != RECORD_DONE) {
        strbuf_add_str(&text, "- The response was cut: ");
        collection_add_shown(collection->job->secrets,
                             record->error.len != 0 ? record->error : SPAN("it never ended"), &text);
        strbuf_add_str(&text, "\n");
    }
    request_notes(collection, request, &text);
    jout_key(json, "description");
    jout_open_object(json);
    jout_member_text(json, "content", strbuf_span(&text));
    jout_member_str(json, "type", "text/markdown");
    jout_close(json);
    strbuf_clear(&text);
}

/* --- its examples -------------------------------------------------------------------------------------- */

static void make_example_id(const struct collection *collection, const char *item_id,
                            const struct record *record, const struct dedup_example *example,
                            char out[DIGEST_UUID_BYTES])
{
    if (is_endpoint_item(collection))
        identity_example_uuid(item_id, example->class, out);
    else
        digest_uuid("response", span_of(record->uid), out);
}

/* Of an item that is an exchange: its own response, if that came whole. */
static bool write_examples(struct collection *collection, const struct survey_item *item, const char *item_id,
                           struct span name, struct err *err)
{
    const struct export_source *source = collection->job->source;
    const struct dedup_item *endpoint = endpoint_of(collection, item);
    const struct dedup_example own = { .seq = item->seq };
    const struct dedup_example *examples =
        endpoint != NULL ? dedup_examples(collection->survey.dedup, endpoint) : &own;
    size_t count = endpoint != NULL ? endpoint->examples : 1;
    const struct record *record;
    char id[DIGEST_UUID_BYTES];

    for (size_t i = 0; i < count; i++) {
        if (!source->at(source->self, examples[i].seq, &record, err))
            return false;
        if (record == NULL || survey_origin_of(&collection->survey, record) == NULL) {
            job_count_seq(collection->job, EXPORT_GONE, examples[i].seq);
            continue;
        }
        if (record->state != RECORD_DONE)
            continue;
        make_example_id(collection, item_id, record, &examples[i], id);
        if (!example_write(collection, record, id, name, err))
            return false;
    }
    return true;
}

/* The member "event": a script that newman runs on each answer. */
static bool write_script(struct collection *collection, const struct survey_item *item,
                         const struct record *record, struct err *err)
{
    struct json_out *json = &collection->json;
    bool has_tests = collection->job->options->tests != EXPORT_TESTS_NONE && record->state == RECORD_DONE;
    bool ok = true;

    if (!has_tests && !link_is_issuer(collection, item))
        return true;
    jout_key(json, "event");
    jout_open_array(json);
    jout_open_object(json);
    jout_member_str(json, "listen", "test");
    jout_key(json, "script");
    jout_open_object(json);
    jout_member_str(json, "type", "text/javascript");
    jout_key(json, "exec");
    jout_open_array(json);
    link_write_script(collection, item);
    if (has_tests)
        ok = tests_write(collection, record, err);
    jout_close(json);
    jout_close(json);
    jout_close(json);
    jout_close(json);
    return ok;
}

static bool write_item(struct collection *collection, const struct survey_item *item, struct request *request,
                       const struct strbuf *name, struct err *err)
{
    struct json_out *json = &collection->json;
    char id[DIGEST_UUID_BYTES];

    if (!make_id(collection, request->record, id, err))
        return false;
    jout_open_object(json);
    jout_member_text(json, "name", strbuf_span(name));
    jout_member_str(json, "id", id);
    write_description(collection, item, request);
    request_behavior_write(collection, request);
    if (!write_script(collection, item, request->record, err))
        return false;
    jout_key(json, "request");
    if (!request_write(collection, request, err))
        return false;
    jout_key(json, "response");
    jout_open_array(json);
    if (!write_examples(collection, item, id, strbuf_span(name), err))
        return false;
    jout_close(json);
    jout_close(json);
    return true;
}

bool item_write(struct collection *collection, const struct survey_item *item, const struct record *record,
                size_t number, int width, struct err *err)
{
    struct strbuf name = STRBUF_EMPTY;
    struct request request;
    bool ok;

    if (!request_init(&request, collection, record, false, err))
        return false;
    add_name(collection, &request, number, width, &name);
    ok = write_item(collection, item, &request, &name, err);
    request_clear(&request);
    strbuf_clear(&name);
    return ok;
}
