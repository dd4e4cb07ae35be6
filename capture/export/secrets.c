/* Collecting: leaves are judged by their names, then the whole text is looked at. What is here only is known
 * by its value, too, but is asked for where a leaf is judged again, never searched. */
#include "capture/export/secrets.h"

#include <xxhash.h>

#include "capture/export/content.h"
#include "capture/export/literals.h"
#include "capture/export/name_marks.h"
#include "capture/export/naming.h"
#include "capture/export/secret_patterns.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

#define MAX_NAME_BYTES 64

/* Values lie one behind the other in blocks, which stay where they are. */
#define BLOCK_BYTES (64 * 1024)
struct block {
    struct block *next;
    size_t used, cap;
    char bytes[];
};

struct spelling {
    char *key; /* the index of the secret, then the text */
    size_t len;
    struct secret_name name;
    size_t secret;
    UT_hash_handle hh;
};

struct secrets {
    struct secret *list;
    size_t count, cap, bytes;
    struct block *blocks;
    uint32_t *slots; /* of list by value, open addressing; 0: free, else the index and 1 */
    size_t slot_cap;
    struct strbuf bodies; /* what is known of those of an exchange: four bits, by its number */
    struct secret_patterns *patterns;
    struct secret_match *match; /* NULL: not sealed */
    struct spelling *spellings;
    size_t spelling_count;
    struct secret_names *names;
    struct strbuf shown; /* the name that secrets_variable gave last */
    struct name_marks literals;
    bool (*is_taken)(void *self, const char *name);
    void *is_taken_self;
    const char *(*known)(void *self, struct span value);
    void *known_self;
};

struct secrets *secrets_new(void)
{
    struct secrets *secrets = mem_new(struct secrets);

    secrets->names = secret_names_new();
    name_marks_init(&secrets->literals);
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    struct spelling *spelling, *next_spelling;

    if (secrets == NULL)
        return;
    HASH_ITER (hh, secrets->spellings, spelling, next_spelling) {
        HASH_DEL(secrets->spellings, spelling);
        mem_free(spelling->key);
        mem_free(spelling);
    }
    while (secrets->blocks != NULL) {
        struct block *next = secrets->blocks->next;
        mem_free(secrets->blocks);
        secrets->blocks = next;
    }
    secret_names_free(secrets->names);
    strbuf_clear(&secrets->shown);
    strbuf_clear(&secrets->bodies);
    secret_patterns_free(secrets->patterns);
    secret_match_free(secrets->match);
    mem_free(secrets->list);
    mem_free(secrets->slots);
    name_marks_clear(&secrets->literals);
    mem_free(secrets);
}

bool secrets_load_patterns(struct secrets *secrets, const char *path, struct err *err)
{
    return secret_patterns_load(path, &secrets->patterns, err);
}

/* --- by value ------------------------------------------------------------------------------------------ */

static const char *keep(struct secrets *secrets, struct span value)
{
    struct block *block = secrets->blocks;

    if (block == NULL || block->cap - block->used < value.len) {
        size_t cap = value.len > BLOCK_BYTES ? value.len : BLOCK_BYTES;

        block = mem_alloc(sizeof *block + cap);
        block->next = secrets->blocks;
        block->used = 0;
        block->cap = cap;
        secrets->blocks = block;
    }
    memcpy(block->bytes + block->used, value.ptr, value.len);
    block->used += value.len;
    secrets->bytes += value.len;
    return block->bytes + block->used - value.len;
}

static uint32_t *slot_of(const struct secrets *secrets, struct span value)
{
    size_t at = (size_t)XXH3_64bits(value.ptr, value.len) & (secrets->slot_cap - 1);

    while (secrets->slots[at] != 0 && !span_eq(secret_value(&secrets->list[secrets->slots[at] - 1]), value))
        at = (at + 1) & (secrets->slot_cap - 1);
    return &secrets->slots[at];
}

static struct secret *find_value(const struct secrets *secrets, struct span value)
{
    uint32_t slot = secrets->count != 0 ? *slot_of(secrets, value) : 0;

    return slot != 0 ? &secrets->list[slot - 1] : NULL;
}

