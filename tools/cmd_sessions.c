/* sessions: the history as a table, and what may be done to it. */
#include <jansson.h>
#include <stdio.h>

#include "capture/keep.h"
#include "capture/session.h"
#include "capture/store/store_prune.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tools/command.h"
#include "tools/json_text.h"
#include "tools/table.h"
#include "tools/text.h"

/* --- list ---------------------------------------------------------------------------------------------- */

static const struct table_column columns[] = {
    { "id", 2, true },        { "name", 19, false }, { "started", 19, false }, { "length", 6, true },
    { "exchanges", 9, true }, { "size", 5, true },   { "state", 5, false },
};

static uint64_t length_us(const struct session_row *row)
{
    uint64_t end = row->ended_us != 0 ? row->ended_us : clock_wall_us();

    return end > row->started_us ? end - row->started_us : 0;
}

static bool add_row(void *self, const struct session_row *row)
{
    struct table *table = self;
    struct strbuf cell = STRBUF_EMPTY;
    enum style style = row->state == SESSION_RECORDING     ? STYLE_GREEN
                       : row->state == SESSION_INTERRUPTED ? STYLE_YELLOW
                                                           : STYLE_PLAIN;

    strbuf_printf(&cell, "%lld", (long long)row->id);
    table_take(table, &cell, STYLE_DIM);
    table_cell(table, span_of(row->name), STYLE_BOLD);
    text_add_date(&cell, row->started_us);
    table_take(table, &cell, STYLE_PLAIN);
    text_add_duration(&cell, length_us(row));
    table_take(table, &cell, STYLE_PLAIN);
    strbuf_printf(&cell, "%llu", (unsigned long long)row->exchanges);
    table_take(table, &cell, STYLE_PLAIN);
    text_add_size(&cell, row->request_bytes + row->response_bytes);
    table_take(table, &cell, STYLE_PLAIN);
    strbuf_add_str(&cell, session_state_name(row->state));
    if (row->pruned != 0)
        strbuf_printf(&cell, ", %llu pruned", (unsigned long long)row->pruned);
    if (row->incomplete != NULL)
        strbuf_printf(&cell, ", incomplete: %s", row->incomplete);
    table_take(table, &cell, row->incomplete != NULL ? STYLE_RED : style);
    strbuf_clear(&cell);
    return true;
}

static bool add_object(void *self, const struct session_row *row)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_integer(row->id));
    json_object_set_new(object, "uid", json_string(row->uid));
    json_object_set_new(object, "name", json_of_bytes(span_of(row->name)));
    json_object_set_new(object, "state", json_string(session_state_name(row->state)));
    json_object_set_new(object, "started", json_of_time(row->started_us));
    json_object_set_new(object, "ended", row->ended_us != 0 ? json_of_time(row->ended_us) : json_null());
    json_object_set_new(object, "length_us", json_integer((json_int_t)length_us(row)));
    json_object_set_new(object, "exchanges", json_integer((json_int_t)row->exchanges));
    json_object_set_new(object, "pruned", json_integer((json_int_t)row->pruned));
    json_object_set_new(object, "seen", json_integer((json_int_t)row->seen));
    json_object_set_new(object, "filtered", json_integer((json_int_t)row->filtered));
    json_object_set_new(object, "errors", json_integer((json_int_t)row->errors));
    json_object_set_new(object, "hosts", json_integer((json_int_t)row->hosts));
    json_object_set_new(object, "request_bytes", json_integer((json_int_t)row->request_bytes));
    json_object_set_new(object, "response_bytes", json_integer((json_int_t)row->response_bytes));
    json_object_set_new(object, "incomplete",
                        row->incomplete != NULL ? json_of_bytes(span_of(row->incomplete)) : json_null());
    json_object_set_new(object, "filter", json_of_bytes(span_of(row->filter)));
    json_array_append_new(self, object);
    return true;
}

static int list_sessions(const struct args *args, struct store *store)
{
    struct err err;

    if (args->json) {
        json_t *list = json_array();
        if (!store_sessions(store, add_object, list, &err)) {
            json_decref(list);
            return command_fail(&err);
        }
        json_print(list, JSON_INDENT(2));
    } else {
        struct table *table = table_new(stdout, TABLE_FIT, columns, sizeof columns / sizeof columns[0]);
        bool ok = store_sessions(store, add_row, table, &err);
        size_t rows = table_rows(table);

        table_end(table);
        if (!ok)
            return command_fail(&err);
        if (rows == 0)
            fputs("no sessions yet; 'weir capture' makes one\n", stderr);
    }
    return command_finish_stdout(EXIT_DONE);
}

/* --- changes ------------------------------------------------------------------------------------------- */

