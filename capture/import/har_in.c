/* HAR 1.1 and 1.2, an entry at a time. A document that is damaged is taken up again at the next object that
 * begins as an entry does. */
#include "capture/import/har_entry.h"
#include "capture/import/json_value.h"

/* How deep the entries lie: the document, its log, the array. */
#define ENTRIES_DEPTH 3

#define KEY_BYTES 64

struct har {
    struct import_job *job;
    struct json_in *json;
    struct har_entry entry;
    uint64_t number;            /* of the entry that is being read, or was last; 0: none yet */
    uint64_t start, start_line; /* where it begins */
    bool is_inside;             /* it is being read */
    char first_key[KEY_BYTES];  /* of the file's first sound entry: its tool begins all of them so */
    size_t first_key_len;
    bool has_entries;
};

/* --- what it is ---------------------------------------------------------------------------------------- */

static bool find_log(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    bool *found = self;

    *found = (span_eq(key, SPAN("log")) && token == JSON_IN_OBJECT) ||
             (span_eq(key, SPAN("entries")) && token == JSON_IN_ARRAY);
    return !*found && json_in_skip(json, token);
}

bool har_is_mine(struct input *input)
{
    struct json_in *json = json_in_new(input);
    enum json_in_token token = json_in_next(json);
    bool found = false;

    if (token == JSON_IN_OBJECT)
        json_value_object(json, token, find_log, &found);
    json_in_free(json);
    return found;
}

/* --- entries ------------------------------------------------------------------------------------------- */

/* The keys with which the known tools begin an entry. Objects inside an entry begin with other ones. */
static bool begins_entry(void *self, struct span key)
{
    static const struct span keys[] = { SPAN("startedDateTime"), SPAN("pageref"),    SPAN("_initiator"),
                                        SPAN("_connectionId"),   SPAN("_fromCache"), SPAN("_id") };
    const struct har *har = self;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (span_eq(key, keys[i]))
            return true;
    return har->first_key_len != 0 && span_eq(key, span_make(har->first_key, har->first_key_len));
}

/* The first key of the object that begins at offset. */
static void learn_first_key(struct har *har, uint64_t offset)
{
    struct json_in *json = json_in_new(har->job->input);
    struct span key;

    json_in_seek(json, offset, 1);
    if (json_in_next(json) == JSON_IN_OBJECT && json_in_next(json) == JSON_IN_KEY) {
        key = json_in_key(json);
        har->first_key_len = key.len < KEY_BYTES ? key.len : 0;
        memcpy(har->first_key, key.ptr, har->first_key_len);
    }
    json_in_free(json);
}

static bool read_entry(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har *har = self;

    (void)key;
    har->number++;
    har->start = json_in_token_at(json);
    har->start_line = json_in_token_line(json);
    har->is_inside = true;
    har_entry_reset(&har->entry);
    har->entry.number = har->number;
    if (!har_entry_read(&har->entry, json, token))
        return false;
    har->is_inside = false;
    if (har->first_key_len == 0 && har->entry.sides[HTTP_REQUEST].is_there)
        learn_first_key(har, har->start);
    har_entry_tell(&har->entry);
    import_progress(har->job, json_in_offset(json));
    return true;
}

static bool read_log_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har *har = self;

    if (!span_eq(key, SPAN("entries")))
        return json_in_skip(json, token);
    har->has_entries = true;
    return json_value_array(json, token, read_entry, har);
}

static bool read_top_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    if (span_eq(key, SPAN("log")))
        return json_value_object(json, token, read_log_member, self);
    return read_log_member(self, json, key, token);
}

/* --- damage -------------------------------------------------------------------------------------------- */

static void tell_damage(struct har *har)
{
    struct json_in *json = har->json;
    unsigned long long at = json_in_offset(json), line = json_in_line(json);

    if (har->is_inside)
        import_damage(har->job, "damaged at byte %llu, line %llu, in entry %llu, which is left out: %s", at,
                      line, (unsigned long long)har->number, json_in_why(json));
    else if (har->number != 0)
        import_damage(har->job, "damaged at byte %llu, line %llu, after entry %llu: %s", at, line,
                      (unsigned long long)har->number, json_in_why(json));
    else
        import_damage(har->job, "damaged at byte %llu, line %llu, before the first entry: %s", at, line,
                      json_in_why(json));
}

/* Whether the object at the reader is an entry: the pages of a HAR begin in the same way. */
static bool find_request(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    bool *found = self;

    *found = span_eq(key, SPAN("request")) && token == JSON_IN_OBJECT;
    return !*found && json_in_skip(json, token);
}

static bool is_entry(struct har *har, uint64_t offset)
{
    struct json_in *json = json_in_new(har->job->input);
    bool found = false;

    json_in_seek(json, offset, 1);
    json_value_object(json, json_in_next(json), find_request, &found);
    json_in_free(json);
    return found;
}

/* Goes to the next entry after what was damaged. */
static bool take_up(struct har *har)
{
    uint64_t from = har->is_inside ? har->start + 1 : json_in_offset(har->json);
    uint64_t line = har->is_inside ? har->start_line : json_in_line(har->json);

    while (json_in_find(har->json, from, line, ENTRIES_DEPTH, begins_entry, har)) {
        from = json_in_offset(har->json);
        line = json_in_line(har->json);
        if (is_entry(har, from))
            return true;
        from++;
    }
    return false;
}

/* The rest of the entries, from one that was taken up: as it would be inside the array. */
static bool read_rest(struct har *har)
{
    enum json_in_token token = json_in_next(har->json);

    while (token != JSON_IN_ARRAY_END) {
        if (token == JSON_IN_BROKEN || !read_entry(har, har->json, SPAN(""), token))
            return false;
        token = json_in_next(har->json);
    }
    return true;
}

static bool read_whole(struct har *har)
{
    return json_value_object(har->json, json_in_next(har->json), read_top_member, har) &&
           json_in_next(har->json) == JSON_IN_END;
}

void har_read(struct import_job *job)
{
    struct har har = { .job = job, .json = json_in_new(job->input) };
    bool is_whole;

    har_entry_init(&har.entry, job);
    is_whole = read_whole(&har);
    while (!is_whole) {
        tell_damage(&har);
        if (!take_up(&har))
            break;
        har.is_inside = false;
        is_whole = read_rest(&har);
    }
    if (is_whole && har.number == 0 && !har.has_entries)
        import_damage(job, "it has no entries");
    har_entry_clear(&har.entry);
    json_in_free(har.json);
}
