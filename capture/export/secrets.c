/* Collecting: leaves are judged by their names, then the whole text is looked at. What is here only is known
 * by its value, too, but is asked for where a leaf is judged again, never searched. */
#include "capture/export/secrets.h"

#include <uthash.h>
#include <xxhash.h>

#include "capture/export/content.h"
#include "capture/export/literals.h"
#include "capture/export/name_marks.h"
#include "capture/export/naming.h"
#include "capture/export/secret_patterns.h"
#include "proxy/base/mem.h"

#define MAX_NAME_BYTES 64

struct entry {
    struct secret secret;
    char *base;   /* its name without a number; until they are sealed */
    bool is_used; /* its variable was asked for */
};

struct spelling {
    char *key; /* the index of the secret, then the text */
    size_t len;
    char *name;
    size_t secret;
    UT_hash_handle hh;
};

struct taken_name {
    char *name;
    unsigned next; /* the number that a name like it may get */
    UT_hash_handle hh;
};

struct secrets {
    struct entry *entries;
    size_t count, cap, bytes;
    uint32_t *slots; /* of entries by value, open addressing; 0: free, else the index and 1 */
    size_t slot_cap;
    struct strbuf bodies; /* what is known of those of an exchange: four bits, by its number */
    struct secret_patterns *patterns;
    struct secret_match *match; /* NULL: not sealed */
    struct span *searched;      /* values of entries that match looks for; else empty */
    struct spelling *spellings;
    size_t spelling_count;
    struct taken_name *names;
    struct name_marks literals;
    bool (*is_taken)(void *self, const char *name);
    void *is_taken_self;
};

struct secrets *secrets_new(void)
{
    struct secrets *secrets = mem_new(struct secrets);

    name_marks_init(&secrets->literals);
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    struct spelling *spelling, *next_spelling;
    struct taken_name *name, *next_name;

    if (secrets == NULL)
        return;
    HASH_ITER (hh, secrets->spellings, spelling, next_spelling) {
        HASH_DEL(secrets->spellings, spelling);
        mem_free(spelling->key);
        mem_free(spelling->name);
        mem_free(spelling);
    }
    HASH_ITER (hh, secrets->names, name, next_name) {
        HASH_DEL(secrets->names, name);
        mem_free(name->name);
        mem_free(name);
    }
    for (size_t i = 0; i < secrets->count; i++) {
        mem_free((char *)secrets->entries[i].secret.name);
        mem_free((char *)secrets->entries[i].secret.value.ptr);
        mem_free(secrets->entries[i].base);
    }
    strbuf_clear(&secrets->bodies);
    secret_patterns_free(secrets->patterns);
    secret_match_free(secrets->match);
    mem_free(secrets->searched);
    mem_free(secrets->entries);
    mem_free(secrets->slots);
    name_marks_clear(&secrets->literals);
    mem_free(secrets);
}

bool secrets_load_patterns(struct secrets *secrets, const char *path, struct err *err)
{
    return secret_patterns_load(path, &secrets->patterns, err);
}

/* --- by value ------------------------------------------------------------------------------------------ */

static uint32_t *slot_of(const struct secrets *secrets, struct span value)
{
    size_t at = (size_t)XXH3_64bits(value.ptr, value.len) & (secrets->slot_cap - 1);

    while (secrets->slots[at] != 0 && !span_eq(secrets->entries[secrets->slots[at] - 1].secret.value, value))
        at = (at + 1) & (secrets->slot_cap - 1);
    return &secrets->slots[at];
}

static const struct entry *find_value(const struct secrets *secrets, struct span value)
{
    uint32_t slot = secrets->count != 0 ? *slot_of(secrets, value) : 0;

    return slot != 0 ? &secrets->entries[slot - 1] : NULL;
}

