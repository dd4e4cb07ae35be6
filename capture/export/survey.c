#include "capture/export/survey.h"

#include <stdlib.h>

#include "capture/export/content.h"
#include "capture/export/credential.h"
#include "capture/export/naming.h"
#include "capture/export/noise.h"
#include "capture/export/patterns.h"
#include "capture/export/text.h"
#include "capture/suffix.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

/* A host with so few items is easier to read without folders. */
#define SMALL_HOST_ITEMS 5
/* Bodies that can be text of a collection at all: see body_plan. */
#define MAX_SCANNED_BYTES (1024 * 1024)

/* --- origins ------------------------------------------------------------------------------------------- */

static void add_origin_url(struct strbuf *out, const struct record *record)
{
    strbuf_add(out, record->scheme);
    strbuf_add_str(out, "://");
    naming_add_host(out, record);
}

const struct survey_origin *survey_origin_of(const struct survey *survey, const struct record *record)
{
    struct strbuf url = STRBUF_EMPTY;
    struct survey_origin *origin;

    add_origin_url(&url, record);
    HASH_FIND_STR(survey->origins, strbuf_text(&url), origin);
    strbuf_clear(&url);
    return origin;
}

static void add_origin(struct survey *survey, const struct record *record)
{
    struct survey_origin *origin = (struct survey_origin *)survey_origin_of(survey, record);
    struct strbuf text = STRBUF_EMPTY;
    struct span site;

    if (origin == NULL) {
        origin = mem_new(struct survey_origin);
        add_origin_url(&text, record);
        origin->url = strbuf_detach(&text);
        naming_add_host(&text, record);
        origin->host = strbuf_detach(&text);
        naming_add_variable(&text, record);
        origin->variable = strbuf_detach(&text);
        HASH_ADD_KEYPTR(hh, survey->origins, origin->url, strlen(origin->url), origin);
    }
    if (noise_is(record->host, record->path))
        return;
    origin->count++;
    if (record_find(&record->request_headers, SPAN("Sec-Fetch-Site"), &site))
        origin->foreign += span_ieq(site, SPAN("cross-site"));
}

/* Another site's, and only pages of other sites called it; or nothing but noise. */
static bool is_third_party(const struct survey *survey, const struct survey_origin *origin,
                           const struct record *record)
{
    struct span main_host = span_of(survey->main->url);
    char *host, *other;
    bool is_same;

    if (origin->foreign < origin->count || origin == survey->main)
        return false;
    main_host = span_from(main_host, span_find(main_host, '/') + 2);
    if (main_host.len == 0 || main_host.ptr[0] != '[')
        main_host = span_sub(main_host, 0, span_find(main_host, ':'));
    host = mem_spandup(record->host);
    other = mem_spandup(main_host);
    is_same = suffix_same_site(host, other);
    mem_free(host);
    mem_free(other);
    return !is_same;
}

static bool is_name_taken(const struct survey *survey, const struct survey_origin *until, const char *name)
{
    if (literals_has(survey->literals, name) ||
        (until != survey->main && strcmp(survey->main->variable, name) == 0))
        return true;
    for (const struct survey_origin *origin = survey->origins; origin != until; origin = origin->hh.next)
        if (strcmp(origin->variable, name) == 0)
            return true;
    return false;
}

static void name_variable(struct survey *survey, struct survey_origin *origin)
{
    char *base = origin->variable;

    origin->variable = mem_strdup(base);
    for (unsigned n = 2; is_name_taken(survey, origin, origin->variable); n++) {
        mem_free(origin->variable);
        origin->variable = mem_printf("%s_%u", base, n);
    }
    mem_free(base);
}

