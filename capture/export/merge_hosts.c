#include "capture/export/merge_hosts.h"

#include <string.h>

#include "capture/export/naming.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/http/url.h"

/* So many items that look the same show that a variable stands for a host, whatever its value: fewer may be
 * "/health" of any host. */
#define MIN_LIKE 2

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* --- variables ----------------------------------------------------------------------------------------- */

static bool is_reference(const char *text, const char *name)
{
    size_t len = strlen(name);

    return strncmp(text, "{{", 2) == 0 && strncmp(text + 2, name, len) == 0 &&
           strcmp(text + 2 + len, "}}") == 0;
}

bool merge_is_literal(const json_t *variable)
{
    return is_reference(member(variable, "value"), member(variable, "key"));
}

/* Variables may be called by their key or, in older files, by their id. */
static const char *name_of(const json_t *variable)
{
    const char *key = member(variable, "key");

    return *key != '\0' ? key : member(variable, "id");
}

const json_t *merge_find_variable(const json_t *document, const char *name)
{
    const json_t *variable, *found = NULL;
    size_t i;

    json_array_foreach (json_object_get(document, "variable"), i, variable)
        if (strcmp(name_of(variable), name) == 0 && !json_is_true(json_object_get(variable, "disabled")))
            found = variable;
    return found;
}

static const json_t *find_value(const json_t *document, const char *value)
{
    const json_t *variable;
    size_t i;

    json_array_foreach (json_object_get(document, "variable"), i, variable)
        if (strcmp(member(variable, "value"), value) == 0 &&
            !json_is_true(json_object_get(variable, "disabled")))
            return variable;
    return NULL;
}

/* A literal of the capture would be replaced by what such a variable holds. */
static bool is_literal_of(const json_t *made, const char *name)
{
    const json_t *variable = merge_find_variable(made, name);

    return variable != NULL && merge_is_literal(variable);
}

/* --- what items use ------------------------------------------------------------------------------------ */

/* For one host: how many of its items are in the file, with which variable. */
struct use {
    const json_t *variable;
    size_t by_id, by_call, items; /* items: how many of the file have it, all in all */
};

struct uses {
    struct use *list;
    size_t count;
};

static void uses_init(struct uses *out_uses, const json_t *file, const struct merge_tree *file_tree)
{
    const json_t *variables = json_object_get(file, "variable"), *variable;
    size_t i;

    *out_uses = (struct uses){ .list = mem_array(struct use, json_array_size(variables) + 1) };
    json_array_foreach (variables, i, variable) {
        struct use *use = &out_uses->list[out_uses->count++];

        *use = (struct use){ .variable = merge_find_variable(file, name_of(variable)) };
        for (size_t k = 0; use->variable == variable && k < file_tree->item_count; k++)
            use->items += is_reference(file_tree->items[k].call.host, name_of(variable));
    }
}

static struct use *find_use(const struct uses *uses, const char *host)
{
    for (size_t i = 0; i < uses->count; i++)
        if (uses->list[i].items != 0 && is_reference(host, name_of(uses->list[i].variable)))
            return &uses->list[i];
    return NULL;
}

struct call_row {
    const char *key;
    const char *host;
    struct call_row *next; /* of the same key */
    UT_hash_handle hh;
};

/* Items of the file that have no id of ours. */
static struct call_row *list_calls(const struct merge_tree *file_tree, struct call_row *rows)
{
    struct call_row *by_key = NULL, *found;

    for (size_t i = 0; i < file_tree->item_count; i++) {
        const struct merge_item *item = &file_tree->items[i];

        if (merge_is_our_id(item->id))
            continue;
        rows[i] = (struct call_row){ .key = item->call.loose, .host = item->call.host };
        HASH_FIND_STR(by_key, item->call.loose, found);
        if (found != NULL) {
            rows[i].next = found->next;
            found->next = &rows[i];
        } else {
            HASH_ADD_KEYPTR(hh, by_key, rows[i].key, strlen(rows[i].key), &rows[i]);
        }
    }
    return by_key;
}

