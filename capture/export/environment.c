/* The variables of exports as a Postman environment: base URLs, for whoever runs a collection against another
 * place, and the values of secrets, for whoever may have them. */
#include "capture/export/environment.h"

#include "capture/export/credential.h"
#include "capture/export/digest.h"
#include "capture/export/json_out.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

static void write_value(struct json_out *json, const struct survey_origin *origin)
{
    jout_open_object(json);
    jout_member_str(json, "key", origin->variable);
    jout_member_str(json, "value", origin->url);
    jout_member_str(json, "type", "default");
    jout_member_bool(json, "enabled", true);
    jout_close(json);
}

struct secret_values {
    struct json_out *json;
    struct export_report *report;
    bool is_dropped;
};

static void write_secret(void *self, const char *name, struct span value, const struct secret *secret)
{
    struct secret_values *values = self;

    (void)secret;
    *(values->is_dropped ? &values->report->blanks : &values->report->values) += 1;
    jout_open_object(values->json);
    jout_member_str(values->json, "key", name);
    jout_member_bytes(values->json, "value", values->is_dropped ? SPAN("") : value);
    jout_member_str(values->json, "type", "secret");
    jout_member_bool(values->json, "enabled", true);
    jout_close(values->json);
}

static void write_fill_in(struct json_out *json, struct export_report *report, const char *name)
{
    report->blanks++;
    jout_open_object(json);
    jout_member_str(json, "key", name);
    jout_member_str(json, "value", "");
    jout_member_str(json, "type", "secret");
    jout_member_bool(json, "enabled", true);
    jout_close(json);
}

static void begin(struct export_job *job, const struct survey *survey, struct json_out *json)
{
    const struct session_row *session = job->source->session;
    char id[DIGEST_UUID_BYTES];
    char *name = job->options->name != NULL
                     ? mem_strdup(job->options->name)
                     : mem_printf("weir · %s", survey->main != NULL ? survey->main->host : session->name);

    digest_uuid("environment", span_of(session->uid), id);
    jout_open_object(json);
    jout_member_str(json, "id", id);
    jout_member_str(json, "name", name);
    jout_key(json, "values");
    jout_open_array(json);
    mem_free(name);
}

static void end(struct export_job *job, struct json_out *json)
{
    const struct session_row *session = job->source->session;
    char time[TEXT_TIME_BYTES];

    /* Not when it was exported: two exports of a session are the same file. */
    text_time_ms(time, (int64_t)((session->ended_us != 0 ? session->ended_us : session->started_us) / 1000));
    jout_close(json);
    jout_member_str(json, "_postman_variable_scope", "environment");
    jout_member_str(json, "_postman_exported_at", time);
    jout_member_str(json, "_postman_exported_using", "weir/" WEIR_VERSION);
    jout_close(json);
    jout_end_document(json);
}

void environment_write(struct export_job *job, const struct survey *survey, const struct fill_ins *fill_ins,
                       FILE *out)
{
    struct json_out json;
    struct secret_values secrets = { &json, job->report, job->options->secrets == EXPORT_SECRETS_DROP };

    jout_init(&json, out);
    begin(job, survey, &json);
    secrets_each_variable(job->secrets, true, write_secret, &secrets);
    if (fill_ins->aws)
        write_fill_in(&json, job->report, CREDENTIAL_AWS_VARIABLE);
    if (fill_ins->digest)
        write_fill_in(&json, job->report, CREDENTIAL_DIGEST_VARIABLE);
    end(job, &json);
}

bool export_environment(struct export_job *job, struct err *err)
{
    struct json_out json;
    struct secret_values secrets = { &json, job->report, job->options->secrets == EXPORT_SECRETS_DROP };
    struct survey survey;

    if (!survey_run(job, false, &survey, err))
        return false;
    job->report->written = survey.count;
    jout_init(&json, job->out);
    begin(job, &survey, &json);
    for (const struct survey_origin *origin = survey.origins; origin != NULL; origin = origin->hh.next)
        write_value(&json, origin);
    secrets_each_variable(job->secrets, false, write_secret, &secrets);
    end(job, &json);
    survey_clear(&survey);
    return true;
}