static void grow(struct secrets *secrets)
{
    if (secrets->count == secrets->cap) {
        secrets->cap = secrets->cap != 0 ? secrets->cap * 2 : 64;
        secrets->list = mem_realloc(secrets->list, secrets->cap * sizeof(*secrets->list));
    }
    if (secrets->count * 3 < secrets->slot_cap * 2)
        return;
    mem_free(secrets->slots);
    secrets->slot_cap = secrets->slot_cap != 0 ? secrets->slot_cap * 2 : 128;
    secrets->slots = mem_array(uint32_t, secrets->slot_cap);
    for (size_t i = 0; i < secrets->count; i++)
        *slot_of(secrets, secret_value(&secrets->list[i])) = (uint32_t)i + 1;
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

static uint32_t word_of(struct secrets *secrets, const struct secret_text *text, struct span name)
{
    struct strbuf out = STRBUF_EMPTY;
    uint32_t word;

    add_label(&out, text->record);
    add_camel(&out, name);
    word = secret_names_word(secrets->names, strbuf_span(&out));
    strbuf_clear(&out);
    return word;
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

static bool has_secret(const struct secrets *secrets, const char *name)
{
    struct secret_found found;

    return secret_match_find(secrets->match, span_of(name), 0, &found);
}

static bool may_be_name(void *self, const char *name)
{
    const struct secrets *secrets = self;

    return !name_marks_may_have(&secrets->literals, span_of(name)) &&
           (secrets->is_taken == NULL || !secrets->is_taken(secrets->is_taken_self, name)) &&
           !has_secret(secrets, name);
}

/* A name that has a secret in it would tell it. What is left then is too short to have any. */
static struct secret_name take_name(struct secrets *secrets, uint32_t word)
{
    static const char *const others[] = { "secret", "s" };

    for (size_t i = 0; i < 2 && has_secret(secrets, secret_names_text(secrets->names, word)); i++)
        word = secret_names_word(secrets->names, span_of(others[i]));
    return secret_names_take(secrets->names, word);
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
    struct secret *secret = find_value(secrets, value);

    if (collecting->has_failed)
        return;
    is_everywhere = is_everywhere && value.len >= SECRET_MATCH_MIN && value.len <= SECRET_MATCH_MAX;
    if (secret != NULL) {
        secret->is_everywhere |= is_everywhere;
        return;
    }
    if (secrets->count == SECRETS_MAX_COUNT || secrets->bytes + value.len > SECRETS_MAX_BYTES) {
        collecting->has_failed = true;
        err_set(collecting->err, ERR_LIMIT,
                "more than %u different secrets, or %u MiB of them: export parts of the session by --filter "
                "(for example one host, or a span of time), or everything as it is with --secrets keep",
                SECRETS_MAX_COUNT, SECRETS_MAX_BYTES / (1024 * 1024));
        return;
    }
    grow(secrets);
    secrets->list[secrets->count] =
        (struct secret){ .ptr = keep(secrets, value),
                         .len = (uint32_t)value.len,
                         .kind = (uint8_t)kind,
                         .is_everywhere = is_everywhere,
                         .name.word = is_whole_name ? secret_names_word(secrets->names, word)
                                                    : word_of(secrets, collecting->text, word) };
    *slot_of(secrets, value) = (uint32_t)++secrets->count;
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

static struct span value_at(const void *self, size_t i)
{
    return secret_value(&((const struct secrets *)self)->list[i]);
}

void secrets_keep_names(struct secrets *secrets, const char *(*known)(void *self, struct span value),
                        void *self)
{
    secrets->known = known;
    secrets->known_self = self;
}

static bool is_plain_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return len != 0 && len <= MAX_NAME_BYTES * 2 && name[len] == '\0';
}

static bool take_known_name(struct secrets *secrets, struct secret *secret)
{
    const char *name =
        secrets->known != NULL ? secrets->known(secrets->known_self, secret_value(secret)) : NULL;

    return name != NULL && is_plain_name(name) &&
           secret_names_take_whole(secrets->names, span_of(name), &secret->name);
}

void secrets_seal(struct secrets *secrets, bool (*is_taken)(void *self, const char *name), void *self)
{
    uint32_t *which = mem_array(uint32_t, secrets->count + 1);
    size_t count = 0;

    for (size_t i = 0; i < secrets->count; i++)
        if (secrets->list[i].is_everywhere)
            which[count++] = (uint32_t)i;
    secrets->match = secret_match_new(value_at, secrets, which, count);
    secrets->is_taken = is_taken;
    secrets->is_taken_self = self;
    secret_names_set_judge(secrets->names, may_be_name, secrets);
    /* Known names first: others could take them. */
    for (size_t i = 0; i < secrets->count; i++)
        secrets->list[i].is_named = take_known_name(secrets, &secrets->list[i]);
    for (size_t i = 0; i < secrets->count; i++)
        if (!secrets->list[i].is_named)
            secrets->list[i].name = take_name(secrets, secrets->list[i].name.word);
}

void secrets_add_name(const struct secrets *secrets, const struct secret *secret, struct strbuf *out)
{
    secret_names_add(secrets->names, secret->name, out);
}

void secrets_claim_name(struct secrets *secrets, const char *base, struct strbuf *out)
{
    secret_names_add(secrets->names, take_name(secrets, secret_names_word(secrets->names, span_of(base))),
                     out);
}

size_t secrets_count(const struct secrets *secrets)
{
    return secrets->count;
}

const struct secret *secrets_at(const struct secrets *secrets, size_t i)
{
    return &secrets->list[i];
}

const struct secret_match *secrets_match(const struct secrets *secrets)
{
    return secrets->match;
}

const struct secret *secrets_of_match(const struct secrets *secrets, size_t value)
{
    return &secrets->list[value];
}

const struct secret *secrets_find(const struct secrets *secrets, struct span value)
{
    return find_value(secrets, value);
}

/* --- variables ----------------------------------------------------------------------------------------- */

static struct spelling *add_spelling(struct secrets *secrets, const struct secret_piece *piece, size_t i,
                                     struct span key)
{
    struct spelling *spelling = mem_new(struct spelling);
    struct strbuf word = STRBUF_EMPTY;

    spelling->len = key.len;
    spelling->key = mem_spandup(key);
    spelling->secret = i;
    secrets_add_name(secrets, piece->secret, &word);
    strbuf_printf(&word, "_%s", secret_form_name(piece->form));
    spelling->name = take_name(secrets, secret_names_word(secrets->names, strbuf_span(&word)));
    strbuf_clear(&word);
    HASH_ADD_KEYPTR(hh, secrets->spellings, spelling->key, spelling->len, spelling);
    secrets->spelling_count++;
    return spelling;
}

/* NULL: there are too many. */
static const struct spelling *take_spelling(struct secrets *secrets, const struct secret_piece *piece,
                                            size_t i)
{
    struct strbuf key = STRBUF_EMPTY;
    struct spelling *spelling;

    strbuf_printf(&key, "%zu ", i);
    strbuf_add(&key, piece->text);
    HASH_FIND(hh, secrets->spellings, strbuf_text(&key), key.len, spelling);
    if (spelling == NULL && secrets->spelling_count < SECRETS_MAX_SPELLINGS)
        spelling = add_spelling(secrets, piece, i, strbuf_span(&key));
    strbuf_clear(&key);
    return spelling;
}

const char *secrets_variable(struct secrets *secrets, const struct secret_piece *piece)
{
    size_t i = (size_t)(piece->secret - secrets->list);
    const struct spelling *spelling =
        span_eq(piece->text, secret_value(piece->secret)) ? NULL : take_spelling(secrets, piece, i);

    secrets->list[i].is_used = secrets->list[i].is_used || spelling == NULL;
    strbuf_reset(&secrets->shown);
    secret_names_add(secrets->names, spelling != NULL ? spelling->name : piece->secret->name,
                     &secrets->shown);
    return strbuf_text(&secrets->shown);
}

void secrets_each_variable(const struct secrets *secrets, bool only_used,
                           void (*each)(void *self, const char *name, struct span value,
                                        const struct secret *secret),
                           void *self)
{
    struct strbuf name = STRBUF_EMPTY;

    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->list[i];

        if (only_used && !secret->is_used)
            continue;
        strbuf_reset(&name);
        secrets_add_name(secrets, secret, &name);
        each(self, strbuf_text(&name), secret_value(secret), secret);
    }
    for (const struct spelling *spelling = secrets->spellings; spelling != NULL;
         spelling = spelling->hh.next) {
        struct span key = span_make(spelling->key, spelling->len);

        strbuf_reset(&name);
        secret_names_add(secrets->names, spelling->name, &name);
        each(self, strbuf_text(&name), span_from(key, span_find(key, ' ') + 1),
             &secrets->list[spelling->secret]);
    }
    strbuf_clear(&name);
}
