#include "capture/export/link_place.h"

#include <string.h>
#include <xxhash.h>

#include "capture/export/multipart.h"
#include "capture/export/secret_form.h"
#include "capture/export/secret_rules.h"
#include "capture/export/segment.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* Shorter values are met by chance. */
#define MIN_OPAQUE_BYTES 12
#define MIN_SECRET_BYTES 8
#define MIN_ID_BYTES     6
#define MAX_ID_BYTES     64

/* --- names --------------------------------------------------------------------------------------------- */

void link_name_add(struct link_name *name, struct span text)
{
    for (size_t i = 0; i < text.len && name->len < LINK_MAX_NAME; i++) {
        char c = text.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            name->text[name->len++] = c;
    }
    name->text[name->len] = '\0';
}

bool link_name_is_id(const struct link_name *name)
{
    return span_ends(span_make(name->text, name->len), SPAN("id"));
}

/* --- values -------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_made_of(struct span value, const char *others)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_letter(value.ptr[i]) && !is_digit(value.ptr[i]) &&
            (value.ptr[i] == '\0' || strchr(others, value.ptr[i]) == NULL))
            return false;
    return true;
}

bool link_is_opaque(struct span value)
{
    bool has_letter = false, has_digit = false;
    enum segment_class class;

    if (value.len < MIN_OPAQUE_BYTES || value.len > LINK_MAX_VALUE || !is_made_of(value, "-_.~+/=:|") ||
        memmem(value.ptr, value.len, "://", 3) != NULL)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        has_letter = has_letter || is_letter(value.ptr[i]);
        has_digit = has_digit || is_digit(value.ptr[i]);
    }
    if (!has_letter || !has_digit)
        return false;
    class = segment_classify(value, false);
    return class != SEGMENT_FIXED && class != SEGMENT_DATE && class != SEGMENT_EMAIL;
}

bool link_is_id(struct span value)
{
    bool has_digit = false;

    for (size_t i = 0; i < value.len; i++)
        has_digit = has_digit || is_digit(value.ptr[i]);
    return has_digit && value.len <= MAX_ID_BYTES && is_made_of(value, "-_.~");
}

/* --- keys ---------------------------------------------------------------------------------------------- */

enum sense { SENSE_VALUE = 1, SENSE_BELOW, SENSE_NAMED, SENSE_ID };

static uint64_t hash_of(enum sense sense, const struct record *record, struct span where, struct span value)
{
    uint64_t hash = sense;

    if (record != NULL)
        hash = XXH3_64bits_withSeed(record->host.ptr, record->host.len, hash ^ ((uint64_t)record->port << 8));
    hash = XXH3_64bits_withSeed(where.len != 0 ? where.ptr : "", where.len, hash);
    return XXH3_64bits_withSeed(value.ptr, value.len, hash);
}

uint64_t link_key_of_value(struct span value)
{
    return hash_of(SENSE_VALUE, NULL, SPAN_NONE, value);
}

uint64_t link_key_below(const struct record *record, struct span above, struct span value)
{
    while (above.len != 0 && above.ptr[above.len - 1] == '/')
        above.len--;
    return hash_of(SENSE_BELOW, record, above, value);
}

uint64_t link_key_named(const struct record *record, const struct link_name *name, struct span value)
{
    return hash_of(SENSE_NAMED, record, span_make(name->text, name->len), value);
}

bool link_key_of_id(const struct record *record, struct span value, uint64_t *out_key)
{
    *out_key = hash_of(SENSE_ID, record, SPAN_NONE, value);
    return value.len >= MIN_ID_BYTES;
}

/* --- places -------------------------------------------------------------------------------------------- */

struct walk {
    const struct secret_text *text; /* NULL: a path */
    const struct record *record;
    void (*each)(void *self, const struct link_place *place);
    void *self;
};

static void add_id_keys(const struct walk *walk, struct link_place *place, struct span above)
{
    struct link_name name = { .len = 0 };

    link_name_add(&name, place->name);
    if (!link_is_id(place->value) || (above.ptr == NULL && !link_name_is_id(&name)))
        return;
    if (above.ptr != NULL)
        place->keys[place->key_count++] = link_key_below(walk->record, above, place->value);
    if (link_name_is_id(&name) && name.len > 2)
        place->keys[place->key_count++] = link_key_named(walk->record, &name, place->value);
    if (link_key_of_id(walk->record, place->value, &place->keys[place->key_count]))
        place->key_count++;
}

/* above: the path before a segment; ptr NULL: it is none. */
static void tell(const struct walk *walk, struct link_place place, struct span above)
{
    if (place.is_secret ? place.value.len >= MIN_SECRET_BYTES && place.value.len <= LINK_MAX_VALUE
                        : link_is_opaque(place.value))
        place.keys[place.key_count++] = link_key_of_value(place.value);
    else if (walk->record != NULL)
        add_id_keys(walk, &place, above);
    if (place.key_count != 0)
        walk->each(walk->self, &place);
}

