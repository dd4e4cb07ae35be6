/* Items come sorted by folder: a folder is opened at its first item and closed at the next folder's. */
#include "capture/export/collection.h"

#include <string.h>

#include "capture/export/digest.h"
#include "proxy/base/mem.h"

/* --- credentials --------------------------------------------------------------------------------------- */

/* So many items of a hundred show the same credential, or none, that the folder has it for all of them. */
#define HOISTED_PERCENT 60

/* What most of the items show; inherited when that is nothing in particular. Only one can be more than half:
 * it survives when each item takes out one of another kind. */
static uint64_t most_common(const struct survey *survey, size_t begin, size_t end, uint64_t inherited)
{
    uint64_t candidate = 0;
    size_t surplus = 0, count = 0;

    for (size_t i = begin; i < end; i++) {
        if (surplus == 0)
            candidate = survey->items[i].credential;
        if (survey->items[i].credential == candidate)
            surplus++;
        else
            surplus--;
    }
    for (size_t i = begin; i < end; i++)
        count += survey->items[i].credential == candidate;
    return count * 100 >= (end - begin) * HOISTED_PERCENT ? candidate : inherited;
}

static bool write_hoisted(struct collection *collection, uint64_t hash, size_t begin, struct err *err)
{
    const struct export_source *source = collection->job->source;
    struct credential credential = { .kind = CREDENTIAL_NONE };
    const struct record *record;
    size_t i = begin;

    while (hash != 0 && collection->survey.items[i].credential != hash)
        i++;
    if (hash != 0) {
        if (!source->at(source->self, collection->survey.items[i].seq, &record, err))
            return false;
        if (record != NULL)
            credential_init(&credential, record, collection->job->secrets, collection->links);
    }
    collection->inherited = credential_hash(&credential);
    credential_write(&credential, &collection->json);
    credential_clear(&credential);
    return true;
}

bool tree_write_credential(struct collection *collection, size_t begin, size_t end, struct err *err)
{
    uint64_t hash;

    if (collection->is_faithful || begin == end)
        return true;
    hash = most_common(&collection->survey, begin, end, collection->inherited);
    return hash == collection->inherited || write_hoisted(collection, hash, begin, err);
}

/* --- folders ------------------------------------------------------------------------------------------- */

/* Where the items of that folder end. */
static size_t end_of(const struct survey *survey, size_t begin, enum survey_level level)
{
    struct survey_place first = survey_place_of(survey, &survey->items[begin]), place;
    size_t end = begin;

    for (; end < survey->count; end++) {
        place = survey_place_of(survey, &survey->items[end]);
        if (memcmp(place.at, first.at, (level + 1) * sizeof(*place.at)) != 0)
            break;
    }
    return end;
}

static const char *outer_name(const struct survey *survey, size_t outer)
{
    return outer == SURVEY_THIRD_PARTY ? SURVEY_THIRD_PARTY_NAME : survey->outer.list[outer].name;
}

static const char *inner_name(const struct survey *survey, size_t inner)
{
    return inner == SURVEY_THIRD_PARTY ? SURVEY_THIRD_PARTY_NAME : survey->inner.list[inner - 1].name;
}

static bool open_folder(struct collection *collection, const char *outer, const char *inner, size_t begin,
                        size_t end, struct err *err)
{
    struct json_out *json = &collection->json;
    const struct export_job *job = collection->job;
    char id[DIGEST_UUID_BYTES];
    char *key = mem_printf("%s %s %s\n%s", job->source->session->uid, collection_grouping(job->options),
                           outer, inner);

    digest_uuid("folder", span_of(key), id);
    mem_free(key);
    jout_open_object(json);
    jout_member_str(json, "name", inner[0] != '\0' ? inner : outer);
    jout_member_str(json, "id", id);
    if (!tree_write_credential(collection, begin, end, err))
        return false;
    jout_key(json, "item");
    jout_open_array(json);
    names_reset(collection->names);
    return true;
}

static void close_folder(struct collection *collection)
{
    jout_close(&collection->json);
    jout_close(&collection->json);
    names_reset(collection->names);
}

/* --- items --------------------------------------------------------------------------------------------- */

static bool write_one(struct collection *collection, size_t index, size_t number, int width, struct err *err)
{
    const struct survey_item *item = &collection->survey.items[index];
    struct export_job *job = collection->job;
    const struct record *record;
    enum export_reason why;

    if (!job->source->at(job->source->self, item->seq, &record, err))
        return false;
    /* While a session records, an exchange may change or go between the passes. */
    if (record == NULL || !survey_takes(record, &why) ||
        survey_origin_of(&collection->survey, record) == NULL) {
        job_count_seq(job, EXPORT_GONE, item->seq);
        return true;
    }
    if (!item_write(collection, item, record, number, width, err))
        return false;
    job->report->written++;
    return true;
}

static bool write_range(struct collection *collection, size_t begin, size_t end, struct err *err)
{
    for (size_t i = begin; i < end; i++)
        if (!write_one(collection, i, 0, 0, err))
            return false;
    return true;
}

static bool write_flat(struct collection *collection, struct err *err)
{
    int width = 3;

    for (size_t rest = collection->survey.count; rest > 999; rest /= 10)
        width++;
    for (size_t i = 0; i < collection->survey.count; i++)
        if (!write_one(collection, i, i + 1, width, err))
            return false;
    return true;
}

/* The folders of that level between begin and end, after the items that are in none. */
static bool write_level(struct collection *collection, enum survey_level level, const char *outer,
                        size_t begin, size_t end, struct err *err)
{
    const struct survey *survey = &collection->survey;
    uint64_t inherited = collection->inherited;

    for (size_t i = begin; i < end;) {
        size_t folder = survey_place_of(survey, &survey->items[i]).at[level], next = end_of(survey, i, level);

        if (folder != 0 && !open_folder(collection, outer, inner_name(survey, folder), i, next, err))
            return false;
        if (folder != 0 && level == SURVEY_INNER
                ? !write_level(collection, SURVEY_NESTED, outer, i, next, err)
                : !write_range(collection, i, next, err))
            return false;
        if (folder != 0)
            close_folder(collection);
        collection->inherited = inherited;
        i = next;
    }
    return true;
}

static bool write_outer(struct collection *collection, struct err *err)
{
    const struct survey *survey = &collection->survey;
    uint64_t inherited = collection->inherited;

    for (size_t i = 0; i < survey->count;) {
        const char *name = outer_name(survey, survey_place_of(survey, &survey->items[i]).at[SURVEY_OUTER]);
        size_t next = end_of(survey, i, SURVEY_OUTER);

        if (!open_folder(collection, name, "", i, next, err) ||
            !write_level(collection, SURVEY_INNER, name, i, next, err))
            return false;
        close_folder(collection);
        collection->inherited = inherited;
        i = next;
    }
    return true;
}

bool tree_write(struct collection *collection, struct err *err)
{
    if (collection->is_flat)
        return write_flat(collection, err);
    if (collection->job->options->group == EXPORT_BY_ENDPOINT)
        return write_level(collection, SURVEY_INNER, "", 0, collection->survey.count, err);
    return write_outer(collection, err);
}