/* The main origin is named first: it has the shortest name. */
static void name_origins(struct survey *survey)
{
    struct survey_origin *main_origin = NULL;

    for (struct survey_origin *origin = survey->origins; origin != NULL; origin = origin->hh.next)
        if (main_origin == NULL || origin->count > main_origin->count)
            main_origin = origin;
    if (main_origin == NULL)
        return;
    survey->main = main_origin;
    mem_free(main_origin->variable);
    main_origin->variable = mem_strdup("baseUrl");
    for (unsigned n = 2; literals_has(survey->literals, main_origin->variable); n++) {
        mem_free(main_origin->variable);
        main_origin->variable = mem_printf("baseUrl_%u", n);
    }
    for (struct survey_origin *origin = survey->origins; origin != NULL; origin = origin->hh.next)
        if (origin != main_origin)
            name_variable(survey, origin);
}

struct survey_place survey_place_of(const struct survey *survey, const struct survey_item *item)
{
    struct survey_place place = { { survey_outer(item->order), survey_inner(item->order), 0 } };
    size_t inner = place.at[SURVEY_INNER], parent;

    if (inner == 0 || inner == SURVEY_THIRD_PARTY)
        return place;
    parent = survey->inner.list[inner - 1].parent;
    if (parent == FOLDERS_NONE)
        return place;
    place.at[SURVEY_INNER] = parent + 1;
    place.at[SURVEY_NESTED] = inner;
    return place;
}

/* --- items --------------------------------------------------------------------------------------------- */

bool survey_takes(const struct record *record, enum export_reason *out_why)
{
    if (record_is_tunnel(record))
        *out_why = EXPORT_TUNNEL;
    else if (record_is_upgrade(record))
        *out_why = EXPORT_UPGRADED;
    else if ((record->flags & TAP_MADE_BY_WEIR) != 0)
        *out_why = EXPORT_OWN_RESPONSE;
    else if (record->status == 0)
        *out_why = EXPORT_NO_RESPONSE;
    else if (record->request_body.kept < record->request_body.bytes)
        *out_why = EXPORT_REQUEST_CUT;
    else
        return true;
    return false;
}

bool survey_is_flat(const struct export_options *options)
{
    return options->profile == EXPORT_FAITHFUL || options->group == EXPORT_CHRONOLOGICAL;
}

void survey_add_path(const struct survey *survey, const struct export_job *job, const struct record *record,
                     struct strbuf *out)
{
    struct template_path path = { .count = 0 };
    struct secret_text text = { .kind = SECRET_TEXT_PLAIN, .text = record->path };

    if (survey->dedup != NULL) {
        template_path_of(survey->template, record->host, record->port, record->path, &path);
        text.text = strbuf_span(&path.text);
    }
    if (job->secrets != NULL)
        secrets_replace(job->secrets, &text, SECRET_STYLE_MASK, out);
    else
        strbuf_add(out, text.text);
    template_path_clear(&path);
}

/* The folder of what a path is about, or of what it has of that; 0: of neither. */
static size_t take_resource(struct survey *survey, size_t outer, struct span path)
{
    struct span resource, part;
    size_t inner;

    if (!naming_find_resource(path, &resource))
        return 0;
    inner = folders_take(&survey->inner, outer, FOLDERS_NONE, resource);
    if (naming_find_part(path, &part))
        inner = folders_take(&survey->inner, outer, inner, part);
    return inner + 1;
}

/* Index 0 of inner means "no folder of its own": real ones begin at 1. */
static uint64_t order_of(struct export_job *job, struct survey *survey, const struct record *record)
{
    const struct survey_origin *origin = survey_origin_of(survey, record);
    enum export_group group = job->options->group;
    bool is_foreign;
    struct strbuf path = STRBUF_EMPTY;
    uint64_t outer = 0, inner = 0;

    if (survey->dedup == NULL || survey_is_flat(job->options))
        return record->started_us;
    is_foreign = is_third_party(survey, origin, record);
    if (is_foreign && group == EXPORT_BY_ENDPOINT)
        return SURVEY_THIRD_PARTY;
    if (is_foreign)
        return (uint64_t)SURVEY_THIRD_PARTY << 32 |
               (1 + folders_take(&survey->inner, SURVEY_THIRD_PARTY, FOLDERS_NONE, span_of(origin->host)));
    if (group != EXPORT_BY_ENDPOINT)
        outer = folders_take(&survey->outer, 0, FOLDERS_NONE, span_of(origin->host));
    survey_add_path(survey, job, record, &path);
    if (group != EXPORT_BY_DOMAIN)
        inner = take_resource(survey, outer, strbuf_span(&path));
    strbuf_clear(&path);
    return outer << 32 | inner;
}

