/* A bash script with a curl command for each request, in order. */
#include "capture/export/curl.h"
#include "capture/export/job.h"
#include "capture/export/shell.h"
#include "capture/export/text.h"

static void write_comment(FILE *out, const struct record *record)
{
    char time[TEXT_TIME_BYTES];

    text_time_ms(time, (int64_t)(record->started_us / 1000));
    fprintf(out, "\n# exchange %u, %s, ", record->seq, time);
    if (record->status != 0)
        fprintf(out, "status %d\n", record->status);
    else
        fputs("no response\n", out);
}

static void write_left_out(struct export_job *job, const struct record *record, enum export_reason why)
{
    struct strbuf text = STRBUF_EMPTY, url = STRBUF_EMPTY, masked = STRBUF_EMPTY;
    struct secret_text of_url = { .kind = SECRET_TEXT_URL, .record = record };

    record_add_url(record, &url);
    of_url.text = strbuf_span(&url);
    if (job->secrets != NULL)
        secrets_replace(job->secrets, &of_url, SECRET_STYLE_MASK, &masked);
    else
        strbuf_add(&masked, of_url.text);
    strbuf_add_str(&text, "# ");
    shell_add_comment(&text, record->method);
    strbuf_add_char(&text, ' ');
    shell_add_comment(&text, strbuf_span(&masked));
    strbuf_printf(&text, "\n# %s\n", export_reason_text(why));
    fputs(strbuf_text(&text), job->out);
    strbuf_clear(&masked);
    strbuf_clear(&text);
    strbuf_clear(&url);
}

static bool write_exchange(struct export_job *job, const struct record *record, struct err *err)
{
    struct curl_losses losses;
    enum export_reason why;

    write_comment(job->out, record);
    if (!curl_takes(record, &why)) {
        write_left_out(job, record, why);
        job_count_exchange(job, why, record);
        return true;
    }
    if (!curl_write(job->source, record, job->secrets, job->out, &losses, err))
        return false;
    if (losses.has_trailers)
        job_count_exchange(job, EXPORT_TRAILERS, record);
    for (unsigned i = 0; i < losses.unfit_fields; i++)
        job_count_exchange(job, EXPORT_HEADER_UNFIT, record);
    job->report->written++;
    return true;
}

/* An unset variable stops the script: a request without its token would only be refused. */
static void write_how_values_come(struct export_job *job)
{
    const char *slash = job->values_path != NULL ? strrchr(job->values_path, '/') : NULL;
    struct strbuf word = STRBUF_EMPTY;

    fputs("# Secrets are variables: ", job->out);
    if (job->values_path != NULL) {
        shell_add_word(&word, span_of(slash != NULL ? slash + 1 : job->values_path));
        fprintf(job->out,
                "their values are in the file beside this one.\nset -u\n"
                ". \"$(dirname -- \"${BASH_SOURCE[0]}\")\"/%s\n",
                strbuf_text(&word));
    } else {
        fputs("set them; 'weir export environment' has the values.\nset -u\n", job->out);
    }
    strbuf_clear(&word);
}

/* Also those that no request uses: the script's head has asked for the file. */
static void write_values(struct export_job *job)
{
    bool is_dropped = job->options->secrets == EXPORT_SECRETS_DROP;

    *(is_dropped ? &job->report->blanks : &job->report->values) = secrets_count(job->secrets);
    shell_write_values(job->values, job->secrets, is_dropped);
}

bool export_curl(struct export_job *job, struct err *err)
{
    const struct export_source *source = job->source;
    struct strbuf name = STRBUF_EMPTY;
    const struct record *record;

    shell_add_comment(&name, span_of(source->session->name));
    fprintf(job->out,
            "#!/usr/bin/env bash\n"
            "# The requests of session '%s' in order, as they were captured.\n"
            "# Content-Length, too: whoever changes a body changes it with it, or takes it out.\n",
            strbuf_text(&name));
    strbuf_clear(&name);
    if (job->secrets != NULL && secrets_count(job->secrets) != 0)
        write_how_values_come(job);
    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            break;
        job->report->considered++;
        if (!write_exchange(job, record, err))
            return false;
    }
    if (job->values != NULL)
        write_values(job);
    return true;
}