/* An item counts once for each variable. */
static void count_call(const struct uses *uses, struct call_row *by_key, const char *key)
{
    struct call_row *row;

    HASH_FIND_STR(by_key, key, row);
    for (size_t i = 0; row != NULL && i < uses->count; i++)
        for (const struct call_row *at = row; at != NULL; at = at->next)
            if (uses->list[i].items != 0 && is_reference(at->host, name_of(uses->list[i].variable))) {
                uses->list[i].by_call++;
                break;
            }
}

/* Nobody knows to which paths a base URL with a path of its own leads. */
static bool is_bare_url(const char *value)
{
    const char *slashes = strstr(value, "://");

    return slashes != NULL && strchr(slashes + 3, '/') == NULL;
}

static bool belongs_elsewhere(const struct merge_hosts *hosts, const struct merge_host *host,
                              const char *value)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (&hosts->list[i] != host && strcmp(hosts->list[i].url, value) == 0)
            return true;
    return false;
}

static const char *most_used(const struct merge_hosts *hosts, const struct merge_host *host,
                             const struct uses *uses, size_t items, const json_t *made)
{
    const struct use *best = NULL;

    for (size_t i = 0; i < uses->count; i++) {
        const struct use *use = &uses->list[i];
        const char *value = use->variable != NULL ? member(use->variable, "value") : "";
        size_t fewer = use->items < items ? use->items : items;
        bool is_shown = use->by_id != 0 || (use->by_call >= MIN_LIKE && use->by_call * 2 >= fewer &&
                                            !belongs_elsewhere(hosts, host, value));

        if (is_shown && is_bare_url(value) && !is_literal_of(made, name_of(use->variable)) &&
            (best == NULL || use->by_id > best->by_id ||
             (use->by_id == best->by_id && use->by_call > best->by_call)))
            best = use;
    }
    return best != NULL ? name_of(best->variable) : NULL;
}

/* --- names --------------------------------------------------------------------------------------------- */

static bool is_free(const struct merge_hosts *hosts, const json_t *made, const json_t *file, const char *name)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (hosts->list[i].used != NULL && strcmp(hosts->list[i].used, name) == 0)
            return false;
    return merge_find_variable(file, name) == NULL && !is_literal_of(made, name);
}

/* The main host of a capture has no name of its own, which the file's has already. */
static char *own_name(const struct merge_host *host)
{
    struct strbuf name = STRBUF_EMPTY;
    struct url url;
    struct err ignored; /* then the name that it has must do */

    if (url_parse(span_of(host->url), &url, &ignored)) {
        struct record record = { .scheme = url.scheme,
                                 .host = span_of(url.authority.host),
                                 .port = url.authority.port != 0 ? url.authority.port
                                                                 : url_default_port(url.scheme) };

        naming_add_variable(&name, &record);
    }
    return name.len != 0 ? strbuf_detach(&name) : mem_strdup(host->variable);
}

static void give_free_name(const struct merge_hosts *hosts, struct merge_host *host, const json_t *made,
                           const json_t *file)
{
    char *base = own_name(host), *name = mem_strdup(host->variable);

    for (unsigned n = 1; !is_free(hosts, made, file, name); n++) {
        mem_free(name);
        name = n == 1 ? mem_strdup(base) : mem_printf("%s_%u", base, n);
    }
    mem_free(base);
    host->used = name;
}

/* --- all hosts ----------------------------------------------------------------------------------------- */

static size_t count_uses(const struct merge_tree *made_tree, const struct merge_tree *file_tree,
                         const char *variable, struct call_row *by_key, struct uses *uses)
{
    size_t items = 0;

    for (size_t i = 0; i < uses->count; i++)
        uses->list[i].by_id = uses->list[i].by_call = 0;
    for (size_t i = 0; i < made_tree->item_count; i++) {
        const struct merge_item *item = &made_tree->items[i];
        struct use *use;

        if (!is_reference(item->call.host, variable))
            continue;
        items++;
        if (item->partner == MERGE_NONE) {
            count_call(uses, by_key, item->call.loose);
            continue;
        }
        use = find_use(uses, file_tree->items[item->partner].call.host);
        if (use != NULL)
            use->by_id++;
    }
    return items;
}

