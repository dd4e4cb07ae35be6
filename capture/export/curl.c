/* The options are collected first, since how they are written depends on how much they are: header fields
 * stand on the command line, or, where there are too many for it, in a file that curl reads. */
#include "capture/export/curl.h"

#include <jansson.h>

#include "capture/export/content.h"
#include "capture/export/job.h"
#include "capture/export/policy.h"
#include "capture/export/secret_stream.h"
#include "capture/export/shell.h"
#include "capture/export/shell_bytes.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

/* Linux takes arguments of 128 KiB each and, unless somebody changed it, 2 MiB in all. Long before that
 * nobody wants to read them. */
#define MAX_ARGUMENT_BYTES (128 * 1024 - 1)
#define MAX_FIELDS_BYTES   (60 * 1024)
#define MAX_BODY_BYTES     (60 * 1024)
/* What curl (lib/dynbuf.h) takes of a whole head; with room for the scheme, the host and a version. */
#define MAX_HEAD_BYTES (1024 * 1024 - 1024)
/* Room for scheme and authority before a target. */
#define MAX_ORIGIN_BYTES 300

struct option {
    const char *name;
    char *value;             /* owned; NULL: the option has none */
    struct secret_text part; /* the end of value, where it has names for its values */
};

/* As it was captured, or, where its content coding hid secrets, without that coding. */
struct curl_body {
    struct content content;
    bool has_secrets, is_decoded;
};

struct command {
    struct secrets *secrets; /* NULL: values are written as they are */
    const struct record *record;
    struct option *options;
    size_t count, cap;
    size_t fields_bytes; /* of the header fields among them */
};

static void add_option(struct command *command, const char *name, struct span value)
{
    if (command->count == command->cap) {
        command->cap = command->cap != 0 ? command->cap * 2 : 32;
        command->options = mem_realloc(command->options, command->cap * sizeof(*command->options));
    }
    command->options[command->count++] =
        (struct option){ .name = name, .value = value.ptr != NULL ? mem_spandup(value) : NULL };
}

/* The last len bytes of the option that was added last are the text of part. */
static void set_part(struct command *command, struct secret_text part, size_t len)
{
    struct option *option = &command->options[command->count - 1];

    part.text = span_from(span_of(option->value), strlen(option->value) - len);
    option->part = part;
}

static void add_flag(struct command *command, const char *name)
{
    add_option(command, name, SPAN_NONE);
}

static void add_header(struct command *command, struct span line)
{
    command->fields_bytes += line.len + sizeof("-H") + sizeof(char *) * 2;
    add_option(command, "header", line);
}

static void command_clear(struct command *command)
{
    for (size_t i = 0; i < command->count; i++)
        mem_free(command->options[i].value);
    mem_free(command->options);
}

/* --- what can be sent again ---------------------------------------------------------------------------- */

static bool is_chunked(const struct record *record)
{
    struct span value;

    return record_find(&record->request_headers, SPAN("Transfer-Encoding"), &value);
}

/* What was recorded is all of the body: of a request that was aborted, or answered early, it may not be. */
static bool is_whole(const struct record *record)
{
    const struct record_body *body = &record->request_body;
    struct span value;
    uint64_t length;

    if (body->kept < body->bytes)
        return false;
    if (is_chunked(record))
        return record->times[TAP_T_SENT_LAST] != TAP_NEVER;
    if (!record_find(&record->request_headers, SPAN("Content-Length"), &value))
        return true;
    value = span_trim(span_sub(value, 0, span_find(value, ',')));
    return span_u64(value, &length) && length == body->bytes;
}

/* Its target and its fields, as far as curl can hold them. */
static bool is_short(const struct record *record)
{
    const struct record_fields *fields = &record->request_headers;
    size_t target = record->path.len + record->query.len + MAX_ORIGIN_BYTES, all = target;

    for (size_t i = 0; i < fields->count; i++)
        all += fields->items[i].name.len + fields->items[i].value.len + strlen(": \r\n");
    return target <= MAX_ARGUMENT_BYTES && all <= MAX_HEAD_BYTES;
}

bool curl_takes(const struct record *record, enum export_reason *out_why)
{
    if (record_is_tunnel(record))
        *out_why = EXPORT_TUNNEL;
    else if (record_is_upgrade(record))
        *out_why = EXPORT_UPGRADED;
    else if ((record->flags & TAP_MADE_BY_WEIR) != 0 && record->status < 500)
        *out_why = EXPORT_OWN_RESPONSE; /* refused: it was for no origin */
    else if (!is_whole(record))
        *out_why = EXPORT_REQUEST_CUT;
    else if (!is_short(record))
        *out_why = EXPORT_HEAD_LONG;
    else
        return true;
    return false;
}