/* "Token abc" of a field that is not Authorization. */
static struct secret_leaf behind_word(struct secret_leaf leaf)
{
    size_t blank = span_find(leaf.value, ' ');
    struct span rest = span_from(leaf.value, blank < leaf.value.len ? blank + 1 : 0);

    if (span_find(rest, ' ') == rest.len)
        leaf.value = leaf.spelled = rest;
    return leaf;
}

static void take_leaf(void *self, const struct secret_leaf *leaf)
{
    static const enum link_place_kind kinds[] = {
        [SECRET_PLACE_PAIR] = LINK_PAIR, [SECRET_PLACE_LEAF] = LINK_LEAF,   [SECRET_PLACE_NUMBER] = LINK_LEAF,
        [SECRET_PLACE_PART] = LINK_PART, [SECRET_PLACE_FIELD] = LINK_FIELD, [SECRET_PLACE_AUTH] = LINK_AUTH,
    };
    const struct walk *walk = self;
    struct secret_leaf shown = *leaf;
    enum secret_kind kind;

    if (leaf->place == SECRET_PLACE_COOKIE || leaf->spelled.ptr == NULL || leaf->value.len == 0)
        return;
    if (leaf->place == SECRET_PLACE_FIELD)
        shown = behind_word(shown);
    tell(walk,
         (struct link_place){ .kind = kinds[leaf->place],
                              .name = leaf->name,
                              .value = shown.value,
                              .spelled = shown.spelled,
                              .is_secret = secret_rules_judge(walk->text, leaf, &kind) != SECRET_NOT },
         SPAN_NONE);
}

/* Without the files, whose bytes no variable can stand for. */
static void walk_parts(const struct walk *walk)
{
    struct multipart_part *parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    struct strbuf boundary = STRBUF_EMPTY;
    size_t count = 0;

    if (text_parameter(walk->text->name, SPAN("boundary"), &boundary) &&
        multipart_parse(walk->text->text, strbuf_span(&boundary), parts, MULTIPART_MAX_PARTS, &count))
        for (size_t i = 0; i < count; i++)
            if (parts[i].file_name.ptr == NULL)
                take_leaf((void *)walk, &(struct secret_leaf){ .place = SECRET_PLACE_PART,
                                                               .name = parts[i].name,
                                                               .value = parts[i].value,
                                                               .spelled = parts[i].value });
    strbuf_clear(&boundary);
    mem_free(parts);
}

void link_places_of_text(const struct secret_text *text,
                         void (*each)(void *self, const struct link_place *place), void *self)
{
    struct walk walk = { .text = text, .record = text->record, .each = each, .self = self };

    if (text->kind == SECRET_TEXT_MULTIPART)
        walk_parts(&walk);
    else
        secret_text_each(text, take_leaf, &walk);
}

static struct span decoded(struct span segment, struct strbuf *buf)
{
    char unit[SECRET_FORM_UNIT];
    size_t len;

    if (span_find(segment, '%') == segment.len)
        return segment;
    strbuf_reset(buf);
    while (segment.len != 0) {
        segment = span_from(segment, secret_form_read(SECRET_PERCENT, segment, unit, &len));
        strbuf_add(buf, span_make(unit, len));
    }
    return strbuf_span(buf);
}

static bool is_number(struct span segment)
{
    uint64_t number;

    return span_u64(segment, &number);
}

void link_places_of_path(const struct record *record, const struct template_path *path,
                         void (*each)(void *self, const struct link_place *place), void *self)
{
    struct walk walk = { .record = record, .each = each, .self = self };
    struct strbuf value = STRBUF_EMPTY;
    struct span rest = record->path, segment;
    size_t variable = 0;

    while (span_split(&rest, '/', &segment)) {
        struct link_place place = { .kind = LINK_SEGMENT, .spelled = segment };
        bool is_variable = variable < path->count && path->variables[variable].value.ptr == segment.ptr;

        if (is_variable)
            place.name = span_of(path->variables[variable++].name);
        if (segment.len == 0)
            continue;
        place.value = decoded(segment, &value);
        tell(&walk, place,
             is_variable || is_number(segment)
                 ? span_make(record->path.ptr, (size_t)(segment.ptr - record->path.ptr))
                 : SPAN_NONE);
    }
    strbuf_clear(&value);
}

bool link_place_takes_field(const struct policy_facts *facts, const struct record_field *field)
{
    return policy_request(facts, field->name) == POLICY_SEND && policy_is_sendable(field) &&
           !span_ieq(field->name, SPAN("Referer")) && !span_ieq(field->name, SPAN("Origin"));
}
