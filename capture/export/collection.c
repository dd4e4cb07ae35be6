/* Two passes: the survey decides which exchanges become items, in which order and under which names; then
 * each is read again, by its number, and written. */
#include "capture/export/collection.h"

#include "capture/export/digest.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

static const char *group_name(enum export_group group)
{
    static const char *const names[] = {
        [EXPORT_BY_BOTH] = "both",
        [EXPORT_BY_DOMAIN] = "domain",
        [EXPORT_BY_ENDPOINT] = "endpoint",
        [EXPORT_CHRONOLOGICAL] = "chronological",
    };
    return names[group];
}

/* --- info ---------------------------------------------------------------------------------------------- */

static void add_title(struct collection *collection, struct strbuf *out)
{
    const struct export_options *options = collection->job->options;
    const struct session_row *session = collection->job->source->session;
    const struct survey_origin *main_origin = collection->survey.main;
    char time[TEXT_TIME_BYTES];

    if (options->name != NULL) {
        strbuf_add_str(out, options->name);
        return;
    }
    text_time_ms(time, (int64_t)(session->started_us / 1000));
    time[10] = ' ';
    time[16] = '\0'; /* minutes are enough */
    strbuf_printf(out, "weir · %s · %s", main_origin != NULL ? main_origin->host : session->name, time);
}

static void add_window(const struct session_row *session, struct strbuf *out)
{
    char time[TEXT_TIME_BYTES];

    text_time_ms(time, (int64_t)(session->started_us / 1000));
    strbuf_printf(out, "Captured by weir %s in session `%s`, from %s", WEIR_VERSION, session->name, time);
    if (session->ended_us != 0) {
        text_time_ms(time, (int64_t)(session->ended_us / 1000));
        strbuf_printf(out, " to %s", time);
    }
    strbuf_add_str(out, ".\n\n");
}

static void add_description(struct collection *collection, struct strbuf *out)
{
    const struct export_job *job = collection->job;
    const struct session_row *session = job->source->session;

    add_window(session, out);
    strbuf_printf(out, "%zu of %llu exchanges are items here.\n", collection->survey.count,
                  (unsigned long long)job->report->considered);
    for (int reason = 0; reason < EXPORT_REASON_COUNT; reason++)
        if (job->report->reasons[reason].count != 0)
            strbuf_printf(out, "- %llu %s\n", (unsigned long long)job->report->reasons[reason].count,
                          export_reason_text((enum export_reason)reason));
    if (session->incomplete != NULL)
        strbuf_printf(out, "- The session is incomplete: %s\n", session->incomplete);
    strbuf_add_str(
        out, "\nValues are as they were captured, secrets included. Cookies are not: they come from the jar "
             "(`weir export cookies-tough`).\n\n"
             "    newman run THIS.json --cookie-jar JAR.json");
    if (job->files != NULL)
        strbuf_add_str(out, " --working-dir THIS.files");
    strbuf_add_str(out, "\n");
}

static void write_info(struct collection *collection)
{
    struct json_out *json = &collection->json;
    struct strbuf text = STRBUF_EMPTY;
    char id[DIGEST_UUID_BYTES];

    jout_key(json, "info");
    jout_open_object(json);
    strbuf_printf(&text, "%s %s", collection->job->source->session->uid,
                  group_name(collection->job->options->group));
    digest_uuid("collection", strbuf_span(&text), id);
    jout_member_str(json, "_postman_id", id);
    strbuf_reset(&text);
    add_title(collection, &text);
    jout_member_text(json, "name", strbuf_span(&text));
    jout_member_str(json, "schema", "https://schema.getpostman.com/json/collection/v2.1.0/collection.json");
    strbuf_reset(&text);
    add_description(collection, &text);
    jout_key(json, "description");
    jout_open_object(json);
    jout_member_text(json, "content", strbuf_span(&text));
    jout_member_str(json, "type", "text/markdown");
    jout_close(json);
    jout_close(json);
    strbuf_clear(&text);
}

/* --- variables ----------------------------------------------------------------------------------------- */

static void write_variable(struct json_out *json, struct span key, struct span value)
{
    jout_open_object(json);
    jout_member_text(json, "key", key);
    jout_member_text(json, "value", value);
    jout_member_str(json, "type", "string");
    jout_close(json);
}

static void write_literal(void *self, struct span name)
{
    char *value = mem_printf("{{%.*s}}", SPAN_ARG(name));

    write_variable(self, name, span_of(value));
    mem_free(value);
}