/* --- where it goes ------------------------------------------------------------------------------------- */

static char *client_sni(const struct record *record)
{
    json_t *facts = record->client_tls.len != 0
                        ? json_loadb(record->client_tls.ptr, record->client_tls.len, 0, NULL)
                        : NULL;
    const char *sni = json_string_value(json_object_get(facts, "sni"));
    char *copy = sni != NULL && *sni != '\0' ? mem_strdup(sni) : NULL;

    json_decref(facts);
    return copy;
}

/* The authority of the URL. Over TLS that is also the name in the handshake, and Host may say another one;
 * then the address that was dialled has to be told, too. *out_goes_elsewhere: it has to. */
static void add_authority(struct strbuf *out, const struct record *record, bool *out_goes_elsewhere)
{
    char *host = mem_spandup(record->host), *sni = client_sni(record);
    uint16_t port = record->port;
    struct authority dialled;
    struct err err; /* no address: it was never dialled */

    *out_goes_elsewhere =
        (record->flags & TAP_HOST_DIFFERS) != 0 || (sni != NULL && !span_ieq(span_of(sni), record->host));
    if (!url_parse_authority(record->origin_addr, &dialled, &err))
        *out_goes_elsewhere = false;
    if (*out_goes_elsewhere && span_eq(record->scheme, SPAN("https"))) {
        mem_free(host);
        host = mem_strdup(sni != NULL ? sni : dialled.host);
        port = dialled.port;
    }
    url_add_authority(out, record->scheme, host, port);
    mem_free(sni);
    mem_free(host);
}

/* What curl passes on from a URL as it is, in every version. */
static bool fits_url(const struct record *record)
{
    const struct span parts[] = { record->path, record->query };

    if (record->path.len == 0 || record->path.ptr[0] != '/' ||
        (record->query.ptr != NULL && record->query.len == 0))
        return false;
    for (size_t part = 0; part < 2; part++) {
        for (size_t i = 0; i < parts[part].len; i++) {
            char c = parts[part].ptr[i];
            if (c <= ' ' || c > '~' || strchr("\"#<>\\^`{|}", c) != NULL)
                return false;
        }
    }
    return true;
}

static void add_target(struct strbuf *out, const struct record *record)
{
    strbuf_add(out, record->path);
    if (record->query.ptr != NULL) {
        strbuf_add_char(out, '?');
        strbuf_add(out, record->query);
    }
}

/* Flags, method, URL; in authority: as it stands in the URL. */
static void add_url(struct command *command, const struct record *record, struct strbuf *authority)
{
    struct strbuf url = STRBUF_EMPTY, target = STRBUF_EMPTY, to = STRBUF_EMPTY;
    bool goes_elsewhere, has_target = !fits_url(record);

    add_authority(authority, record, &goes_elsewhere);
    add_target(&target, record);
    strbuf_add(&url, record->scheme);
    strbuf_add_str(&url, "://");
    strbuf_add(&url, strbuf_span(authority));
    strbuf_add(&url, has_target ? SPAN("/") : strbuf_span(&target));
    if (strpbrk(strbuf_text(&url), "[]") != NULL)
        add_flag(command, "globoff");
    if (strstr(strbuf_text(&url), "/.") != NULL)
        add_flag(command, "path-as-is");
    add_option(command, "url", strbuf_span(&url));
    if (has_target)
        add_option(command, "request-target", strbuf_span(&target));
    if (record->query.ptr != NULL)
        set_part(command, secret_text_of_query(record), record->query.len);
    if (goes_elsewhere) {
        strbuf_add_str(&to, "::");
        strbuf_add(&to, record->origin_addr);
        add_option(command, "connect-to", strbuf_span(&to));
    }
    strbuf_clear(&to);
    strbuf_clear(&target);
    strbuf_clear(&url);
}

/* --- header fields ------------------------------------------------------------------------------------- */

static bool is_for_the_proxy(struct span name)
{
    return span_ieq(name, SPAN("Proxy-Connection")) || span_ieq(name, SPAN("Proxy-Authorization")) ||
           span_starts(name, SPAN(":")); /* of HTTP/2: curl makes them of method and URL */
}

