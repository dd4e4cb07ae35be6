#include "capture/export/links.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "capture/export/collection.h"
#include "capture/export/content.h"
#include "capture/export/credential.h"
#include "capture/export/endpoints.h"
#include "capture/export/link_issue.h"
#include "capture/export/links_found.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* An item, by the exchange that represents it. */
struct carrier {
    uint32_t seq, place; /* see survey_item */
};

struct finding {
    struct export_job *job;
    struct survey *survey;
    struct links *links;
    struct carrier *carriers; /* by seq */
    bool *is_written;         /* by place: whether there is such an item */
    uint64_t *seen;           /* a bit for each value that is carried, and by chance for others: SEEN_BITS */
    size_t cursor;            /* among carriers */
    const struct record *record;
    bool is_full, has_credentials;

    /* of the request that is looked at */
    const struct carrier *carrier; /* NULL: it is no item's */
    const struct secret_text *text;
    bool is_form;

    /* of the response */
    size_t place; /* of its item */
    bool led_on;
};

/* --- the texts of a request ---------------------------------------------------------------------------- */

static bool may_have_values(struct span type)
{
    static const struct span other[] = { { "image/", 6 },           { "video/", 6 },
                                         { "audio/", 6 },           { "font/", 5 },
                                         { "text/css", 8 },         { "application/octet-stream", 24 },
                                         { "text/javascript", 15 }, { "application/javascript", 22 } };

    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (span_starts(type, other[i]))
            return false;
    return true;
}

static void look_at_text(struct finding *finding, const struct secret_text *text,
                         void (*each)(void *self, const struct link_place *place))
{
    finding->text = text;
    link_places_of_text(text, each, finding);
    finding->text = NULL;
}

static bool look_at_body(struct finding *finding, void (*each)(void *self, const struct link_place *place),
                         struct err *err)
{
    const struct record *record = finding->record;
    struct secret_text text;
    struct content content;

    if (record->request_body.id == 0 || record->request_body.bytes > COLLECTION_MAX_TEXT_BYTES ||
        !may_have_values(record->request_type))
        return true;
    if (!content_read(finding->job->source, &record->request_body, &record->request_headers,
                      COLLECTION_MAX_TEXT_BYTES, CONTENT_FRONT, &content, err))
        return false;
    if (content.is_whole && !content.is_undecoded && content.is_text) {
        text = secret_text_of_body(record, HTTP_REQUEST, strbuf_span(&content.front));
        finding->is_form = text.kind == SECRET_TEXT_QUERY;
        look_at_text(finding, &text, each);
        finding->is_form = false;
    }
    content_clear(&content);
    return true;
}

struct fields {
    struct finding *finding;
    const struct record_field *field;
    struct policy_facts facts;
    bool has_facts; /* most fields hold nothing for which it matters whether they are sent */
    void (*each)(void *self, const struct link_place *place);
};

static void take_of_field(void *self, const struct link_place *place)
{
    struct fields *fields = self;
    const struct finding *finding = fields->finding;

    if (!fields->has_facts)
        policy_facts_init(&fields->facts, finding->record, finding->job->options->keep_browser_headers);
    fields->has_facts = true;
    if (link_place_takes_field(&fields->facts, fields->field))
        fields->each(fields->finding, place);
}

static void look_at_fields(struct finding *finding, void (*each)(void *self, const struct link_place *place))
{
    const struct record_fields *headers = &finding->record->request_headers;
    struct fields fields = { .finding = finding, .each = each };

    for (size_t i = 0; i < headers->count; i++) {
        struct secret_text text = secret_text_of_field(finding->record, HTTP_REQUEST, &headers->items[i]);

        fields.field = &headers->items[i];
        if (!span_ieq(fields.field->name, SPAN("Cookie")))
            link_places_of_text(&text, take_of_field, &fields);
    }
}

static bool look_at_request(struct finding *finding, void (*each)(void *self, const struct link_place *place),
                            struct err *err)
{
    const struct record *record = finding->record;
    struct template_path path = { .count = 0 };
    struct secret_text text = secret_text_of_query(record);

    template_path_of(finding->survey->template, record->host, record->port, record->path, &path);
    link_places_of_path(record, &path, each, finding);
    template_path_clear(&path);
    look_at_text(finding, &text, each);
    look_at_fields(finding, each);
    return look_at_body(finding, each, err);
}

/* --- the first pass: what items carry ------------------------------------------------------------------ */

/* Most values that are issued are carried by nobody, which costs less to know than their keys do. */
#define SEEN_BITS ((size_t)1 << 23)

