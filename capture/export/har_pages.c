#include "capture/export/har_pages.h"

#include <xxhash.h>

#include "capture/export/location.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* Of a page's URL, for its title. */
#define TITLE_BYTES 512
/* URLs that are remembered: sets of a few, in each of which the one that was not asked for longest goes. */
#define SETS 8192
#define WAYS 8

/* What a URL is remembered as. One URL may be several of them. */
enum place {
    PLACE_PART,     /* a part of the page, or its document */
    PLACE_ORIGIN,   /* where the last page of that origin is */
    PLACE_REDIRECT, /* where the page's document will be */
};

struct url_entry {
    uint64_t key; /* a hash of client, place and URL; 0: free */
    uint32_t page;
    uint32_t used; /* the exchange that asked for it last */
};

struct page {
    uint64_t started_us;
    char *title;
};

struct har_pages {
    struct page *items;
    size_t count, cap;
    struct url_entry *urls;    /* SETS * WAYS */
    struct strbuf url, target; /* of the exchange, and of its redirect */
};

struct har_pages *har_pages_new(void)
{
    struct har_pages *pages = mem_new(struct har_pages);

    pages->urls = mem_array(struct url_entry, SETS * WAYS);
    return pages;
}

void har_pages_free(struct har_pages *pages)
{
    if (pages == NULL)
        return;
    for (size_t i = 0; i < pages->count; i++)
        mem_free(pages->items[i].title);
    mem_free(pages->items);
    mem_free(pages->urls);
    strbuf_clear(&pages->url);
    strbuf_clear(&pages->target);
    mem_free(pages);
}

/* --- URLs ---------------------------------------------------------------------------------------------- */

static uint64_t key_of(const struct record *record, enum place place, struct span url)
{
    struct span client = record->client_addr;
    uint64_t key;

    while (client.len > 0 && client.ptr[client.len - 1] != ':')
        client.len--;
    key = XXH3_64bits_withSeed(client.ptr, client.len, place);
    key = XXH3_64bits_withSeed(url.ptr, url.len, key);
    return key != 0 ? key : 1;
}

/* Where it is, or the place that is to be given up for it. */
static struct url_entry *find_url(struct har_pages *pages, uint64_t key)
{
    struct url_entry *set = &pages->urls[key % SETS * WAYS], *oldest = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    return oldest;
}

static uint32_t look_up(struct har_pages *pages, const struct record *record, enum place place,
                        struct span url)
{
    uint64_t key = key_of(record, place, url);
    struct url_entry *entry = find_url(pages, key);

    if (entry->key != key)
        return 0;
    entry->used = record->seq;
    return entry->page;
}

static void remember(struct har_pages *pages, const struct record *record, enum place place, struct span url,
                     uint32_t page)
{
    uint64_t key = key_of(record, place, url);

    *find_url(pages, key) = (struct url_entry){ .key = key, .page = page, .used = record->seq };
}

static void forget(struct har_pages *pages, const struct record *record, enum place place, struct span url)
{
    uint64_t key = key_of(record, place, url);
    struct url_entry *entry = find_url(pages, key);

    if (entry->key == key)
        *entry = (struct url_entry){ .key = 0 };
}

/* "https://shop.test:8443/" of "https://shop.test:8443/a?b"; all of it when it is no such URL. */
static struct span origin_of(struct span url)
{
    struct span scheme = SPAN("://");
    const char *mark = memmem(url.ptr, url.len, scheme.ptr, scheme.len);
    size_t begin = mark != NULL ? (size_t)(mark - url.ptr) + scheme.len : url.len;
    size_t end = begin + span_find(span_from(url, begin), '/');

    return span_sub(url, 0, end < url.len ? end + 1 : end);
}

/* --- pages --------------------------------------------------------------------------------------------- */

static bool is_html(const struct record *record)
{
    return span_eq(record->response_type, SPAN("text/html")) ||
           span_eq(record->response_type, SPAN("application/xhtml+xml"));
}

