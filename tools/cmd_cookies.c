/* cookies: the jar of a session as a table: what a client would hold now. */
#include <jansson.h>
#include <stdio.h>

#include "capture/jar_follow.h"
#include "capture/store/store.h"
#include "proxy/base/clock.h"
#include "tools/command.h"
#include "tools/cookie_history.h"
#include "tools/json_text.h"
#include "tools/table.h"
#include "tools/text.h"

static const struct table_column columns[] = {
    { "domain", 12, false }, { "path", 4, false },  { "name", 8, false },
    { "expires", 7, false }, { "flags", 5, false }, { "value", 0, false },
};

static bool feed(void *self, const struct cookie_row *row)
{
    struct err ignored; /* a cookie that no client would take */

    jar_add_row(self, row, &ignored);
    return true;
}

static const char *same_site_name(enum same_site same_site)
{
    static const char *const names[] = {
        [SAME_SITE_DEFAULT] = "",
        [SAME_SITE_NONE] = "None",
        [SAME_SITE_LAX] = "Lax",
        [SAME_SITE_STRICT] = "Strict",
    };

    return names[same_site];
}

struct output {
    struct jar_scope scope;
    struct table *table;
    json_t *list; /* instead of the table */
};

static void add_flag(struct strbuf *out, const char *flag)
{
    strbuf_printf(out, "%s%s", out->len != 0 ? " " : "", flag);
}

static void add_row(struct table *table, const struct jar_cookie *cookie)
{
    struct strbuf cell = STRBUF_EMPTY;

    strbuf_printf(&cell, "%s%s", cookie->is_host_only ? "" : ".", cookie->domain);
    table_take(table, &cell, STYLE_PLAIN);
    table_text(table, cookie->path);
    table_cell(table, cookie->name, STYLE_BOLD);
    if (cookie->is_persistent && cookie->expires_us > 0)
        text_add_date(&cell, (uint64_t)cookie->expires_us);
    else
        strbuf_add_str(&cell, "session");
    table_take(table, &cell, STYLE_PLAIN);
    if (cookie->is_secure)
        add_flag(&cell, "Secure");
    if (cookie->is_http_only)
        add_flag(&cell, "HttpOnly");
    if (cookie->same_site != SAME_SITE_DEFAULT)
        add_flag(&cell, same_site_name(cookie->same_site));
    if (cookie->is_partitioned)
        add_flag(&cell, "Partitioned");
    if (cookie->is_inferred)
        add_flag(&cell, "inferred");
    table_take(table, &cell, STYLE_DIM);
    table_cell(table, cookie->value, STYLE_PLAIN);
    strbuf_clear(&cell);
}

static json_t *cookie_object(const struct jar_cookie *cookie)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", json_of_bytes(cookie->name));
    json_object_set_new(object, "value", json_of_bytes(cookie->value));
    json_object_set_new(object, "domain", json_of_bytes(span_of(cookie->domain)));
    json_object_set_new(object, "host_only", json_boolean(cookie->is_host_only));
    json_object_set_new(object, "path", json_of_bytes(span_of(cookie->path)));
    json_object_set_new(object, "expires",
                        cookie->is_persistent && cookie->expires_us > 0
                            ? json_of_time((uint64_t)cookie->expires_us)
                            : json_null());
    json_object_set_new(object, "secure", json_boolean(cookie->is_secure));
    json_object_set_new(object, "http_only", json_boolean(cookie->is_http_only));
    json_object_set_new(object, "same_site",
                        cookie->same_site != SAME_SITE_DEFAULT
                            ? json_string(same_site_name(cookie->same_site))
                            : json_null());
    json_object_set_new(object, "partitioned", json_boolean(cookie->is_partitioned));
    json_object_set_new(object, "inferred", json_boolean(cookie->is_inferred));
    json_object_set_new(object, "created", json_of_time(cookie->created_us));
    json_object_set_new(object, "set", json_of_time(cookie->set_us));
    return object;
}

static bool put(void *self, const struct jar_cookie *cookie)
{
    struct output *output = self;

    if (!jar_scope_takes(&output->scope, cookie))
        return true;
    if (output->list != NULL)
        json_array_append_new(output->list, cookie_object(cookie));
    else
        add_row(output->table, cookie);
    return true;
}

static void write_jar(const struct args *args, const struct jar *jar, struct output *output)
{
    size_t rows;

    if (args->json) {
        output->list = json_array();
        jar_each(jar, clock_wall_us(), put, output);
        json_print(output->list, JSON_INDENT(2));
        return;
    }
    output->table = table_new(stdout, TABLE_FIT, columns, sizeof columns / sizeof columns[0]);
    jar_each(jar, clock_wall_us(), put, output);
    rows = table_rows(output->table);
    table_end(output->table);
    if (rows == 0)
        fputs("no cookies\n", stderr);
}

static bool show_jar(const struct args *args, struct store *store, int64_t session,
                     const struct jar_scope *scope, struct err *err)
{
    struct output output = { .scope = *scope };
    struct jar *jar = jar_new();
    bool ok = store_cookies(store, session, feed, jar, err);

    if (ok)
        write_jar(args, jar, &output);
    jar_free(jar);
    return ok;
}

int cmd_cookies(const struct args *args)
{
    struct store *store = NULL;
    struct jar_scope scope;
    struct session_row row;
    struct err err;
    bool ok =
        jar_scope_parse(args->domain, &scope, &err) && command_open_store(args, STORE_READ, &store, &err);

    if (ok)
        ok =
            store_find_session(store, args->operands.count != 0 ? args->operands.items[0] : NULL, &row, &err);
    if (ok) {
        ok = args->history ? cookie_history_write(store, row.id, &scope, args->json, &err)
                           : show_jar(args, store, row.id, &scope, &err);
        session_row_clear(&row);
    }
    store_close(store);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}