static uint64_t *seen_word(const struct finding *finding, struct span value, uint64_t *out_bit)
{
    uint64_t hash = XXH3_64bits(value.ptr, value.len);

    *out_bit = (uint64_t)1 << (hash & 63);
    return &finding->seen[hash >> 6 & (SEEN_BITS / 64 - 1)];
}

static bool replaces_others(const struct link_place *place)
{
    return place->is_secret || place->kind == LINK_AUTH || place->kind == LINK_FIELD;
}

/* Of requests that are merged into an item only what one of that item's may replace: the token of the first
 * of two refreshes. */
static void take_carried(void *self, const struct link_place *place)
{
    struct finding *finding = self;

    uint64_t bit;

    if (finding->carrier == NULL && !replaces_others(place))
        return;
    for (size_t i = 0; i < place->key_count; i++) {
        if (link_table_add(&finding->links->table, place->keys[i]))
            *seen_word(finding, place->value, &bit) |= bit;
        else
            finding->is_full = true;
    }
}

/* The item that this exchange represents; NULL: none. */
static const struct carrier *find_carrier(struct finding *finding, uint32_t seq)
{
    size_t count = finding->survey->count;

    if (finding->cursor < count && finding->carriers[finding->cursor].seq > seq)
        finding->cursor = 0;
    while (finding->cursor < count && finding->carriers[finding->cursor].seq < seq)
        finding->cursor++;
    return finding->cursor < count && finding->carriers[finding->cursor].seq == seq
               ? &finding->carriers[finding->cursor]
               : NULL;
}

/* All exchanges that can be items, one after the other. */
static bool pass(struct finding *finding, bool (*look)(struct finding *finding, struct err *err),
                 struct err *err)
{
    const struct export_source *source = finding->job->source;
    enum export_reason why;

    finding->cursor = 0;
    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &finding->record, err))
            return false;
        if (finding->record == NULL)
            return true;
        if (!survey_takes(finding->record, &why))
            continue;
        finding->carrier = find_carrier(finding, finding->record->seq);
        if (!look(finding, err))
            return false;
    }
}

static bool look_at_merged(struct finding *finding, struct err *err)
{
    size_t item;

    return finding->carrier != NULL ||
           !dedup_find_item(finding->survey->dedup, finding->record->seq, &item) ||
           look_at_request(finding, take_carried, err);
}

/* Items first: what they carry is kept whatever else there is. */
static bool first_pass(struct finding *finding, struct err *err)
{
    const struct export_source *source = finding->job->source;

    for (size_t i = 0; i < finding->survey->count; i++) {
        finding->carrier = &finding->carriers[i];
        if (!source->at(source->self, finding->carrier->seq, &finding->record, err))
            return false;
        /* While a session records, an exchange may go between two passes. */
        if (finding->record != NULL && !look_at_request(finding, take_carried, err))
            return false;
    }
    return survey_is_flat(finding->job->options) || pass(finding, look_at_merged, err);
}

/* --- the second pass: who issued it -------------------------------------------------------------------- */

static enum link_spelling spelling_of(const struct link_place *place)
{
    if (span_eq(place->value, place->spelled))
        return LINK_RAW;
    return place->kind == LINK_LEAF ? LINK_ESCAPED : LINK_PERCENT;
}

/* In a form that newman encodes again there is the value itself. */
static bool is_encoded_again(struct finding *finding)
{
    struct hidden hidden;
    bool is_canonical;

    if (!finding->is_form)
        return false;
    hidden_init(&hidden, finding->job->secrets, finding->text);
    is_canonical = body_is_canonical_form(&hidden, finding->text->text);
    hidden_clear(&hidden);
    return is_canonical;
}

/* Credentials replace one another where they are sent in the same way to the same host. */
static uint64_t role_of(const struct record *record, const struct link_place *place)
{
    struct link_name name = { .len = 0 };
    XXH64_hash_t hash = place->kind == LINK_AUTH;

    if (!replaces_others(place))
        return 0;
    link_name_add(&name, place->name);
    hash = XXH3_64bits_withSeed(record->host.ptr, record->host.len, hash ^ ((uint64_t)record->port << 8));
    return XXH3_64bits_withSeed(name.text, name.len, hash) | 1;
}