static void grow(struct secrets *secrets)
{
    if (secrets->count == secrets->cap) {
        secrets->cap = secrets->cap != 0 ? secrets->cap * 2 : 64;
        secrets->entries = mem_realloc(secrets->entries, secrets->cap * sizeof(*secrets->entries));
    }
    if (secrets->count * 3 < secrets->slot_cap * 2)
        return;
    mem_free(secrets->slots);
    secrets->slot_cap = secrets->slot_cap != 0 ? secrets->slot_cap * 2 : 128;
    secrets->slots = mem_array(uint32_t, secrets->slot_cap);
    for (size_t i = 0; i < secrets->count; i++)
        *slot_of(secrets, secrets->entries[i].secret.value) = (uint32_t)i + 1;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

/* Exchanges beyond have their bodies walked each time. */
#define MAX_BODIES_OF (16u * 1024 * 1024)

enum { BODY_IS_KNOWN = 1, BODY_HAS_PLACES = 2, BODY_BITS = 2 };

/* Of what body, as an index: of requests even, of responses odd. SIZE_MAX: it is none that is remembered. */
static size_t body_of(const struct secret_text *text)
{
    if (!text->is_body || text->record == NULL || text->record->seq == 0 ||
        text->record->seq >= MAX_BODIES_OF)
        return SIZE_MAX;
    return (size_t)text->record->seq * 2 + text->is_response;
}

static void remember_body(struct secrets *secrets, const struct secret_text *text, bool has_places)
{
    size_t body = body_of(text), byte = body / 4;

    if (body == SIZE_MAX)
        return;
    if (byte >= secrets->bodies.len) {
        size_t more = byte + 1 - secrets->bodies.len;
        memset(strbuf_reserve(&secrets->bodies, more), 0, more);
        secrets->bodies.len += more;
    }
    secrets->bodies.ptr[byte] |=
        (char)((BODY_IS_KNOWN | (has_places ? BODY_HAS_PLACES : 0)) << (body % 4 * BODY_BITS));
}

bool secrets_may_have_places(const struct secrets *secrets, const struct secret_text *text)
{
    size_t body = body_of(text);

    return body == SIZE_MAX || body / 4 >= secrets->bodies.len ||
           ((unsigned char)secrets->bodies.ptr[body / 4] >> (body % 4 * BODY_BITS) &
            (BODY_IS_KNOWN | BODY_HAS_PLACES)) != BODY_IS_KNOWN;
}

/* --- names --------------------------------------------------------------------------------------------- */

/* "X-Api-Key" is "ApiKey", "access_token" is "AccessToken". */
static void add_camel(struct strbuf *out, struct span name)
{
    size_t begin = out->len;
    bool is_upper = true;

    if (span_istarts(name, SPAN("x-")))
        name = span_from(name, 2);
    for (size_t i = 0; i < name.len && out->len < MAX_NAME_BYTES; i++) {
        char c = name.ptr[i];
        bool is_lower = c >= 'a' && c <= 'z';

        if (!is_lower && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) {
            is_upper = true;
            continue;
        }
        strbuf_add_char(out, is_upper && is_lower ? (char)(c - 'a' + 'A') : c);
        is_upper = false;
    }
    if (out->len == begin)
        strbuf_add_str(out, "Secret");
}

/* "apiShop" of api.shop.test; names of variables of base URLs are made of the same. */
static void add_label(struct strbuf *out, const struct record *record)
{
    static const char end[] = "BaseUrl";

    if (record == NULL || record->host.len == 0) {
        strbuf_add_str(out, "weir");
        return;
    }
    naming_add_variable(out, record);
    out->len -= sizeof end - 1;
    out->ptr[out->len] = '\0';
    if (out->len > MAX_NAME_BYTES / 2)
        out->len = MAX_NAME_BYTES / 2;
}

static char *base_name(const struct secret_text *text, struct span name)
{
    struct strbuf out = STRBUF_EMPTY;

    add_label(&out, text->record);
    add_camel(&out, name);
    return strbuf_detach(&out);
}

/* What a leaf's secret is called after. */
static struct span leaf_word(const struct secret_leaf *leaf, enum secret_kind kind)
{
    if (leaf->place != SECRET_PLACE_AUTH)
        return leaf->name;
    return kind == SECRET_BEARER  ? SPAN("Bearer")
           : kind == SECRET_BASIC ? SPAN("Basic")
                                  : SPAN("Authorization");
}

static bool is_name_free(const struct secrets *secrets, const char *name)
{
    struct taken_name *found;
    struct secret_found in_it;

    HASH_FIND_STR(secrets->names, name, found);
    return found == NULL && !name_marks_may_have(&secrets->literals, span_of(name)) &&
           (secrets->is_taken == NULL || !secrets->is_taken(secrets->is_taken_self, name)) &&
           !secret_match_find(secrets->match, span_of(name), 0, &in_it);
}

static struct taken_name *take_name(struct secrets *secrets, const char *name)
{
    struct taken_name *taken = mem_new(struct taken_name);

    taken->name = mem_strdup(name);
    taken->next = 2;
    HASH_ADD_KEYPTR(hh, secrets->names, taken->name, strlen(taken->name), taken);
    return taken;
}

/* A name that has a secret in it would tell it. */
static char *unique_name(struct secrets *secrets, const char *base)
{
    struct secret_found in_it;
    struct taken_name *like;
    char *name;

    if (secret_match_find(secrets->match, span_of(base), 0, &in_it))
        base = "secret";
    HASH_FIND_STR(secrets->names, base, like);
    if (like == NULL) {
        bool is_free = is_name_free(secrets, base);

        like = take_name(secrets, base);
        if (is_free)
            return mem_strdup(base);
    }
    name = mem_printf("%s_%u", base, like->next++);
    while (!is_name_free(secrets, name)) {
        mem_free(name);
        name = mem_printf("%s_%u", base, like->next++);
    }
    take_name(secrets, name);
    return name;
}

/* --- collecting ---------------------------------------------------------------------------------------- */

struct collecting {
    struct secrets *secrets;
    const struct secret_text *text;
    struct err *err;
    bool has_places;
    bool has_failed;
};

static void add(struct collecting *collecting, struct span value, enum secret_kind kind, bool is_everywhere,
                struct span word, bool is_whole_name)
{
    struct secrets *secrets = collecting->secrets;
    struct entry *entry = (struct entry *)find_value(secrets, value);

    if (collecting->has_failed)
        return;
    is_everywhere = is_everywhere && value.len >= SECRET_MATCH_MIN && value.len <= SECRET_MATCH_MAX;
    if (entry != NULL) {
        entry->secret.is_everywhere |= is_everywhere;
        return;
    }
    if (secrets->count == SECRETS_MAX_COUNT || secrets->bytes + value.len > SECRETS_MAX_BYTES) {
        collecting->has_failed = true;
        err_set(collecting->err, ERR_LIMIT,
                "more than %u different secrets, or %u MiB of them: take fewer exchanges by --filter, or "
                "--secrets keep",
                SECRETS_MAX_COUNT, SECRETS_MAX_BYTES / (1024 * 1024));
        return;
    }
    grow(secrets);
    entry = &secrets->entries[secrets->count];
    *entry = (struct entry){ .secret = { .value = span_make(mem_spandup(value), value.len),
                                         .kind = kind,
                                         .is_everywhere = is_everywhere },
                             .base = is_whole_name ? mem_spandup(word) : base_name(collecting->text, word) };
    *slot_of(secrets, value) = (uint32_t)++secrets->count;
    secrets->bytes += value.len;
}

static void look_at(struct collecting *collecting, struct span text)
{
    const struct secret_patterns *patterns = collecting->secrets->patterns;
    struct secret_look look;
    struct secret_pattern_found found;

    for (size_t at = 0; secret_rules_look(text, at, &look);
         at = (size_t)(look.text.ptr + look.text.len - text.ptr))
        add(collecting, look.text, look.kind, true, span_of(look.name), false);
    for (size_t i = 0; i < secret_patterns_count(patterns); i++)
        for (size_t at = 0; secret_patterns_find(patterns, i, text, at, &found); at = found.end)
            if (found.text.len >= SECRET_MATCH_MIN)
                add(collecting, found.text, SECRET_PATTERN, true,
                    found.name.len != 0 ? found.name : SPAN("Secret"), found.name.len != 0);
}

static void take_leaf(void *self, const struct secret_leaf *leaf)
{
    struct collecting *collecting = self;
    const struct secret_text *text = collecting->text;
    enum secret_kind kind;
    enum secret_reach reach = secret_rules_judge(text, leaf, &kind);

    collecting->has_places = collecting->has_places || (reach != SECRET_NOT && leaf->spelled.len != 0);
    if (reach != SECRET_NOT)
        add(collecting, leaf->value, kind, reach == SECRET_EVERYWHERE, leaf_word(leaf, kind), false);
    if (leaf->value.ptr < text->text.ptr || leaf->value.ptr >= text->text.ptr + text->text.len)
        look_at(collecting, leaf->value); /* it is spelled in another way */
}

static bool mark_literal(void *self, struct span name)
{
    name_marks_add(self, name);
    return true;
}

bool secrets_add_text(struct secrets *secrets, const struct secret_text *text, struct err *err)
{
    struct collecting collecting = { .secrets = secrets, .text = text, .err = err };

    literals_scan_each(text->text, mark_literal, &secrets->literals);
    secret_text_each(text, take_leaf, &collecting);
    look_at(&collecting, text->text);
    remember_body(secrets, text, collecting.has_places);
    return !collecting.has_failed;
}

static bool add_fields(struct secrets *secrets, const struct record *record, enum http_role direction,
                       const struct record_fields *fields, struct err *err)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct secret_text text = secret_text_of_field(record, direction, &fields->items[i]);

        if (!secrets_add_text(secrets, &text, err))
            return false;
    }
    return true;
}