/* Line ends and NUL never come from a wire that weir read itself. */
static bool is_lost(const struct record_field *field)
{
    bool is_blank = field->value.len != 0;

    for (size_t i = 0; i < field->value.len; i++) {
        char c = field->value.ptr[i];

        if (c == '\0' || c == '\r' || c == '\n')
            return true;
        is_blank = is_blank && (c == '\v' || c == '\f' || c == ' ' || c == '\t');
    }
    return is_blank;
}

static void add_field(struct command *command, struct span name, struct span value)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_add(&line, name);
    strbuf_add_str(&line, value.len != 0 ? ": " : ";"); /* "Name:" would take it out */
    strbuf_add(&line, value);
    add_header(command, strbuf_span(&line));
    set_part(command,
             secret_text_of_field(command->record, HTTP_REQUEST,
                                  &(struct record_field){ .name = name, .value = value }),
             value.len);
    strbuf_clear(&line);
}

/* curl writes Host first, in its own spelling, unless it is taken out: then one may stand anywhere. */
static void add_fields(struct command *command, const struct record *record, struct span authority,
                       const struct curl_body *body, struct curl_losses *out_losses)
{
    const struct record_fields *fields = &record->request_headers;
    struct policy_facts facts;
    size_t first = 0, hosts = 0;
    bool is_curls_place;

    policy_facts_init(&facts, record, true);
    for (size_t i = 0; i < fields->count; i++)
        hosts += span_ieq(fields->items[i].name, SPAN("Host"));
    while (first < fields->count && is_for_the_proxy(fields->items[first].name))
        first++;
    is_curls_place =
        record->request_version == HTTP_2 || (hosts == 1 && span_eq(fields->items[first].name, SPAN("Host")));
    if (!is_curls_place)
        add_header(command, SPAN("Host:"));
    for (size_t i = first; i < fields->count; i++) {
        const struct record_field *field = &fields->items[i];
        struct span value = field->value;

        if (is_for_the_proxy(field->name) ||
            (body->has_secrets && span_ieq(field->name, SPAN("Content-Length"))) ||
            (body->is_decoded && span_ieq(field->name, SPAN("Content-Encoding"))))
            continue;
        if (is_lost(field)) {
            out_losses->unfit_fields++;
            continue;
        }
        if (span_ieq(field->name, SPAN("Host"))) {
            if (facts.is_host_replaced)
                value = authority;
            if (is_curls_place && span_eq(value, authority))
                continue;
        }
        add_field(command, field->name, value);
    }
}

/* Takes out what curl would say of itself. */
static void add_absent(struct command *command, const struct record *record, bool has_body)
{
    static const struct {
        const char *name;
        bool with_body; /* only then curl says it */
    } rows[] = {
        { "User-Agent:", false }, { "Accept:", false }, { "Content-Type:", true }, { "Expect:", true }
    };
    struct span value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span line = span_of(rows[i].name), name = span_sub(line, 0, line.len - 1);

        if ((has_body || !rows[i].with_body) && !record_find(&record->request_headers, name, &value))
            add_header(command, line);
    }
}

static void add_method(struct command *command, const struct record *record, bool has_body)
{
    if (span_eq(record->method, SPAN("HEAD")) && !has_body) {
        add_flag(command, "head");
        return;
    }
    if (!span_eq(record->method, SPAN("GET")) || has_body)
        add_option(command, "request", record->method);
    if (span_eq(record->method, SPAN("HEAD")))
        add_option(command, "max-time", SPAN("10"));
}

static void add_version(struct command *command, const struct record *record)
{
    bool is_tls = span_eq(record->scheme, SPAN("https"));

    if (record->request_version == HTTP_1_0)
        add_flag(command, "http1.0");
    else if (record->request_version == HTTP_2)
        add_flag(command, is_tls ? "http2" : "http2-prior-knowledge");
    else if (is_tls)
        add_flag(command, "http1.1"); /* or curl offers HTTP/2 */
}

/* --- writing ------------------------------------------------------------------------------------------- */

static void write_buf(FILE *out, struct strbuf *text)
{
    fwrite(strbuf_text(text), 1, text->len, out);
    strbuf_reset(text);
}

static void add_value(struct strbuf *line, const struct command *command, const struct option *option)
{
    struct secret_text parts[] = { { .kind = SECRET_TEXT_PLAIN, .text = span_of(option->value) },
                                   option->part };

    parts[0].text.len -= option->part.text.len;
    if (command->secrets == NULL)
        shell_add_word(line, span_of(option->value));
    else
        shell_add_secret_word(line, command->secrets, parts, 2);
}

