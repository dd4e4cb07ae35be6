#include "tools/cookie_history.h"

#include <jansson.h>
#include <stdio.h>

#include "capture/jar_follow.h"
#include "proxy/base/mem.h"
#include "tools/json_text.h"
#include "tools/table.h"
#include "tools/text.h"

static const struct table_column columns[] = {
    { "time", 19, false }, { "exchange", 8, true }, { "what", 8, false },  { "domain", 12, false },
    { "path", 4, false },  { "name", 8, false },    { "value", 0, false },
};

static const char *const words[] = {
    [JAR_IGNORED] = "ignored",   [JAR_ADDED] = "set", [JAR_REPLACED] = "replaced",
    [JAR_DELETED] = "deleted",   [JAR_SENT] = "sent", [JAR_SCRIPTED] = "scripted",
    [JAR_INFERRED] = "inferred",
};

struct history {
    struct jar *jar;
    const struct jar_scope *scope;
    struct table *table;
    json_t *list; /* instead of the table */
};

/* What is told of an observation. */
struct told {
    const struct cookie_row *row;
    const char *what;
    struct jar_cookie cookie; /* as far as it is known; borrowed */
    const char *why;          /* it is ignored; NULL: it is not */
};

static void add_row(struct table *table, const struct told *told)
{
    struct strbuf cell = STRBUF_EMPTY;

    text_add_date(&cell, told->row->time_us);
    table_take(table, &cell, STYLE_PLAIN);
    if (told->row->seq != 0)
        strbuf_printf(&cell, "%u", told->row->seq);
    else
        strbuf_add_char(&cell, '-');
    table_take(table, &cell, STYLE_PLAIN);
    table_cell(table, span_of(told->what), told->why != NULL ? STYLE_DIM : STYLE_PLAIN);
    strbuf_printf(&cell, "%s%s", told->cookie.is_host_only ? "" : ".", told->cookie.domain);
    table_take(table, &cell, STYLE_PLAIN);
    table_text(table, told->cookie.path);
    table_cell(table, told->row->name, STYLE_BOLD);
    strbuf_add(&cell, told->row->value);
    if (told->why != NULL)
        strbuf_printf(&cell, " (%s)", told->why);
    table_take(table, &cell, STYLE_PLAIN);
    strbuf_clear(&cell);
}

static json_t *object_of(const struct told *told)
{
    const struct cookie_row *row = told->row;
    json_t *object = json_object();

    json_object_set_new(object, "time", json_of_time(row->time_us));
    json_object_set_new(object, "exchange", row->seq != 0 ? json_integer(row->seq) : json_null());
    json_object_set_new(object, "what", json_string(told->what));
    json_object_set_new(object, "why", told->why != NULL ? json_string(told->why) : json_null());
    json_object_set_new(object, "host", json_of_bytes(row->host));
    json_object_set_new(object, "domain", json_of_bytes(span_of(told->cookie.domain)));
    json_object_set_new(object, "host_only", json_boolean(told->cookie.is_host_only));
    json_object_set_new(object, "path", json_of_bytes(span_of(told->cookie.path)));
    json_object_set_new(object, "name", json_of_bytes(row->name));
    json_object_set_new(object, "value", json_of_bytes(row->value));
    json_object_set_new(object, "set_cookie",
                        row->source == COOKIE_SET ? json_of_bytes(row->line) : json_null());
    return object;
}

static bool tell(void *self, const struct cookie_row *row)
{
    struct history *history = self;
    const struct jar_cookie *cookie;
    char *host = mem_spandup(row->host), *path = mem_spandup(row->path);
    /* Where it names no cookie, it is told by where it was seen. */
    struct told told = { .row = row, .cookie = { .domain = host, .path = path, .is_host_only = true } };
    struct err err;
    bool ok = jar_add_row(history->jar, row, &err);

    told.what = words[jar_last_change(history->jar, &cookie)];
    if (cookie != NULL)
        told.cookie = *cookie;
    if (!ok)
        told.why = err.text;
    if (jar_scope_takes(history->scope, &told.cookie)) {
        if (history->list != NULL)
            json_array_append_new(history->list, object_of(&told));
        else
            add_row(history->table, &told);
    }
    mem_free(host);
    mem_free(path);
    return true;
}

bool cookie_history_write(struct store *store, int64_t session, const struct jar_scope *scope, bool is_json,
                          struct err *err)
{
    struct history history = { .jar = jar_new(), .scope = scope };
    bool ok;

    if (is_json)
        history.list = json_array();
    else
        history.table = table_new(stdout, TABLE_FIT, columns, sizeof columns / sizeof columns[0]);
    ok = store_cookies(store, session, tell, &history, err);
    if (is_json && ok) {
        json_print(history.list, JSON_INDENT(2));
    } else if (is_json) {
        json_decref(history.list);
    } else {
        if (ok && table_rows(history.table) == 0)
            fputs("no cookies\n", stderr);
        table_end(history.table);
    }
    jar_free(history.jar);
    return ok;
}