static char *variable_name(struct span name)
{
    struct strbuf out = STRBUF_EMPTY;
    bool is_upper = false;

    if (span_istarts(name, SPAN("x-")))
        name = span_from(name, 2);
    for (size_t i = 0; i < name.len && out.len < LINK_MAX_NAME; i++) {
        char c = name.ptr[i];
        bool is_small = c >= 'a' && c <= 'z', is_capital = c >= 'A' && c <= 'Z';

        if (!is_small && !is_capital && !(c >= '0' && c <= '9' && out.len != 0)) {
            is_upper = out.len != 0;
            continue;
        }
        if (is_capital &&
            (out.len == 0 || (i + 1 < name.len && name.ptr[i - 1] >= 'A' && name.ptr[i - 1] <= 'Z')))
            c = (char)(c - 'A' + 'a');
        strbuf_add_char(&out, is_upper && is_small ? (char)(c - 'a' + 'A') : c);
        is_upper = false;
    }
    return out.len != 0 ? strbuf_detach(&out) : mem_strdup("issued");
}

/* "id" says less than "orderId". */
static void improve_name(struct link_found *found, const struct link_place *place)
{
    struct link_name name = { .len = 0 };

    link_name_add(&name, span_of(found->name));
    if (place->name.len == 0 ||
        (place->kind != LINK_SEGMENT && name.len > 2 && strcmp(found->name, "issued") != 0))
        return;
    mem_free(found->name);
    found->name = variable_name(place->name);
}

static void note_use(struct finding *finding, const struct link_found *found, const struct link_place *place)
{
    struct links *links = finding->links;

    if (survey_is_flat(finding->job->options))
        return;
    if (links->use_count == links->use_cap) {
        links->use_cap = links->use_cap != 0 ? links->use_cap * 2 : 64;
        links->uses = mem_realloc(links->uses, links->use_cap * sizeof(*links->uses));
    }
    links->uses[links->use_count++] =
        (struct link_use){ .link = (uint32_t)(found - links->found),
                           .place = finding->carrier->place,
                           .is_last = place->kind == LINK_SEGMENT &&
                                      span_eq(finding->record->method, SPAN("DELETE")) };
}

static void add_use(struct finding *finding, struct link_found *found, const struct link_place *place)
{
    enum link_spelling spelling = spelling_of(place);

    if (found->link.uses == 0)
        improve_name(found, place);
    found->is_secret = found->is_secret || place->is_secret;
    finding->has_credentials = finding->has_credentials || place->kind == LINK_AUTH ||
                               place->kind == LINK_FIELD || place->kind == LINK_PAIR;
    if (found->values[spelling] == NULL && !(spelling == LINK_PERCENT && is_encoded_again(finding)))
        found->values[spelling] = mem_spandup(place->spelled);
    if (found->link.uses != 0 && found->last_use == finding->record->seq)
        return; /* twice in one request */
    if (found->link.uses < LINK_MAX_USERS)
        found->link.users[found->link.uses] = finding->record->seq;
    found->link.uses++;
    found->last_use = finding->record->seq;
    note_use(finding, found, place);
}

static void take_sent(void *self, const struct link_place *place)
{
    struct finding *finding = self;
    struct links *links = finding->links;
    bool is_used = false;

    for (size_t i = 0; i < place->key_count; i++) {
        struct link_slot *slot = link_table_find(&links->table, place->keys[i]);

        if (slot == NULL || slot->link == LINK_OWN)
            continue;
        if (slot->link == LINK_AWAITED) {
            slot->link = LINK_OWN;
            continue;
        }
        slot->last_use = finding->record->seq;
        if (is_used)
            continue;
        is_used = true;
        if (links->found[slot->link].role == 0)
            links->found[slot->link].role = role_of(finding->record, place);
        if (finding->carrier != NULL)
            add_use(finding, &links->found[slot->link], place);
    }
}

/* What a script may hold, and a collection: no secret that it is not a variable of. */
static bool tells_secret(const struct finding *finding, struct span text)
{
    struct secret_text plain = { .kind = SECRET_TEXT_PLAIN, .text = text };

    return finding->job->secrets != NULL && secrets_are_in(finding->job->secrets, &plain);
}