static void write_variables(struct collection *collection)
{
    struct json_out *json = &collection->json;

    jout_key(json, "variable");
    jout_open_array(json);
    for (const struct survey_origin *origin = collection->survey.origins; origin != NULL;
         origin = origin->hh.next)
        write_variable(json, span_of(origin->variable), span_of(origin->url));
    literals_each(collection->survey.literals, write_literal, json);
    jout_close(json);
}

/* --- the tree ------------------------------------------------------------------------------------------ */

static void open_folder(struct collection *collection, const char *outer, const char *inner)
{
    struct json_out *json = &collection->json;
    const struct export_job *job = collection->job;
    char id[DIGEST_UUID_BYTES];
    char *key =
        mem_printf("%s %s %s\n%s", job->source->session->uid, group_name(job->options->group), outer, inner);

    digest_uuid("folder", span_of(key), id);
    mem_free(key);
    jout_open_object(json);
    jout_member_str(json, "name", inner[0] != '\0' ? inner : outer);
    jout_member_str(json, "id", id);
    jout_key(json, "item");
    jout_open_array(json);
    names_reset(collection->names);
}

static void close_folder(struct collection *collection)
{
    jout_close(&collection->json);
    jout_close(&collection->json);
    names_reset(collection->names);
}

static bool write_one(struct collection *collection, size_t index, size_t number, int width, struct err *err)
{
    struct export_job *job = collection->job;
    const struct record *record;
    enum export_reason why;

    if (!job->source->at(job->source->self, collection->survey.items[index].seq, &record, err))
        return false;
    /* While a session records, an exchange may change or go between the two passes. */
    if (record == NULL || !survey_takes(record, &why) ||
        survey_origin_of(&collection->survey, record) == NULL) {
        job_count(job, EXPORT_GONE, "exchange %u", collection->survey.items[index].seq);
        return true;
    }
    if (!item_write(collection, record, number, width, err))
        return false;
    job->report->written++;
    return true;
}

static bool write_flat(struct collection *collection, struct err *err)
{
    int width = 3;

    for (size_t rest = collection->survey.count; rest > 999; rest /= 10)
        width++;
    for (size_t i = 0; i < collection->survey.count; i++)
        if (!write_one(collection, i, i + 1, width, err))
            return false;
    return true;
}

/* Items come sorted by folder: a folder is opened at its first item and closed at the next folder's. */
static bool write_grouped(struct collection *collection, struct err *err)
{
    const struct survey *survey = &collection->survey;
    bool has_outer = collection->job->options->group != EXPORT_BY_ENDPOINT;
    bool is_outer_open = false, is_inner_open = false;
    size_t outer = 0, inner = 0;

    for (size_t i = 0; i < survey->count; i++) {
        size_t next_outer = survey_outer(survey->items[i].order),
               next_inner = survey_inner(survey->items[i].order);
        bool is_other_outer = has_outer && (!is_outer_open || next_outer != outer);

        if (is_inner_open && (is_other_outer || next_inner != inner)) {
            close_folder(collection);
            is_inner_open = false;
        }
        if (is_other_outer) {
            if (is_outer_open)
                close_folder(collection);
            open_folder(collection, survey->outer.list[next_outer].name, "");
            is_outer_open = true;
        }
        if (next_inner != 0 && !is_inner_open) {
            open_folder(collection, has_outer ? survey->outer.list[next_outer].name : "",
                        survey->inner.list[next_inner - 1].name);
            is_inner_open = true;
        }
        outer = next_outer;
        inner = next_inner;
        if (!write_one(collection, i, 0, 0, err))
            return false;
    }
    if (is_inner_open)
        close_folder(collection);
    if (is_outer_open)
        close_folder(collection);
    return true;
}

static bool write_document(struct collection *collection, struct err *err)
{
    struct json_out *json = &collection->json;
    bool ok;

    jout_open_object(json);
    write_info(collection);
    write_variables(collection);
    jout_key(json, "protocolProfileBehavior");
    jout_open_object(json);
    /* The answer to a redirect was captured too and is an item of its own: nothing is to be asked for twice.
     */
    jout_member_bool(json, "followRedirects", false);
    jout_close(json);
    jout_key(json, "item");
    jout_open_array(json);
    ok = collection->job->options->group == EXPORT_CHRONOLOGICAL ? write_flat(collection, err)
                                                                 : write_grouped(collection, err);
    if (!ok)
        return false;
    jout_close(json);
    jout_close(json);
    jout_end_document(json);
    return true;
}

bool export_collection(struct export_job *job, struct err *err)
{
    struct collection collection = { .job = job };
    bool ok;

    if (!survey_run(job, &collection.survey, err))
        return false;
    collection.names = names_new();
    jout_init(&collection.json, job->out);
    ok = write_document(&collection, err);
    names_free(collection.names);
    survey_clear(&collection.survey);
    return ok;
}