static bool add_body(struct secrets *secrets, const struct export_source *source, const struct record *record,
                     enum http_role direction, struct err *err)
{
    bool is_request = direction == HTTP_REQUEST, ok;
    struct secret_text text;
    struct content content;

    if (!content_read(source, is_request ? &record->request_body : &record->response_body,
                      is_request ? &record->request_headers : &record->response_headers, SECRETS_MAX_TEXT,
                      CONTENT_FRONT, &content, err))
        return false;
    text = secret_text_of_body(record, direction, strbuf_span(&content.front));
    ok = content.front.len == 0 || secrets_add_text(secrets, &text, err);
    content_clear(&content);
    return ok;
}

struct messages_of {
    struct secrets *secrets;
    const struct record *record;
};

static bool add_message(void *self, const struct record_message *message, struct err *err)
{
    struct messages_of *of = self;
    struct span bytes = message->payload;
    struct secret_text text;

    if (bytes.ptr == NULL)
        return true;
    bytes.len = bytes.len < SECRETS_MAX_TEXT ? bytes.len : SECRETS_MAX_TEXT;
    text = secret_text_of_message(of->record, message->direction, bytes);
    return secrets_add_text(of->secrets, &text, err);
}

static bool add_record(struct secrets *secrets, const struct export_source *source,
                       const struct record *record, struct err *err)
{
    struct secret_text query = secret_text_of_query(record);
    struct secret_text path = { .kind = SECRET_TEXT_PLAIN, .text = record->path, .record = record };
    struct secret_text interim = { .kind = SECRET_TEXT_PLAIN, .text = record->interim, .record = record };
    struct messages_of messages = { secrets, record };

    return secrets_add_text(secrets, &path, err) && secrets_add_text(secrets, &query, err) &&
           add_fields(secrets, record, HTTP_REQUEST, &record->request_headers, err) &&
           add_body(secrets, source, record, HTTP_REQUEST, err) &&
           add_fields(secrets, record, HTTP_REQUEST, &record->request_trailers, err) &&
           secrets_add_text(secrets, &interim, err) &&
           add_fields(secrets, record, HTTP_RESPONSE, &record->response_headers, err) &&
           add_body(secrets, source, record, HTTP_RESPONSE, err) &&
           add_fields(secrets, record, HTTP_RESPONSE, &record->response_trailers, err) &&
           (record->messages == 0 ||
            source->messages(source->self, record->seq, add_message, &messages, err));
}

