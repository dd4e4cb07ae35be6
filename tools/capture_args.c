#include "tools/capture_args.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "certs/file.h"
#include "proxy/base/mem.h"

#define MIN_HEADER_BYTES 1024
#define MAX_HEADER_BYTES (16 * 1024 * 1024)

/* Of a file with a user and a password: more is the wrong file. */
#define MAX_AUTH_BYTES 1024

#define FORWARD "forward"

static struct texts texts_of(const struct arg_list *list)
{
    return (struct texts){ list->items, list->count };
}

/* Where it is wrong the text itself is not said: it may be a password. */
static bool is_auth(struct span text)
{
    size_t colon = span_find(text, ':');

    return colon != 0 && colon < text.len && memchr(text.ptr, '\n', text.len) == NULL &&
           memchr(text.ptr, '\0', text.len) == NULL;
}

/* Without the end of its one line. */
static struct span without_line_end(struct span text)
{
    if (span_ends(text, SPAN("\n")))
        text.len--;
    if (span_ends(text, SPAN("\r")))
        text.len--;
    return text;
}

static bool read_auth(const char *given, char **out_auth, struct err *err)
{
    struct file_content file = { 0 };
    struct span text = span_of(given);
    bool ok;

    if (given[0] == '@') {
        if (!file_read(given + 1, MAX_AUTH_BYTES, &file, err))
            return false;
        text = without_line_end(file_content_span(&file));
    }
    ok = is_auth(text);
    if (ok)
        *out_auth = mem_spandup(text);
    else if (given[0] == '@')
        err_set(err, ERR_USAGE, "'%s' for '--proxy-auth' does not hold one line of USER:PASS", given + 1);
    else
        err_set(err, ERR_USAGE, "'--proxy-auth' is USER:PASS, or @FILE for a file that holds it");
    file_content_clear(&file);
    return ok;
}

/* As curl and the browsers do, so that one variable serves them and us. */
static const char *keylog_path(const struct args *args)
{
    const char *path = args->keylog != NULL ? args->keylog : getenv("SSLKEYLOGFILE");

    return path != NULL && path[0] != '\0' ? path : NULL;
}

bool capture_args_read(const struct args *args, const char *default_listen, struct capture_args *out_capture,
                       struct err *err)
{
    const struct arg_size *bytes = &args->max_header_bytes;

    if (bytes->is_given && (bytes->bytes < MIN_HEADER_BYTES || bytes->bytes > MAX_HEADER_BYTES))
        return err_set(err, ERR_USAGE, "'--max-header-bytes' is between 1k and 16M");
    *out_capture = (struct capture_args){ .default_listen = default_listen };
    if (args->keep_last != NULL && !keep_parse(args->keep_last, &out_capture->keep, err))
        return err_add(err, "'--keep-last'");
    if (args->proxy_auth != NULL && !read_auth(args->proxy_auth, &out_capture->proxy_auth, err))
        return false;
    out_capture->proxy = (struct proxy_options){
        .listen = args->listen.items,
        .listen_count = args->listen.count,
        .mode = args->mode,
        .allow = args->allow,
        .proxy_auth = out_capture->proxy_auth,
        .allow_private = args->allow_private,
        .via = texts_of(&args->via),
        .client_cert = texts_of(&args->client_cert),
        .client_cert_pass = args->client_cert_pass,
        .seal = texts_of(&args->seal),
        .open = texts_of(&args->open),
        .no_auto_seal = args->no_auto_seal,
        .no_mirror = args->no_mirror,
        .keylog = keylog_path(args),
        .upstream_ca = args->upstream_ca,
        .insecure = args->insecure,
        .max_header_bytes = (size_t)bytes->bytes,
    };
    if (args->listen.count == 0) {
        out_capture->proxy.listen = &out_capture->default_listen;
        out_capture->proxy.listen_count = 1;
    }
    return true;
}

void capture_args_clear(struct capture_args *capture)
{
    if (capture->proxy_auth != NULL)
        explicit_bzero(capture->proxy_auth, strlen(capture->proxy_auth));
    mem_free(capture->proxy_auth);
    *capture = (struct capture_args){ 0 };
}

char *capture_args_mode(const struct capture_args *capture, size_t i)
{
    const char *listen = capture->proxy.listen[i], *at = strrchr(listen, '@');

    if (at != NULL)
        return mem_spandup(span_make(listen, (size_t)(at - listen)));
    return mem_strdup(capture->proxy.mode != NULL ? capture->proxy.mode : FORWARD);
}

bool capture_args_is_forward(const struct capture_args *capture, size_t i)
{
    char *mode = capture_args_mode(capture, i);
    bool is_forward = strcmp(mode, FORWARD) == 0;

    mem_free(mode);
    return is_forward;
}

/* --- for the session ----------------------------------------------------------------------------------- */

static void add_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, name, json_string(text));
}

static void add_list(json_t *object, const char *name, const struct arg_list *list)
{
    json_t *array;

    if (list->count == 0)
        return;
    array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    json_object_set_new(object, name, array);
}

static void add_urls(json_t *object, const char *name, const struct arg_list *list)
{
    json_t *array;

    if (list->count == 0)
        return;
    array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const char *url = list->items[i];
        struct span secret = opt_credentials(url);
        size_t kept = secret.len != 0 ? (size_t)(secret.ptr - url) : 0;
        char *text =
            mem_printf("%.*s%s", (int)kept, url, url + kept + (secret.len != 0 ? secret.len + 1 : 0));
        json_array_append_new(array, json_string(text));
        mem_free(text);
    }
    json_object_set_new(object, name, array);
}

static void add_size(json_t *object, const char *name, const struct arg_size *size)
{
    if (size->is_given)
        json_object_set_new(object, name, json_integer((json_int_t)size->bytes));
}

static void add_flag(json_t *object, const char *name, bool is_set)
{
    if (is_set)
        json_object_set_new(object, name, json_true());
}

char *capture_args_json(const struct args *args)
{
    json_t *options =
        json_pack("{s:[], s:b, s:b, s:b, s:b}", "listen", "insecure", args->insecure, "no_bodies",
                  args->no_bodies, "skip_media", args->skip_media, "durable", args->durable);
    char *made, *text;

    add_list(options, "listen", &args->listen);
    add_text(options, "mode", args->mode);
    add_text(options, "allow", args->allow);
    add_flag(options, "proxy_auth", args->proxy_auth != NULL);
    add_flag(options, "allow_private", args->allow_private);
    add_text(options, "upstream_ca", args->upstream_ca);
    add_list(options, "client_cert", &args->client_cert);
    add_urls(options, "via", &args->via);
    add_list(options, "seal", &args->seal);
    add_list(options, "open", &args->open);
    add_flag(options, "no_auto_seal", args->no_auto_seal);
    add_flag(options, "no_mirror", args->no_mirror);
    add_text(options, "keylog", args->keylog);
    add_flag(options, "cookies_only", args->cookies_only);
    add_list(options, "sync_cookies", &args->sync_cookies);
    add_list(options, "export", &args->live_export);
    add_text(options, "keep_last", args->keep_last);
    add_size(options, "max_body", &args->max_body);
    add_size(options, "max_header_bytes", &args->max_header_bytes);
    made = json_dumps(options, JSON_COMPACT);
    json_decref(options);
    text = mem_strdup(made);
    free(made);
    return text;
}