static void tell(const struct args *args, json_t *object, const char *text)
{
    struct strbuf shown = STRBUF_EMPTY;

    if (args->json) {
        json_print(object, JSON_COMPACT);
        return;
    }
    json_decref(object);
    text_add_shown(&shown, span_of(text));
    puts(strbuf_text(&shown));
    strbuf_clear(&shown);
}

static int rename_session(const struct args *args, struct store *store)
{
    struct session_row row;
    struct strbuf text = STRBUF_EMPTY;
    const char *name;
    struct err err;
    bool ok;

    if (args->operands.count != 3) {
        err_set(&err, ERR_USAGE, "usage: weir sessions rename SESSION NAME");
        return command_fail(&err);
    }
    name = args->operands.items[2];
    if (!store_find_session(store, args->operands.items[1], &row, &err))
        return command_fail(&err);
    ok = session_rename(store, row.id, name, &err);
    if (ok) {
        strbuf_printf(&text, "session %lld is '%s' now", (long long)row.id, name);
        tell(args, json_pack("{s:I, s:o}", "id", (json_int_t)row.id, "name", json_of_bytes(span_of(name))),
             strbuf_text(&text));
    }
    strbuf_clear(&text);
    session_row_clear(&row);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}

static bool delete_one(const struct args *args, struct store *store, const char *which, struct err *err)
{
    struct session_row row;
    struct strbuf text = STRBUF_EMPTY;
    bool ok;

    if (!store_find_session(store, which, &row, err))
        return false;
    ok = session_delete(store, row.id, err);
    if (ok) {
        strbuf_printf(&text, "deleted session %lld '%s': ", (long long)row.id, row.name);
        text_add_count(&text, row.exchanges, "exchange", "exchanges");
        tell(args,
             json_pack("{s:I, s:o, s:b}", "id", (json_int_t)row.id, "name", json_of_bytes(span_of(row.name)),
                       "deleted", 1),
             strbuf_text(&text));
    }
    strbuf_clear(&text);
    session_row_clear(&row);
    return ok;
}

static int delete_sessions(const struct args *args, struct store *store)
{
    struct err err;

    if (args->operands.count < 2) {
        err_set(&err, ERR_USAGE, "usage: weir sessions delete SESSION...");
        return command_fail(&err);
    }
    for (size_t i = 1; i < args->operands.count; i++) {
        if (!delete_one(args, store, args->operands.items[i], &err))
            return command_fail(&err);
    }
    return command_finish_stdout(EXIT_DONE);
}

/* --- prune --------------------------------------------------------------------------------------------- */

static void tell_pruned(const struct args *args, const struct session_row *row,
                        const struct store_pruned *pruned)
{
    struct strbuf text = STRBUF_EMPTY;

    strbuf_printf(&text, "session %lld '%s': ", (long long)row->id, row->name);
    if (pruned->taken == 0) {
        strbuf_add_str(&text, "nothing to take out");
    } else {
        strbuf_add_str(&text, "took ");
        text_add_count(&text, pruned->taken, "exchange", "exchanges");
        if (pruned->is_deleted)
            strbuf_add_str(&text, " out and deleted it, for it was empty then");
        else
            strbuf_printf(&text, " out, left %llu", (unsigned long long)pruned->left);
    }
    if (pruned->freed_bytes != 0) {
        strbuf_add_str(&text, "; the store is ");
        text_add_size(&text, pruned->freed_bytes);
        strbuf_add_str(&text, " smaller");
    }
    tell(args,
         json_pack("{s:I, s:o, s:I, s:I, s:I, s:b}", "id", (json_int_t)row->id, "name",
                   json_of_bytes(span_of(row->name)), "pruned", (json_int_t)pruned->taken, "exchanges",
                   (json_int_t)pruned->left, "freed_bytes", (json_int_t)pruned->freed_bytes, "deleted",
                   pruned->is_deleted),
         strbuf_text(&text));
    strbuf_clear(&text);
}

static bool prune_one(const struct args *args, struct store *store, const struct session_row *row,
                      const struct keep *keep, struct err *err)
{
    struct store_pruned pruned;

    if (!store_prune_session(store, row->id, keep, &pruned, err))
        return false;
    tell_pruned(args, row, &pruned);
    return true;
}

static bool prune_named(const struct args *args, struct store *store, const struct keep *keep,
                        struct err *err)
{
    struct session_row row;
    bool ok = true;

    for (size_t i = 1; ok && i < args->operands.count; i++) {
        ok = store_find_session(store, args->operands.items[i], &row, err);
        if (!ok)
            break;
        ok = prune_one(args, store, &row, keep, err);
        session_row_clear(&row);
    }
    return ok;
}