bool secrets_collect(struct secrets *secrets, const struct export_source *source, struct err *err)
{
    const struct record *record;

    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        if (!add_record(secrets, source, record, err))
            return false;
    }
}

void secrets_seal(struct secrets *secrets, bool (*is_taken)(void *self, const char *name), void *self)
{
    secrets->searched = mem_array(struct span, secrets->count + 1);
    for (size_t i = 0; i < secrets->count; i++)
        if (secrets->entries[i].secret.is_everywhere)
            secrets->searched[i] = secrets->entries[i].secret.value;
    secrets->match = secret_match_new(secrets->searched, secrets->count);
    secrets->is_taken = is_taken;
    secrets->is_taken_self = self;
    for (size_t i = 0; i < secrets->count; i++) {
        struct entry *entry = &secrets->entries[i];

        entry->secret.name = unique_name(secrets, entry->base);
        mem_free(entry->base);
        entry->base = NULL;
    }
}

size_t secrets_count(const struct secrets *secrets)
{
    return secrets->count;
}

const struct secret *secrets_at(const struct secrets *secrets, size_t i)
{
    return &secrets->entries[i].secret;
}

const struct secret_match *secrets_match(const struct secrets *secrets)
{
    return secrets->match;
}

const struct secret *secrets_of_match(const struct secrets *secrets, size_t value)
{
    return &secrets->entries[value].secret;
}