/* LINK_AWAITED: it can't be one. */
static uint32_t new_link(struct finding *finding, const struct link_issue *issue)
{
    struct links *links = finding->links;
    struct strbuf read = STRBUF_EMPTY, where = STRBUF_EMPTY;
    struct secrets *secrets = finding->job->secrets;
    struct link_found *found;
    const struct secret *secret = secrets != NULL ? secrets_find(secrets, issue->value) : NULL;
    bool is_secret = secret != NULL && secret->is_everywhere;

    if (links->found_count == LINKS_MAX) {
        finding->is_full = true;
        return LINK_AWAITED;
    }
    if ((!is_secret && tells_secret(finding, issue->value)) || !utf8_is_valid(issue->value) ||
        memchr(issue->value.ptr, '\0', issue->value.len) != NULL || !link_issue_add_read(issue, &read) ||
        tells_secret(finding, strbuf_span(&read))) {
        strbuf_clear(&read);
        return LINK_AWAITED;
    }
    if (links->found_count == links->found_cap) {
        links->found_cap = links->found_cap != 0 ? links->found_cap * 2 : 64;
        links->found = mem_realloc(links->found, links->found_cap * sizeof(*links->found));
    }
    link_issue_add_where(issue, &where);
    found = &links->found[links->found_count];
    *found = (struct link_found){ .link = { .place = (uint32_t)finding->place, .seq = finding->record->seq },
                                  .name = variable_name(issue->name) };
    found->read_hash = XXH3_64bits_withSeed(strbuf_text(&read), read.len, finding->place);
    found->link.read = strbuf_detach(&read);
    found->link.where = strbuf_detach(&where);
    found->values[LINK_RAW] = mem_spandup(issue->value);
    return (uint32_t)links->found_count++;
}

static void take_issued(void *self, const struct link_issue *issue)
{
    struct finding *finding = self;
    uint64_t keys[LINK_MAX_ISSUE_KEYS];
    uint32_t link = LINK_AWAITED;
    size_t count = 0;
    uint64_t bit;

    if ((*seen_word(finding, issue->value, &bit) & bit) != 0)
        count = link_issue_keys(issue, keys);

    for (size_t i = 0; i < count; i++) {
        struct link_slot *slot = link_table_find(&finding->links->table, keys[i]);

        if (slot == NULL || slot->link != LINK_AWAITED)
            continue;
        if (link == LINK_AWAITED)
            link = new_link(finding, issue);
        slot->link = link;
    }
}

/* Whether the values of a body may be read as they were is known at its end: those that it issued are awaited
 * again if not. */
static void forget_issued(struct finding *finding, size_t from)
{
    struct link_table *table = &finding->links->table;

    for (size_t i = 0; i < table->cap; i++)
        if (table->slots[i].key != 0 && table->slots[i].link < LINK_OWN && table->slots[i].link >= from)
            table->slots[i].link = LINK_AWAITED;
}

static bool look_at_response(struct finding *finding, struct err *err)
{
    const struct record *record = finding->record;
    struct content content;
    size_t from;

    link_issues_of_head(record, finding->led_on, take_issued, finding);
    if (finding->led_on || record->response_body.id == 0 || !may_have_values(record->response_type))
        return true;
    if (!content_read(finding->job->source, &record->response_body, &record->response_headers,
                      ENDPOINTS_MAX_LOOK_BYTES, CONTENT_FRONT, &content, err))
        return false;
    from = finding->links->found_count;
    if (!content.is_undecoded &&
        !link_issues_of_body(record, strbuf_span(&content.front),
                             !content.is_whole || record->response_body.kept < record->response_body.bytes,
                             take_issued, finding) &&
        from < finding->links->found_count)
        forget_issued(finding, from);
    content_clear(&content);
    return true;
}

static bool look_at(struct finding *finding, struct err *err)
{
    const struct record *record = finding->record;

    if (!look_at_request(finding, take_sent, err))
        return false;
    if (!dedup_find_item(finding->survey->dedup, record->seq, &finding->place) ||
        !finding->is_written[finding->place])
        return true;
    /* Where newman follows a redirect, its script sees what that led to. */
    finding->led_on = record->status >= 300 && record->status < 400 && record->status != 304 &&
                      !survey_is_flat(finding->job->options);
    return look_at_response(finding, err);
}

static bool second_pass(struct finding *finding, struct err *err)
{
    return finding->links->table.count == 0 || pass(finding, look_at, err);
}

/* --- both ---------------------------------------------------------------------------------------------- */

