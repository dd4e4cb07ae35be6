#include "capture/export/job_log.h"

#include "capture/export/json_out.h"
#include "proxy/base/mem.h"

struct job_log {
    FILE *explain, *file;
    bool is_json, has_lines;
    struct secrets *secrets;
};

struct job_log *job_log_new(FILE *explain, FILE *file, bool is_json)
{
    struct job_log *log = mem_new(struct job_log);

    *log = (struct job_log){ .explain = explain, .file = file, .is_json = is_json };
    if (is_json && file != NULL)
        fputc('[', file);
    return log;
}

void job_log_free(struct job_log *log)
{
    mem_free(log);
}

void job_log_set_secrets(struct job_log *log, struct secrets *secrets)
{
    log->secrets = secrets;
}

/* Without secrets, and nothing in it that ends a line or moves a cursor. */
static void add_shown(const struct job_log *log, const char *text, struct strbuf *out)
{
    struct secret_text of_text = { .kind = SECRET_TEXT_PLAIN, .text = span_of(text) };
    size_t begin = out->len;

    if (log->secrets != NULL)
        secrets_replace(log->secrets, &of_text, SECRET_STYLE_MASK, out);
    else
        strbuf_add_str(out, text);
    for (size_t i = begin; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < 0x20 || out->ptr[i] == 0x7f)
            out->ptr[i] = '?';
}

static void put_line(const struct job_log *log, const struct strbuf *line)
{
    if (log->explain != NULL)
        fprintf(log->explain, "weir: %s\n", strbuf_text(line));
    if (log->file != NULL && !log->is_json)
        fprintf(log->file, "%s\n", strbuf_text(line));
}

static bool begin_object(struct job_log *log, struct json_out *json)
{
    if (log->file == NULL || !log->is_json)
        return false;
    fputs(log->has_lines ? ",\n" : "\n", log->file);
    log->has_lines = true;
    jout_init_line(json, log->file);
    jout_open_object(json);
    return true;
}

void job_log_add(struct job_log *log, const char *what, const char *why, uint32_t item)
{
    struct strbuf line = STRBUF_EMPTY;
    struct json_out json;
    size_t what_len;

    add_shown(log, what, &line);
    what_len = line.len;
    if (begin_object(log, &json)) {
        jout_member_text(&json, "what", strbuf_span(&line));
        jout_member_str(&json, "why", why);
        if (item != 0)
            jout_member_int(&json, "item", item);
        jout_close(&json);
    }
    line.len = what_len;
    strbuf_printf(&line, ": %s", why);
    if (item != 0)
        strbuf_printf(&line, " (its item: exchange %u)", item);
    put_line(log, &line);
    strbuf_clear(&line);
}

static void add_line(struct job_log *log, const char *key, const char *text)
{
    struct strbuf line = STRBUF_EMPTY;
    struct json_out json;

    add_shown(log, text, &line);
    if (begin_object(log, &json)) {
        jout_member_text(&json, key, strbuf_span(&line));
        jout_close(&json);
    }
    put_line(log, &line);
    strbuf_clear(&line);
}

void job_log_add_path(struct job_log *log, const char *path)
{
    add_line(log, "path", path);
}

void job_log_add_link(struct job_log *log, const char *link)
{
    add_line(log, "link", link);
}

void job_log_end(struct job_log *log)
{
    if (log->is_json && log->file != NULL)
        fputs(log->has_lines ? "\n]\n" : "]\n", log->file);
}