static void tell_left_out(const struct args *args, const struct session_row *row)
{
    struct strbuf text = STRBUF_EMPTY;

    strbuf_printf(&text, "session %lld '%s': left out, it is being recorded", (long long)row->id, row->name);
    tell(args,
         json_pack("{s:I, s:o, s:s}", "id", (json_int_t)row->id, "name", json_of_bytes(span_of(row->name)),
                   "left_out", "it is being recorded"),
         strbuf_text(&text));
    strbuf_clear(&text);
}

/* Those there are when it begins; they are looked at before any is changed. */
struct session_ids {
    int64_t *items; /* owned */
    size_t count;
};

static bool add_id(void *self, const struct session_row *row)
{
    struct session_ids *ids = self;

    ids->items = mem_realloc(ids->items, (ids->count + 1) * sizeof ids->items[0]);
    ids->items[ids->count++] = row->id;
    return true;
}

static bool prune_all(const struct args *args, struct store *store, const struct keep *keep, struct err *err)
{
    struct session_ids ids = { NULL, 0 };
    bool ok = store_sessions(store, add_id, &ids, err);

    for (size_t i = 0; ok && i < ids.count; i++) {
        struct session_row row;
        char id[24];
        snprintf(id, sizeof id, "%lld", (long long)ids.items[i]);
        if (!store_find_session(store, id, &row, err)) {
            ok = err->code == ERR_FOUND; /* somebody has deleted it meanwhile */
            continue;
        }
        ok = prune_one(args, store, &row, keep, err);
        if (!ok && err->code == ERR_FOUND) {
            tell_left_out(args, &row);
            ok = true;
        }
        session_row_clear(&row);
    }
    mem_free(ids.items);
    return ok;
}

static int prune_sessions(const struct args *args, struct store *store)
{
    struct keep keep;
    struct err err;
    unsigned mended;

    if (args->keep_last == NULL) {
        err_set(&err, ERR_USAGE, "usage: weir sessions prune [SESSION...] --keep-last LIMIT[,...]");
        return command_fail(&err);
    }
    if (!keep_parse(args->keep_last, &keep, &err)) {
        err_add(&err, "'--keep-last'");
        return command_fail(&err);
    }
    /* One whose weir was killed is pruned like those that ended. */
    if (!store_mend(store, &mended, &err) ||
        !(args->operands.count > 1 ? prune_named : prune_all)(args, store, &keep, &err))
        return command_fail(&err);
    return command_finish_stdout(EXIT_DONE);
}

static const struct {
    const char *word, *about;
    int (*run)(const struct args *args, struct store *store);
} actions[] = {
    { "list", "what there is (the default)", list_sessions },
    { "rename", "SESSION NAME: give it another name", rename_session },
    { "delete", "SESSION...: take them out of the store, with all that is in them", delete_sessions },
    { "prune",
      "[SESSION...] --keep-last LIMIT: take the oldest exchanges out; without SESSION of all that are not "
      "being recorded",
      prune_sessions },
};

#define ACTION_COUNT (sizeof actions / sizeof actions[0])

const char *cmd_sessions_word(size_t i, const char **out_about)
{
    if (i >= ACTION_COUNT)
        return NULL;
    *out_about = actions[i].about;
    return actions[i].word;
}

int cmd_sessions(const struct args *args)
{
    const char *word = args->operands.count != 0 ? args->operands.items[0] : "list";
    int (*run)(const struct args *, struct store *) = NULL;
    struct store *store;
    struct err err;
    int status;

    for (size_t i = 0; i < ACTION_COUNT && run == NULL; i++) {
        if (strcmp(actions[i].word, word) == 0)
            run = actions[i].run;
    }
    if (run == NULL) {
        err_set(&err, ERR_USAGE,
                "'%s' is nothing to do with sessions; there is list, rename, delete and prune", word);
        return command_fail(&err);
    }
    if (run == list_sessions && args->operands.count > 1) {
        err_set(&err, ERR_USAGE,
                "'sessions list' takes no operand; 'weir list %s' shows a session's exchanges",
                args->operands.items[1]);
        return command_fail(&err);
    }
    if (args->keep_last != NULL && run != prune_sessions) {
        err_set(&err, ERR_USAGE, "'--keep-last' is for 'sessions prune'");
        return command_fail(&err);
    }
    if (!command_open_store(args, STORE_READ, &store, &err))
        return command_fail(&err);
    if (run != list_sessions) { /* to be written, but not to be made */
        store_close(store);
        if (!command_open_store(args, STORE_WRITE, &store, &err))
            return command_fail(&err);
    }
    status = run(args, store);
    store_close(store);
    return status;
}
