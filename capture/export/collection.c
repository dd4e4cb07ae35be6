/* First the survey decides which exchanges become items, in which order and under which names; then each is
 * read again, by its number, and written. */
#include "capture/export/collection.h"

#include "capture/export/collection_report.h"
#include "capture/export/digest.h"
#include "capture/export/environment.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

const char *collection_grouping(const struct export_options *options)
{
    static const char *const names[] = {
        [EXPORT_BY_BOTH] = "both",
        [EXPORT_BY_DOMAIN] = "domain",
        [EXPORT_BY_ENDPOINT] = "endpoint",
        [EXPORT_CHRONOLOGICAL] = "chronological",
    };
    return options->profile == EXPORT_FAITHFUL ? "faithful" : names[options->group];
}

void collection_add_shown(struct secrets *secrets, struct span bytes, struct strbuf *out)
{
    struct secret_text text = { .kind = SECRET_TEXT_PLAIN, .text = bytes };
    struct strbuf masked = STRBUF_EMPTY;

    if (secrets != NULL)
        secrets_replace(secrets, &text, SECRET_STYLE_MASK, &masked);
    else
        strbuf_add(&masked, bytes);
    text_add_bytes(out, strbuf_span(&masked));
    strbuf_clear(&masked);
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

static void add_secrets(const struct export_job *job, struct strbuf *out)
{
    if (job->secrets == NULL)
        strbuf_add_str(out, "\nValues are as they were captured, secrets included.");
    else if (secrets_count(job->secrets) == 0)
        strbuf_add_str(out, "\nNo secrets were found.");
    else if (job->values_path == NULL)
        strbuf_add_str(out, "\nSecrets are variables; `weir export environment` has their values.");
    else if (job->options->secrets == EXPORT_SECRETS_DROP)
        strbuf_add_str(out, "\nSecrets are variables, to be filled in in the environment beside this, if "
                            "there are any here.");
    else
        strbuf_add_str(out, "\nSecrets are variables, whose values are in the environment beside this, if "
                            "there are any here.");
}

/* Whether items use a variable, or a file, is known only when they are written: the line that always works
 * comes first, and what may lie beside the collection after it. */
static void add_newman_line(const struct collection *collection, struct strbuf *out)
{
    const struct export_job *job = collection->job;
    bool has_values = job->secrets != NULL && secrets_count(job->secrets) != 0;

    if (collection->is_faithful || job->options->cookies == EXPORT_COOKIES_HEADER)
        strbuf_add_str(out, " Cookies are sent as they were.\n\n    newman run THIS.json");
    else if (job->options->cookies == EXPORT_COOKIES_NONE)
        strbuf_add_str(out, " No cookies are sent.\n\n    newman run THIS.json");
    else
        strbuf_add_str(out, " Cookies come from responses and from the jar (`weir export cookies-tough`)."
                            "\n\n    newman run THIS.json --cookie-jar JAR.json");
    strbuf_add_str(out, "\n");
    if (has_values)
        strbuf_add_str(out, "\nWith an environment, add `-e ENVIRONMENT.json`.");
    if (job->files != NULL)
        strbuf_printf(out, "%sWith a folder of bodies beside this, add `--working-dir THIS.files`.",
                      has_values ? " " : "\n");
    if (has_values || job->files != NULL)
        strbuf_add_str(out, "\n");
}

static void add_description(struct collection *collection, struct strbuf *out)
{
    const struct export_job *job = collection->job;
    const struct session_row *session = job->source->session;

    add_window(session, out);
    strbuf_printf(out, "%llu exchanges; %zu are items here", (unsigned long long)job->report->considered,
                  collection->survey.count);
    if (job->report->examples != 0)
        strbuf_printf(out, ", %llu further examples of them", (unsigned long long)job->report->examples);
    strbuf_add_str(out, ".\n");
    for (int reason = 0; reason < EXPORT_REASON_COUNT; reason++)
        if (job->report->reasons[reason].count != 0)
            strbuf_printf(out, "- %llu %s\n", (unsigned long long)job->report->reasons[reason].count,
                          export_reason_text((enum export_reason)reason));
    if (session->incomplete != NULL)
        strbuf_printf(out, "- The session is incomplete: %s\n", session->incomplete);
    add_secrets(job, out);
    add_newman_line(collection, out);
}

static void write_info(struct collection *collection)
{
    struct json_out *json = &collection->json;
    struct strbuf text = STRBUF_EMPTY;
    char id[DIGEST_UUID_BYTES];

    jout_key(json, "info");
    jout_open_object(json);
    strbuf_printf(&text, "%s %s", collection->job->source->session->uid,
                  collection_grouping(collection->job->options));
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
        if (origin->items != 0)
            write_variable(json, span_of(origin->variable), span_of(origin->url));
    link_write_variables(collection);
    literals_each(collection->survey.literals, write_literal, json);
    jout_close(json);
}

/* --- the document -------------------------------------------------------------------------------------- */

/* What newman would else do by itself. A faithful collection has all that the captured client sent: nothing
 * is added, re-encoded or followed. In order of time a redirect's target is an item of its own. */
static void write_behavior(struct collection *collection)
{
    struct json_out *json = &collection->json;

    if (!collection->is_flat)
        return;
    jout_key(json, "protocolProfileBehavior");
    jout_open_object(json);
    jout_member_bool(json, "followRedirects", false);
    if (collection->is_faithful) {
        jout_member_bool(json, "disableCookies", true);
        jout_member_bool(json, "disableBodyPruning", true);
        jout_member_bool(json, "disableUrlEncoding", true);
    }
    jout_close(json);
}

static bool write_document(struct collection *collection, struct err *err)
{
    struct json_out *json = &collection->json;

    jout_open_object(json);
    write_info(collection);
    write_variables(collection);
    if (!tree_write_credential(collection, 0, collection->survey.count, err))
        return false;
    write_behavior(collection);
    jout_key(json, "item");
    jout_open_array(json);
    if (!tree_write(collection, err))
        return false;
    jout_close(json);
    jout_close(json);
    jout_end_document(json);
    return true;
}

/* What is merged is written into a file that nobody else sees first. */
static FILE *open_made(const struct export_job *job, FILE *out, struct err *err)
{
    return job->merge != NULL ? files_temporary(err) : out;
}

static bool write_collection(struct collection *collection, struct err *err)
{
    struct export_job *job = collection->job;
    unsigned max = job->options->max_examples != 0 ? job->options->max_examples : EXPORT_MAX_EXAMPLES;
    FILE *made = open_made(job, job->out, err);
    bool ok = made != NULL;

    if (ok) {
        jout_init(&collection->json, made);
        ok = write_document(collection, err);
    }
    if (ok && job->merge != NULL)
        ok = merge_collection(job->merge, made, job->out, max, job->files, job->log, &job->report->merged,
                              err);
    if (made != NULL && made != job->out)
        fclose(made);
    return ok;
}

static bool write_values(struct collection *collection, struct err *err)
{
    struct export_job *job = collection->job;
    FILE *made = job->values != NULL ? open_made(job, job->values, err) : NULL;
    bool ok = made != NULL || job->values == NULL;

    if (made != NULL)
        environment_write(job, &collection->survey, &collection->fill_ins, made);
    if (made != NULL && made != job->values) {
        ok = merge_values(job->merge, made, job->values, &job->report->values, &job->report->blanks, err);
        fclose(made);
    }
    return ok;
}

bool export_collection(struct export_job *job, struct err *err)
{
    struct collection collection = { .job = job,
                                     .is_faithful = job->options->profile == EXPORT_FAITHFUL,
                                     .is_flat = survey_is_flat(job->options) };
    bool ok;

    if (!survey_run(job, !collection.is_faithful, &collection.survey, err))
        return false;
    collection_report(job, &collection.survey);
    collection.names = names_new();
    ok = !job->options->links || collection.is_faithful ||
         links_find(job, &collection.survey, &collection.links, err);
    if (ok)
        link_report(&collection);
    ok = ok && write_collection(&collection, err) && write_values(&collection, err);
    names_free(collection.names);
    links_free(collection.links);
    survey_clear(&collection.survey);
    return ok;
}