/* Whether a tab goes to where this leads. */
static bool is_navigation(const struct record *record, bool has_referer)
{
    struct span dest;

    if (record_find(&record->request_headers, SPAN("Sec-Fetch-Dest"), &dest))
        return span_ieq(dest, SPAN("document"));
    return !has_referer && is_html(record);
}

static uint32_t begin_page(struct har_pages *pages, const struct record *record)
{
    if (pages->count == HAR_PAGES_MAX)
        return 0;
    if (pages->count == pages->cap) {
        pages->cap = pages->cap != 0 ? pages->cap * 2 : 16;
        pages->items = mem_realloc(pages->items, pages->cap * sizeof(*pages->items));
    }
    pages->items[pages->count++] = (struct page){ .started_us = record->started_us };
    return (uint32_t)pages->count;
}

static void set_title(struct har_pages *pages, uint32_t page)
{
    struct page *to = &pages->items[page - 1];

    mem_free(to->title);
    to->title = mem_spandup(
        span_sub(strbuf_span(&pages->url), 0, pages->url.len < TITLE_BYTES ? pages->url.len : TITLE_BYTES));
}

static uint32_t add_navigation(struct har_pages *pages, const struct record *record)
{
    struct span url = strbuf_span(&pages->url);
    uint32_t page = look_up(pages, record, PLACE_REDIRECT, url);

    forget(pages, record, PLACE_REDIRECT, url);
    if (page == 0)
        page = begin_page(pages, record);
    if (page == 0)
        return 0;
    set_title(pages, page);
    remember(pages, record, PLACE_PART, url, page);
    remember(pages, record, PLACE_ORIGIN, origin_of(url), page);
    strbuf_reset(&pages->target);
    if (location_add_target(record, &pages->target))
        remember(pages, record, PLACE_REDIRECT, strbuf_span(&pages->target), page);
    return page;
}

static uint32_t add_part(struct har_pages *pages, const struct record *record, struct span referer)
{
    struct span url = strbuf_span(&pages->url), origin;
    bool is_bare;
    uint32_t page;

    referer = span_sub(referer, 0, span_find(referer, '#'));
    origin = origin_of(referer);
    is_bare = origin.len == referer.len && !span_eq(origin, origin_of(url));
    page = look_up(pages, record, is_bare ? PLACE_ORIGIN : PLACE_PART, referer);
    if (page != 0)
        remember(pages, record, PLACE_PART, url, page);
    return page;
}

uint32_t har_pages_add(struct har_pages *pages, const struct record *record)
{
    struct span referer = SPAN_NONE;
    bool has_referer = record_find(&record->request_headers, SPAN("Referer"), &referer) && referer.len != 0;

    strbuf_reset(&pages->url);
    record_add_url(record, &pages->url);
    if (is_navigation(record, has_referer))
        return add_navigation(pages, record);
    return has_referer ? add_part(pages, record, referer) : 0;
}

void har_pages_id(uint32_t page, char out[HAR_PAGE_ID_BYTES])
{
    snprintf(out, HAR_PAGE_ID_BYTES, "page_%u", page);
}

void har_pages_write(const struct har_pages *pages, struct json_out *json)
{
    char id[HAR_PAGE_ID_BYTES], time[TEXT_TIME_BYTES];

    if (pages->count == 0)
        return;
    jout_key(json, "pages");
    jout_open_array(json);
    for (uint32_t page = 1; page <= pages->count; page++) {
        const struct page *item = &pages->items[page - 1];

        har_pages_id(page, id);
        text_time_ms(time, (int64_t)(item->started_us / 1000));
        jout_open_object(json);
        jout_member_str(json, "startedDateTime", time);
        jout_member_str(json, "id", id);
        jout_member_bytes(json, "title", span_of(item->title));
        jout_key(json, "pageTimings");
        jout_open_object(json);
        jout_close(json);
        jout_close(json);
    }
    jout_close(json);
}
