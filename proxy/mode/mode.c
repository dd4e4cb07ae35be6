#include "proxy/mode/mode.h"

#include <string.h>

const struct mode_row mode_rows[] = {
    { "forward", NULL, MODE_FORWARD, false,
      "an ordinary proxy: HTTP, CONNECT and SOCKS, also inside TLS (the default)" },
    { "https", NULL, MODE_FORWARD, true,
      "the same for clients that speak TLS with the proxy, and no others" },
    { "socks5", NULL, MODE_SOCKS5, false, "a SOCKS proxy: versions 5, 4 and 4a" },
    { "reverse", "URL", MODE_REVERSE, false,
      "stands for one origin, http://HOST[:PORT] or https://HOST[:PORT]" },
    { "transparent", NULL, MODE_TRANSPARENT, false,
      "takes connections that a firewall redirects (REDIRECT or TPROXY)" },
    { NULL, NULL, MODE_FORWARD, false, NULL },
};

void mode_add_names(struct strbuf *out)
{
    for (const struct mode_row *row = mode_rows; row->name != NULL; row++)
        strbuf_printf(out, "%s%s%s%s", row != mode_rows ? ", " : "", row->name,
                      row->argument != NULL ? ":" : "", row->argument != NULL ? row->argument : "");
}

/* The row that text names, and what follows the name and its ':' (ptr NULL: no ':'). */
static const struct mode_row *find_row(struct span text, struct span *out_argument)
{
    size_t end = span_find(text, ':');

    *out_argument = end < text.len ? span_from(text, end + 1) : SPAN_NONE;
    for (const struct mode_row *row = mode_rows; row->name != NULL; row++)
        if (span_ieq(span_sub(text, 0, end), span_of(row->name)))
            return row;
    return NULL;
}

static bool unknown_mode(struct span text, struct err *err)
{
    struct strbuf names = STRBUF_EMPTY;

    mode_add_names(&names);
    err_set(err, ERR_USAGE, "'%.*s' is no mode: choose one of %s", SPAN_ARG(text), strbuf_text(&names));
    strbuf_clear(&names);
    return false;
}

static bool read_origin(struct span text, struct target *out_target, struct err *err)
{
    struct url url;

    if (!url_parse(text, &url, err)) {
        err->code = ERR_USAGE;
        return err_add(err, "reverse: '%.*s' is no URL of an origin", SPAN_ARG(text));
    }
    out_target->is_tls = span_ieq(url.scheme, SPAN("https"));
    if (!out_target->is_tls && !span_ieq(url.scheme, SPAN("http")))
        return err_set(err, ERR_USAGE, "reverse: '%.*s' is neither http:// nor https://", SPAN_ARG(text));
    if (url.rest.len != 0 && !span_eq(url.rest, SPAN("/")))
        return err_set(err, ERR_USAGE,
                       "reverse: an origin has no path: leave '%.*s' out, clients ask for it themselves",
                       SPAN_ARG(url.rest));
    memcpy(out_target->host, url.authority.host, sizeof out_target->host);
    out_target->port = url.authority.port != 0 ? url.authority.port : url_default_port(url.scheme);
    return true;
}

static bool read_mode(struct span text, struct mode *out_mode, struct err *err)
{
    struct span argument;
    const struct mode_row *row = find_row(text, &argument);

    if (row == NULL)
        return unknown_mode(text, err);
    if (row->argument == NULL && argument.ptr != NULL)
        return err_set(err, ERR_USAGE, "mode '%s' takes nothing: '%.*s' is too much", row->name,
                       SPAN_ARG(argument));
    if (row->argument != NULL && argument.len == 0)
        return err_set(err, ERR_USAGE, "mode '%s' needs a URL: %s:https://api.example.com", row->name,
                       row->name);
    *out_mode = (struct mode){ .kind = row->kind, .is_tls = row->is_tls };
    return row->kind != MODE_REVERSE || read_origin(argument, &out_mode->target, err);
}

bool mode_parse(const char *text, const char *default_mode, struct mode *out_mode, const char **out_address,
                struct err *err)
{
    const char *at = strrchr(text, '@');
    struct mode mode = { .kind = MODE_FORWARD };
    struct span ignored;

    if (default_mode != NULL && !read_mode(span_of(default_mode), &mode, err))
        return false;
    if (at != NULL && !read_mode(span_make(text, (size_t)(at - text)), &mode, err))
        return false;
    if (at == NULL && find_row(span_of(text), &ignored) != NULL)
        return err_set(err, ERR_USAGE, "'%s' has no address to listen on: write %s@127.0.0.1:8080", text,
                       text);
    *out_mode = mode;
    *out_address = at != NULL ? at + 1 : text;
    return true;
}

void mode_add_host(struct strbuf *out, const struct mode *mode)
{
    url_add_authority(out, span_of(target_scheme(&mode->target)), mode->target.host, mode->target.port);
}