/* place: see survey_item. */
static void add_item(struct export_job *job, struct survey *survey, const struct record *record, size_t place)
{
    struct credential credential;
    struct survey_item *item;

    if (survey->count == survey->cap) {
        survey->cap = survey->cap != 0 ? survey->cap * 2 : 256;
        survey->items = mem_realloc(survey->items, survey->cap * sizeof(*survey->items));
    }
    ((struct survey_origin *)survey_origin_of(survey, record))->items++;
    item = &survey->items[survey->count++];
    *item = (struct survey_item){ .order = order_of(job, survey, record),
                                  .seq = record->seq,
                                  .place = (uint32_t)place };
    if (survey->dedup == NULL)
        return;
    credential_init(&credential, record, job->secrets, NULL);
    item->credential = credential_hash(&credential);
    credential_clear(&credential);
}

bool survey_see_credentials(struct survey *survey, const struct export_job *job, const struct links *links,
                            struct err *err)
{
    const struct export_source *source = job->source;
    struct credential credential;
    const struct record *record;

    for (size_t i = 0; i < survey->count; i++) {
        if (survey->items[i].credential == 0)
            continue;
        if (!source->at(source->self, survey->items[i].seq, &record, err))
            return false;
        if (record == NULL)
            continue;
        credential_init(&credential, record, job->secrets, links);
        survey->items[i].credential = credential_hash(&credential);
        credential_clear(&credential);
    }
    return true;
}

static int by_order(const void *a, const void *b)
{
    const struct survey_item *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void settle_folders(struct survey *survey)
{
    size_t *moved = folders_settle(&survey->inner);

    for (size_t i = 0; i < survey->count; i++) {
        uint64_t order = survey->items[i].order;
        size_t inner = survey_inner(order);

        if (inner != 0 && inner != SURVEY_THIRD_PARTY)
            survey->items[i].order = (uint64_t)survey_outer(order) << 32 | (moved[inner - 1] + 1);
    }
    mem_free(moved);
}

/* merge: NULL: none. Where that has folders for a host, so has this. */
static void flatten_small_hosts(struct survey *survey, const struct merge *merge)
{
    for (size_t i = 0; i < survey->count; i++) {
        size_t outer = survey_outer(survey->items[i].order);

        if (outer != SURVEY_THIRD_PARTY && survey->outer.list[outer].count <= SMALL_HOST_ITEMS &&
            (merge == NULL || !merge_is_split(merge, survey->outer.list[outer].name)))
            survey->items[i].order = (uint64_t)outer << 32;
    }
}

/* --- literals ------------------------------------------------------------------------------------------ */

static bool scan_bytes(struct survey *survey, struct span bytes)
{
    struct strbuf text = STRBUF_EMPTY;
    bool ok;

    if (!literals_may_be_in(bytes))
        return true;
    text_add_latin1(&text, bytes);
    ok = literals_scan(survey->literals, strbuf_span(&text));
    strbuf_clear(&text);
    return ok;
}

static bool scan_literals(struct export_job *job, struct survey *survey, const struct record *record,
                          struct err *err)
{
    struct content body;
    bool ok = scan_bytes(survey, record->path) && scan_bytes(survey, record->query);

    for (size_t i = 0; i < record->request_headers.count; i++)
        ok = scan_bytes(survey, record->request_headers.items[i].value) && ok;
    if (record->request_body.id != 0 && record->request_body.bytes <= MAX_SCANNED_BYTES) {
        if (!content_read(job->source, &record->request_body, &record->request_headers, MAX_SCANNED_BYTES,
                          CONTENT_FRONT, &body, err))
            return false;
        if (body.is_text)
            ok = literals_scan(survey->literals, strbuf_span(&body.front)) && ok;
        content_clear(&body);
    }
    if (!ok)
        job_count_exchange(job, EXPORT_LITERALS, record);
    return true;
}

/* --- the passes ---------------------------------------------------------------------------------------- */

static bool take_record(struct export_job *job, struct survey *survey, bool merges,
                        const struct record *record, struct err *err)
{
    enum export_reason why;
    bool is_taken = survey_takes(record, &why);

    job->report->considered++;
    if (is_taken)
        add_origin(survey, record);
    if (!merges && is_taken)
        add_item(job, survey, record, 0);
    else if (!merges)
        job_count_exchange(job, why, record);
    return !is_taken || scan_literals(job, survey, record, err);
}

static bool pass(struct export_job *job, struct survey *survey, bool merges, struct err *err)
{
    const struct export_source *source = job->source;
    const struct record *record;

    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        if (!take_record(job, survey, merges, record, err))
            return false;
    }
}