/* Up to the URL on one line, then a line an option. */
static void write_options(FILE *out, const struct command *command, bool with_fields)
{
    static const char *const letters[][2] = { { "request", "-X" }, { "header", "-H" }, { "head", "-I" } };
    struct strbuf line = STRBUF_EMPTY;
    bool is_behind_url = false;

    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        bool is_url = strcmp(option->name, "url") == 0;
        const char *letter = NULL;

        if (!with_fields && strcmp(option->name, "header") == 0)
            continue;
        strbuf_add_str(&line, is_behind_url ? " \\\n  " : " ");
        for (size_t j = 0; j < sizeof(letters) / sizeof(letters[0]); j++)
            letter = strcmp(letters[j][0], option->name) == 0 ? letters[j][1] : letter;
        if (letter != NULL)
            strbuf_add_str(&line, letter);
        else if (!is_url)
            strbuf_printf(&line, "--%s", option->name);
        if (option->value != NULL) {
            if (!is_url)
                strbuf_add_char(&line, ' ');
            add_value(&line, command, option);
        }
        is_behind_url = is_behind_url || is_url;
        write_buf(out, &line);
    }
    strbuf_clear(&line);
}

struct put_to {
    const struct command *command;
    struct shell_bytes *bytes;
};

/* No variable of bash holds a NUL. */
static bool put_piece(void *self, const struct secret_piece *piece, struct err *err)
{
    struct put_to *to = self;
    struct strbuf mask = STRBUF_EMPTY;

    (void)err; /* the stream's error is looked at when everything is written */
    if (piece->secret == NULL) {
        shell_bytes_put(to->bytes, piece->text);
    } else if (memchr(piece->text.ptr, '\0', piece->text.len) == NULL) {
        shell_bytes_put_variable(to->bytes, secrets_variable(to->command->secrets, piece));
    } else {
        secrets_add_mask(to->command->secrets, piece, &mask);
        shell_bytes_put(to->bytes, strbuf_span(&mask));
        strbuf_clear(&mask);
    }
    return true;
}

static void put_part(void *self, const struct secret_piece *piece)
{
    struct err err; /* put_piece has none */

    put_piece(self, piece, &err);
}

static bool put_bytes(void *self, struct span bytes, struct err *err)
{
    (void)err;
    shell_bytes_put(self, bytes);
    return true;
}

static bool write_bytes(struct shell_bytes *bytes, const struct command *command,
                        const struct export_source *source, const struct curl_body *body, struct err *err)
{
    struct put_to to = { command, bytes };
    struct secret_text front;
    bool ok;

    if (body->has_secrets) {
        front = secret_text_of_body(command->record, HTTP_REQUEST, strbuf_span(&body->content.front));
        ok = secret_stream(command->secrets, source, &body->content, &front, put_piece, &to, err);
    } else {
        ok = content_stream(source, &body->content, put_bytes, bytes, err);
    }
    shell_bytes_end(bytes);
    return ok;
}

static void write_fields_file(FILE *out, const struct command *command)
{
    struct shell_bytes bytes = { .out = out, .word = "HEAD" };
    struct put_to to = { command, &bytes };

    fputs(" \\\n  -H @<(", out);
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        struct secret_text before = { .kind = SECRET_TEXT_PLAIN };

        if (strcmp(option->name, "header") != 0)
            continue;
        before.text = span_of(option->value);
        if (command->secrets == NULL) {
            shell_bytes_put(&bytes, before.text);
        } else {
            before.text.len -= option->part.text.len;
            secrets_split(command->secrets, &before, put_part, &to);
            secrets_split(command->secrets, &option->part, put_part, &to);
        }
        shell_bytes_put(&bytes, SPAN("\n"));
    }
    shell_bytes_end(&bytes);
    putc(')', out);
}

static void write_short_body(FILE *out, const struct command *command, const struct curl_body *body)
{
    struct span bytes = strbuf_span(&body->content.front);
    struct secret_text text = secret_text_of_body(command->record, HTTP_REQUEST, bytes);
    struct strbuf word = STRBUF_EMPTY;

    fputs(" \\\n  --data-raw ", out);
    if (body->has_secrets)
        shell_add_secret_word(&word, command->secrets, &text, 1);
    else
        shell_add_word(&word, bytes);
    strbuf_add_char(&word, '\n');
    write_buf(out, &word);
    strbuf_clear(&word);
}

static bool is_long(const struct content *body)
{
    return !body->is_whole || !body->is_text || body->front.len > MAX_BODY_BYTES;
}

/* Two here-documents in one pipeline would be read in an order that nobody remembers: with a long head the
 * body is a file, too. The pipe takes bash half the time and memory. */