static bool is_host(const struct merge_tree *made_tree, const char *variable)
{
    for (size_t i = 0; i < made_tree->item_count; i++)
        if (is_reference(made_tree->items[i].call.host, variable))
            return true;
    return false;
}

static void list_hosts(struct merge_hosts *hosts, const json_t *made, const struct merge_tree *made_tree)
{
    const json_t *variables = json_object_get(made, "variable"), *variable;
    size_t i;

    *hosts = (struct merge_hosts){ .list = mem_array(struct merge_host, json_array_size(variables) + 1) };
    json_array_foreach (variables, i, variable)
        if (!merge_is_literal(variable) && is_host(made_tree, member(variable, "key")))
            hosts->list[hosts->count++] =
                (struct merge_host){ .variable = member(variable, "key"), .url = member(variable, "value") };
}

void merge_hosts_init(struct merge_hosts *out_hosts, const json_t *made, const struct merge_tree *made_tree,
                      const json_t *file, const struct merge_tree *file_tree)
{
    struct call_row *rows = mem_array(struct call_row, file_tree->item_count + 1);
    struct call_row *by_key = list_calls(file_tree, rows);
    struct uses uses;

    uses_init(&uses, file, file_tree);
    list_hosts(out_hosts, made, made_tree);
    for (size_t i = 0; i < out_hosts->count; i++) {
        struct merge_host *host = &out_hosts->list[i];
        const json_t *same = find_value(file, host->url);
        const char *used = same != NULL && !is_literal_of(made, name_of(same)) ? name_of(same) : NULL;

        if (used == NULL) {
            size_t items = count_uses(made_tree, file_tree, host->variable, by_key, &uses);

            used = most_used(out_hosts, host, &uses, items, made);
        }
        host->is_declared = used != NULL;
        host->used = used != NULL ? mem_strdup(used) : NULL;
    }
    for (size_t i = 0; i < out_hosts->count; i++)
        if (out_hosts->list[i].used == NULL)
            give_free_name(out_hosts, &out_hosts->list[i], made, file);
    HASH_CLEAR(hh, by_key);
    mem_free(rows);
    mem_free(uses.list);
}

void merge_hosts_clear(struct merge_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        mem_free(hosts->list[i].used);
    mem_free(hosts->list);
    *hosts = (struct merge_hosts){ .list = NULL };
}

size_t merge_hosts_of_file(const struct merge_hosts *hosts, const char *host)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (is_reference(host, hosts->list[i].used) || strcmp(host, hosts->list[i].url) == 0)
            return i;
    return MERGE_NONE;
}

size_t merge_hosts_of_made(const struct merge_hosts *hosts, const char *host)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (is_reference(host, hosts->list[i].variable))
            return i;
    return MERGE_NONE;
}

bool merge_hosts_has(const struct merge_hosts *hosts, const char *variable)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->list[i].variable, variable) == 0)
            return true;
    return false;
}

/* --- renaming ------------------------------------------------------------------------------------------ */

static void rename_request(const struct merge_hosts *hosts, json_t *request)
{
    json_t *url = json_object_get(request, "url"), *labels = json_object_get(url, "host");
    const char *label = json_string_value(json_array_get(labels, 0)), *raw = member(url, "raw");
    size_t i = label != NULL ? merge_hosts_of_made(hosts, label) : MERGE_NONE;
    char *renamed;

    if (i == MERGE_NONE || strcmp(hosts->list[i].used, hosts->list[i].variable) == 0)
        return;
    if (strncmp(raw, label, strlen(label)) == 0) {
        renamed = mem_printf("{{%s}}%s", hosts->list[i].used, raw + strlen(label));
        json_object_set_new(url, "raw", json_string(renamed));
        mem_free(renamed);
    }
    renamed = mem_printf("{{%s}}", hosts->list[i].used);
    json_array_set_new(labels, 0, json_string(renamed));
    mem_free(renamed);
}

void merge_hosts_rename(const struct merge_hosts *hosts, json_t *item)
{
    json_t *example;
    size_t i;

    rename_request(hosts, json_object_get(item, "request"));
    json_array_foreach (json_object_get(item, "response"), i, example)
        rename_request(hosts, json_object_get(example, "originalRequest"));
}
