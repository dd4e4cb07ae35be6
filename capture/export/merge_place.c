#include "capture/export/merge_place.h"

#include <string.h>

#include "capture/export/naming.h"
#include "proxy/base/mem.h"

/* Where one folder of the capture is in the file. */
struct target {
    bool is_known;
    size_t folder;       /* of the file; MERGE_NONE: it is a new one */
    json_t *created;     /* the new one */
    size_t parent;       /* of a new one: its target */
    const json_t *auth;  /* what is inherited there */
    struct names *names; /* of the items there, when the first comes */
};

struct merge_place {
    const struct merge_tree *made, *file;
    struct json_edit *edit;
    struct target *targets; /* as many as folders of the capture */
};

struct merge_place *merge_place_new(const struct merge_tree *made, const struct merge_tree *file,
                                    struct json_edit *edit)
{
    struct merge_place *place = mem_new(struct merge_place);

    *place = (struct merge_place){ .made = made, .file = file, .edit = edit };
    place->targets = mem_array(struct target, made->folder_count);
    place->targets[0] = (struct target){ .is_known = true, .auth = file->folders[0].auth };
    return place;
}

void merge_place_free(struct merge_place *place)
{
    if (place == NULL)
        return;
    for (size_t i = 0; i < place->made->folder_count; i++) {
        json_decref(place->targets[i].created);
        names_free(place->targets[i].names);
    }
    mem_free(place->targets);
    mem_free(place);
}

/* --- folders ------------------------------------------------------------------------------------------- */

static size_t find_folder(const struct merge_tree *file, size_t parent, const char *name)
{
    for (size_t i = 1; i < file->folder_count; i++)
        if (file->folders[i].parent == parent && strcmp(file->folders[i].name, name) == 0)
            return i;
    return MERGE_NONE;
}

/* The folder so many levels further out; MERGE_NONE beyond the collection itself. */
static size_t further_out(const struct merge_tree *tree, size_t folder, size_t levels)
{
    while (levels-- != 0 && folder != MERGE_NONE)
        folder = tree->folders[folder].parent;
    return folder;
}

static size_t where_most_are(const struct merge_place *place, size_t folder)
{
    const struct merge_tree *made = place->made, *file = place->file;
    size_t *counts = mem_array(size_t, file->folder_count), best = MERGE_NONE;

    for (size_t i = 0; i < made->item_count; i++) {
        const struct merge_item *item = &made->items[i];
        size_t levels = made->folders[item->folder].depth - made->folders[folder].depth, found;

        if (item->partner == MERGE_NONE || made->folders[item->folder].depth < made->folders[folder].depth ||
            further_out(made, item->folder, levels) != folder)
            continue;
        found = further_out(file, file->items[item->partner].folder, levels);
        if (found != MERGE_NONE)
            counts[found]++;
    }
    for (size_t i = 0; i < file->folder_count; i++)
        if (counts[i] != 0 && (best == MERGE_NONE || counts[i] > counts[best]))
            best = i;
    mem_free(counts);
    return best;
}

static json_t *auth_instead(const json_t *auth)
{
    return auth != NULL ? json_deep_copy(auth) : json_pack("{s:s}", "type", "noauth");
}

static void create(struct merge_place *place, size_t folder, struct target *target)
{
    const struct merge_folder *made = &place->made->folders[folder];
    const json_t *id = json_object_get(made->value, "id");

    target->folder = MERGE_NONE;
    target->parent = made->parent;
    target->created = json_object();
    target->auth = made->auth;
    json_object_set_new(target->created, "name", json_string(made->name));
    if (id != NULL)
        json_object_set(target->created, "id", (json_t *)id);
    if (!merge_is_same_auth(made->auth, place->targets[made->parent].auth))
        json_object_set_new(target->created, "auth", auth_instead(made->auth));
    json_object_set_new(target->created, "item", json_array());
}

static struct target *find_target(struct merge_place *place, size_t folder)
{
    struct target *target = &place->targets[folder], *parent;
    const struct merge_folder *made = &place->made->folders[folder];
    size_t found = MERGE_NONE;

    if (target->is_known)
        return target;
    parent = find_target(place, made->parent);
    target->is_known = true;
    if (parent->created == NULL)
        found = find_folder(place->file, parent->folder, made->name);
    if (found == MERGE_NONE)
        found = where_most_are(place, folder);
    if (found == MERGE_NONE) {
        create(place, folder, target);
    } else {
        target->folder = found;
        target->auth = place->file->folders[found].auth;
    }
    return target;
}

/* --- items --------------------------------------------------------------------------------------------- */

/* Two folders of a capture may be one here. */
static struct names *names_of(struct merge_place *place, struct target *target)
{
    const struct merge_tree *file = place->file;

    for (size_t i = 0; target->created == NULL && target->names == NULL && i < place->made->folder_count; i++)
        if (place->targets[i].is_known && place->targets[i].created == NULL &&
            place->targets[i].folder == target->folder && place->targets[i].names != NULL)
            return place->targets[i].names;
    if (target->names != NULL)
        return target->names;
    target->names = names_new();
    for (size_t i = 0; target->created == NULL && i < file->item_count; i++) {
        struct strbuf name = STRBUF_EMPTY;

        if (file->items[i].folder != target->folder)
            continue;
        strbuf_add_str(&name, file->items[i].name);
        names_claim(target->names, &name, SPAN_NONE);
        strbuf_clear(&name);
    }
    return target->names;
}

static void name_item(struct merge_place *place, struct target *target, json_t *value)
{
    const char *old = json_string_value(json_object_get(value, "name"));
    struct strbuf name = STRBUF_EMPTY;

    strbuf_add_str(&name, old != NULL ? old : "");
    names_claim(names_of(place, target), &name, SPAN_NONE);
    json_object_set_new(value, "name", json_stringn(strbuf_text(&name), name.len));
    strbuf_clear(&name);
}

void merge_place_add(struct merge_place *place, const struct merge_item *item)
{
    struct target *target = find_target(place, item->folder);
    const json_t *inherited = place->made->folders[item->folder].auth;

    name_item(place, target, item->value);
    if (merge_own_auth(item->request) == NULL && !merge_is_same_auth(inherited, target->auth))
        json_object_set_new(item->request, "auth", auth_instead(inherited));
    if (target->created != NULL)
        json_array_append(json_object_get(target->created, "item"), item->value);
    else
        json_edit_append(place->edit, place->file->folders[target->folder].items_node, item->value);
}

void merge_place_end(struct merge_place *place)
{
    for (size_t i = 1; i < place->made->folder_count; i++) {
        const struct target *target = &place->targets[i];

        if (target->created != NULL && place->targets[target->parent].created != NULL)
            json_array_append(json_object_get(place->targets[target->parent].created, "item"),
                              target->created);
    }
    for (size_t i = 1; i < place->made->folder_count; i++) {
        const struct target *target = &place->targets[i], *parent = &place->targets[target->parent];

        if (target->created != NULL && parent->created == NULL)
            json_edit_append(place->edit, place->file->folders[parent->folder].items_node, target->created);
    }
}
