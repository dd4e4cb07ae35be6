/* Partners first, then what each host is called, then item by item what changes in the text of the file. */
#include <string.h>

#include "capture/export/json_edit.h"
#include "capture/export/merge_bodies.h"
#include "capture/export/merge_examples.h"
#include "capture/export/merge_hosts.h"
#include "capture/export/merge_match.h"
#include "capture/export/merge_parts.h"
#include "capture/export/merge_place.h"
#include "capture/export/merge_script.h"
#include "proxy/base/mem.h"

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* Both sides, and what becomes of the file. */
struct merging {
    struct merge *merge;
    json_t *made_document;
    struct merge_tree made, file;
    struct merge_hosts hosts;
    struct json_edit *edit;
    struct merge_examples examples;
    struct job_log *log;
    struct merge_counts counts;
};

static void tell(struct merging *merging, const json_t *item, const char *why)
{
    char *what;

    if (merging->log == NULL)
        return;
    what = mem_printf("item %s", member(item, "name"));
    job_log_add(merging->log, what, why, 0);
    mem_free(what);
}

static void tell_kept(struct merging *merging)
{
    for (size_t i = 0; i < merging->file.item_count; i++) {
        if (merging->file.items[i].partner != MERGE_NONE)
            continue;
        merging->counts.kept++;
        tell(merging, merging->file.items[i].value, "kept: this session has no call of it");
    }
}

static void use_host(struct merging *merging, const struct merge_item *made)
{
    size_t host = merge_hosts_of_made(&merging->hosts, made->call.host);

    if (host != MERGE_NONE)
        merging->hosts.list[host].is_used = true;
}

static void update_item(struct merging *merging, const struct merge_item *made)
{
    const struct merge_item *file = &merging->file.items[made->partner];

    if (!merge_script_sets(file->value, made->value)) {
        merging->counts.unset++;
        tell(merging, file->value, "kept without the script that sets what its answer issues");
    }
    if (merge_examples_update(&merging->examples, file, made)) {
        merging->counts.updated++;
        use_host(merging, made);
        tell(merging, file->value, "kept, with new examples");
    } else {
        merging->counts.kept++;
        tell(merging, file->value, "kept: its examples say the same");
    }
}

/* Items in order, so that new ones come in the order of the capture. */
static void merge_items(struct merging *merging)
{
    struct merge_place *place = merge_place_new(&merging->made, &merging->file, merging->edit);

    for (size_t i = 0; i < merging->made.item_count; i++) {
        struct merge_item *item = &merging->made.items[i];

        merge_hosts_rename(&merging->hosts, item->value);
        if (item->partner != MERGE_NONE) {
            update_item(merging, item);
            continue;
        }
        merge_examples_name(&merging->examples, item->value);
        merge_place_add(place, item);
        merging->counts.added++;
        use_host(merging, item);
        tell(merging, item->value, "added");
    }
    merge_place_end(place);
    merge_place_free(place);
    tell_kept(merging);
}

static void add_variable(struct merging *merging, json_t *list, json_t *variable)
{
    uint32_t node = json_tree_find_kind(merging->merge->file.nodes, 0, "variable", JSON_WALK_ARRAY);

    if (node != JSON_TREE_NONE)
        json_edit_append(merging->edit, node, variable);
    else
        json_array_append(list, variable);
}

static void add_hosts(struct merging *merging, json_t *list)
{
    for (size_t i = 0; i < merging->hosts.count; i++) {
        const struct merge_host *host = &merging->hosts.list[i];
        json_t *variable;

        if (!host->is_used || host->is_declared)
            continue;
        variable = json_pack("{s:s,s:s,s:s}", "key", host->used, "value", host->url, "type", "string");
        add_variable(merging, list, variable);
        json_decref(variable);
    }
}

/* Literals, and what is no host's. A value that is there already is a person's, or that of an earlier
 * capture: it stays. */
static void add_other(struct merging *merging, json_t *list, json_t *variable)
{
    const char *name = member(variable, "key");
    const json_t *there = merge_find_variable(merging->merge->file.document, name);
    char *what;

    if (there == NULL) {
        add_variable(merging, list, variable);
    } else if (merge_is_literal(variable) && !merge_is_literal(there) && merging->log != NULL) {
        what = mem_printf("literal {{%s}}", name);
        job_log_add(merging->log, what, "not protected: the file has a variable of that name", 0);
        mem_free(what);
    }
}

/* Those that new items or examples may use: without any the file has all that it needs. */
static void merge_variables(struct merging *merging)
{
    uint32_t node = json_tree_find(merging->merge->file.nodes, 0, "variable");
    json_t *list, *variable;
    size_t i;

    if (json_edit_is_empty(merging->edit))
        return;
    list = json_array();
    add_hosts(merging, list);
    json_array_foreach (json_object_get(merging->made_document, "variable"), i, variable)
        if (!merge_hosts_has(&merging->hosts, member(variable, "key")))
            add_other(merging, list, variable);
    if (json_array_size(list) != 0 && node != JSON_TREE_NONE)
        json_edit_replace(merging->edit, node, list);
    else if (json_array_size(list) != 0)
        json_edit_add_member(merging->edit, 0, "variable", list);
    json_decref(list);
}

bool merge_collection(struct merge *merge, FILE *made, FILE *out, unsigned max_examples, struct files *files,
                      struct job_log *log, struct merge_counts *out_counts, struct err *err)
{
    struct merging merging = { .merge = merge, .log = log };

    if (!merge_read_made(made, &merging.made_document, err))
        return false;
    merging.edit = json_edit_new(merge->file.nodes);
    merging.examples = (struct merge_examples){
        .nodes = merge->file.nodes, .edit = merging.edit, .names = names_new(), .max = max_examples
    };
    merge_tree_init(&merging.made, merging.made_document, NULL);
    merge_tree_init(&merging.file, merge->file.document, merge->file.nodes);
    merge_match_ids(&merging.made, &merging.file);
    merge_hosts_init(&merging.hosts, merging.made_document, &merging.made, merge->file.document,
                     &merging.file);
    merge_match_calls(&merging.made, &merging.file, &merging.hosts);
    merge_examples_see(&merging.examples, &merging.file);
    merge_items(&merging);
    merge_variables(&merging);
    if (files != NULL)
        merge_bodies_drop(&merging.made, files);
    json_edit_write(merging.edit, out);
    *out_counts = merging.counts;
    merge_hosts_clear(&merging.hosts);
    merge_tree_clear(&merging.made);
    merge_tree_clear(&merging.file);
    names_free(merging.examples.names);
    json_edit_free(merging.edit);
    json_decref(merging.made_document);
    return true;
}