const struct secret *secrets_find(const struct secrets *secrets, struct span value)
{
    const struct entry *entry = find_value(secrets, value);

    return entry != NULL ? &entry->secret : NULL;
}

/* --- variables ----------------------------------------------------------------------------------------- */

static size_t index_of(const struct secrets *secrets, const struct secret *secret)
{
    return (size_t)((const struct entry *)(const void *)secret - secrets->entries);
}

const char *secrets_variable(struct secrets *secrets, const struct secret_piece *piece)
{
    size_t i = index_of(secrets, piece->secret);
    struct strbuf key = STRBUF_EMPTY;
    struct spelling *spelling;
    char *base;

    if (span_eq(piece->text, piece->secret->value)) {
        secrets->entries[i].is_used = true;
        return piece->secret->name;
    }
    strbuf_printf(&key, "%zu ", i);
    strbuf_add(&key, piece->text);
    HASH_FIND(hh, secrets->spellings, strbuf_text(&key), key.len, spelling);
    if (spelling == NULL && secrets->spelling_count < SECRETS_MAX_SPELLINGS) {
        spelling = mem_new(struct spelling);
        spelling->len = key.len;
        spelling->key = strbuf_detach(&key);
        spelling->secret = i;
        base = mem_printf("%s_%s", piece->secret->name, secret_form_name(piece->form));
        spelling->name = unique_name(secrets, base);
        mem_free(base);
        HASH_ADD_KEYPTR(hh, secrets->spellings, spelling->key, spelling->len, spelling);
        secrets->spelling_count++;
    }
    strbuf_clear(&key);
    if (spelling != NULL)
        return spelling->name;
    secrets->entries[i].is_used = true;
    return piece->secret->name;
}

void secrets_each_variable(const struct secrets *secrets, bool only_used,
                           void (*each)(void *self, const char *name, struct span value,
                                        const struct secret *secret),
                           void *self)
{
    for (size_t i = 0; i < secrets->count; i++)
        if (!only_used || secrets->entries[i].is_used)
            each(self, secrets->entries[i].secret.name, secrets->entries[i].secret.value,
                 &secrets->entries[i].secret);
    for (const struct spelling *spelling = secrets->spellings; spelling != NULL;
         spelling = spelling->hh.next) {
        struct span key = span_make(spelling->key, spelling->len);

        each(self, spelling->name, span_from(key, span_find(key, ' ') + 1),
             &secrets->entries[spelling->secret].secret);
    }
}