static int by_seq(const void *a, const void *b)
{
    const struct carrier *x = a, *y = b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void list_carriers(struct finding *finding)
{
    const struct survey *survey = finding->survey;

    finding->carriers = mem_array(struct carrier, survey->count + 1);
    finding->is_written = mem_array(bool, dedup_count(survey->dedup) + 1);
    for (size_t i = 0; i < survey->count; i++) {
        finding->carriers[i] =
            (struct carrier){ .seq = survey->items[i].seq, .place = survey->items[i].place };
        finding->is_written[survey->items[i].place] = true;
    }
    qsort(finding->carriers, survey->count, sizeof(*finding->carriers), by_seq);
}

/* The last use of each value, by its keys. */
static void note_last_uses(struct links *links)
{
    for (size_t i = 0; i < links->table.cap; i++) {
        const struct link_slot *slot = &links->table.slots[i];

        if (slot->key != 0 && slot->link < LINK_OWN && slot->last_use > links->found[slot->link].last_use)
            links->found[slot->link].last_use = slot->last_use;
    }
}

bool links_find(struct export_job *job, struct survey *survey, struct links **out_links, struct err *err)
{
    struct finding finding = { .job = job, .survey = survey, .links = mem_new(struct links) };
    bool ok;

    link_table_init(&finding.links->table, LINKS_MAX_CARRIED);
    finding.seen = mem_array(uint64_t, SEEN_BITS / 64);
    list_carriers(&finding);
    ok = first_pass(&finding, err) && second_pass(&finding, err);
    if (ok) {
        note_last_uses(finding.links);
        links_settle(finding.links, job, survey);
        if (finding.is_full)
            job_count(job, EXPORT_LINKS_MANY, "%u values", LINKS_MAX_CARRIED);
        if (finding.has_credentials)
            ok = survey_see_credentials(survey, job, finding.links, err);
    }
    mem_free(finding.carriers);
    mem_free(finding.is_written);
    mem_free(finding.seen);
    if (!ok) {
        links_free(finding.links);
        return false;
    }
    *out_links = finding.links;
    return true;
}

void links_free(struct links *links)
{
    if (links == NULL)
        return;
    for (size_t i = 0; i < links->found_count; i++) {
        mem_free(links->found[i].link.read);
        mem_free(links->found[i].link.where);
        mem_free(links->found[i].name);
        for (int s = 0; s < LINK_SPELLINGS; s++)
            mem_free(links->found[i].values[s]);
    }
    for (size_t i = 0; i < links->variable_count; i++) {
        for (int s = 0; s < LINK_SPELLINGS; s++) {
            mem_free(links->variables[i].names[s]);
            mem_free(links->variables[i].values[s]);
        }
    }
    link_table_clear(&links->table);
    mem_free(links->found);
    mem_free(links->variables);
    mem_free(links->uses);
    mem_free(links->order);
    mem_free(links);
}

/* --- marking ------------------------------------------------------------------------------------------- */

struct marking {
    const struct links *links;
    struct hidden *hidden;
};

static void mark(void *self, const struct link_place *place)
{
    struct marking *marking = self;
    enum link_spelling spelling = spelling_of(place);

    for (size_t i = 0; i < place->key_count; i++) {
        const struct link_slot *slot = link_table_find(&marking->links->table, place->keys[i]);
        const struct link_variable *variable;

        if (slot == NULL || slot->link >= LINK_OWN || !marking->links->found[slot->link].is_kept)
            continue;
        variable = &marking->links->variables[marking->links->found[slot->link].link.variable];
        /* Without a variable of that spelling, it is a form that asks for the value. */
        hidden_put(marking->hidden, place->spelled,
                   variable->names[spelling] != NULL ? &variable->shown[spelling]
                                                     : &variable->shown[LINK_RAW]);
        return;
    }
}

void links_mark(const struct links *links, const struct secret_text *text, struct hidden *hidden)
{
    struct marking marking = { links, hidden };

    if (links != NULL && links->variable_count != 0)
        link_places_of_text(text, mark, &marking);
}

void links_mark_path(const struct links *links, const struct record *record, const struct template_path *path,
                     struct hidden *hidden)
{
    struct marking marking = { links, hidden };

    if (links != NULL && links->variable_count != 0)
        link_places_of_path(record, path, mark, &marking);
}

/* --- what was found ------------------------------------------------------------------------------------ */

size_t links_variable_count(const struct links *links)
{
    return links->variable_count;
}

const struct link_variable *links_variable(const struct links *links, size_t i)
{
    return &links->variables[i];
}

size_t links_count(const struct links *links)
{
    return links->kept_count;
}

const struct link *links_at(const struct links *links, size_t i)
{
    return &links->found[links->order[i]].link;
}

size_t links_of_item(const struct links *links, uint32_t place, size_t *out_begin)
{
    size_t low = 0, high = links->kept_count, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (links_at(links, middle)->place < place)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < links->kept_count && links_at(links, end)->place == place;)
        end++;
    *out_begin = low;
    return end - low;
}