static bool write_command(const struct command *command, const struct export_source *source,
                          const struct curl_body *body, bool has_body, FILE *out, struct err *err)
{
    bool has_long_head = command->fields_bytes > MAX_FIELDS_BYTES, has_long_body = is_long(&body->content);
    bool is_piped = has_long_body && !has_long_head;
    struct shell_bytes bytes = { .out = out, .word = "BODY" };

    if (is_piped && body->has_secrets) {
        fputs("{\n", out);
        if (!write_bytes(&bytes, command, source, body, err))
            return false;
        fputs("} | ", out);
    } else if (is_piped) {
        fputs("base64 -d <<'BODY' | ", out);
    }
    fputs("curl -s -S", out); /* apart: Postman's reader of commands takes a URL after -sS for its value */
    write_options(out, command, !has_long_head);
    if (has_long_head)
        write_fields_file(out, command);
    if (!has_body) {
        putc('\n', out);
        return true;
    }
    if (!has_long_body) {
        write_short_body(out, command, body);
        return true;
    }
    fputs(is_piped ? " \\\n  --data-binary @-\n" : " \\\n  --data-binary @<(", out);
    if (is_piped && body->has_secrets)
        return true;
    bytes.is_open = is_piped;
    if (!write_bytes(&bytes, command, source, body, err))
        return false;
    if (!is_piped)
        fputs(")\n", out);
    return true;
}

static void write_losses(FILE *out, const struct curl_losses *losses, bool is_head_with_body)
{
    if (losses->has_trailers)
        fputs("# without its trailers: curl can't send any\n", out);
    if (losses->unfit_fields != 0)
        fprintf(out, "# without %u of its header fields: curl can't send their values\n",
                losses->unfit_fields);
    if (is_head_with_body)
        fputs("# a HEAD with a body: curl waits for a body of the answer, too, and gives up after 10 s\n",
              out);
}

static bool note_secret(void *self, const struct secret_piece *piece, struct err *err)
{
    bool *has_any = self;

    (void)err; /* one is enough */
    *has_any = *has_any || piece->secret != NULL;
    return !*has_any;
}

static bool read_body(const struct export_source *source, const struct command *command,
                      struct curl_body *out_body, struct err *err)
{
    const struct record_fields as_it_is = { NULL, 0 };
    const struct record *record = command->record;
    struct curl_body body = { .has_secrets = false };
    struct secret_text front;
    bool ok;

    if (command->secrets != NULL) {
        if (!content_read(source, &record->request_body, &record->request_headers, SECRETS_MAX_TEXT,
                          CONTENT_ALL, &body.content, err))
            return false;
        front = secret_text_of_body(record, HTTP_REQUEST, strbuf_span(&body.content.front));
        body.is_decoded = body.content.encodings.len != 0;
        ok = secret_stream(command->secrets, source, &body.content, &front, note_secret, &body.has_secrets,
                           err);
        if (body.has_secrets) {
            *out_body = body;
            return true;
        }
        content_clear(&body.content);
        if (!ok)
            return false;
        body.is_decoded = false;
    }
    if (!content_read(source, &record->request_body, &as_it_is, MAX_BODY_BYTES, CONTENT_FRONT, &body.content,
                      err))
        return false;
    *out_body = body;
    return true;
}

bool curl_write(const struct export_source *source, const struct record *record, struct secrets *secrets,
                FILE *out, struct curl_losses *out_losses, struct err *err)
{
    struct curl_losses losses = { .has_trailers = record->request_trailers.count != 0 };
    bool has_body = record->request_body.bytes != 0 || is_chunked(record), ok;
    struct strbuf authority = STRBUF_EMPTY;
    struct command command = { .secrets = secrets, .record = record };
    struct curl_body body;
    struct span value;

    if (!read_body(source, &command, &body, err))
        return false;
    add_version(&command, record);
    if (record_find(&record->request_headers, SPAN("Accept-Encoding"), &value))
        add_flag(&command, "compressed"); /* sends what is given below, and decodes the answer */
    add_method(&command, record, has_body);
    add_url(&command, record, &authority);
    add_fields(&command, record, strbuf_span(&authority), &body, &losses);
    add_absent(&command, record, has_body);
    write_losses(out, &losses, has_body && span_eq(record->method, SPAN("HEAD")));
    ok = write_command(&command, source, &body, has_body, out, err);
    *out_losses = losses;
    command_clear(&command);
    strbuf_clear(&authority);
    content_clear(&body.content);
    return ok;
}