/* One item for each endpoint, by the exchange that represents it. */
static bool add_endpoints(struct export_job *job, struct survey *survey, struct err *err)
{
    const struct export_source *source = job->source;
    const struct dedup *dedup = survey->dedup;
    const struct record *record;

    for (size_t i = 0; i < dedup_count(dedup); i++) {
        if (!source->at(source->self, dedup_item(dedup, i)->seq, &record, err))
            return false;
        /* While a session records, an exchange may go between two passes. */
        if (record != NULL && survey_origin_of(survey, record) != NULL)
            add_item(job, survey, record, i);
        else
            job_count_seq(job, EXPORT_GONE, dedup_item(dedup, i)->seq);
    }
    return true;
}

static bool find_endpoints(struct export_job *job, struct survey *survey, struct err *err)
{
    const struct export_options *options = job->options;
    struct dedup_options of_dedup = {
        .max_examples = options->max_examples != 0 ? options->max_examples : EXPORT_MAX_EXAMPLES,
        .keeps_all = options->keeps_all || options->group == EXPORT_CHRONOLOGICAL,
    };

    if (!patterns_template(options, &survey->template, err) ||
        !endpoints_find(job->source, survey->template, &of_dedup, &survey->dedup, err))
        return false;
    patterns_report(job, survey->template);
    return add_endpoints(job, survey, err);
}

bool survey_run(struct export_job *job, bool merges, struct survey *out_survey, struct err *err)
{
    struct survey survey = { .literals = literals_new() };
    bool ok;

    ok = pass(job, &survey, merges, err);
    if (ok)
        name_origins(&survey);
    if (ok && merges)
        ok = find_endpoints(job, &survey, err);
    if (!ok) {
        survey_clear(&survey);
        return false;
    }
    if (merges && !survey_is_flat(job->options))
        settle_folders(&survey);
    if (merges && job->options->group == EXPORT_BY_BOTH)
        flatten_small_hosts(&survey, job->merge);
    if (survey.count != 0)
        qsort(survey.items, survey.count, sizeof(*survey.items), by_order);
    *out_survey = survey;
    return true;
}

void survey_clear(struct survey *survey)
{
    struct survey_origin *origin, *tmp;

    HASH_ITER (hh, survey->origins, origin, tmp) {
        HASH_DEL(survey->origins, origin);
        mem_free(origin->url);
        mem_free(origin->host);
        mem_free(origin->variable);
        mem_free(origin);
    }
    folders_clear(&survey->outer);
    folders_clear(&survey->inner);
    literals_free(survey->literals);
    dedup_free(survey->dedup);
    template_free(survey->template);
    mem_free(survey->items);
    *survey = (struct survey){ .items = NULL };
}
