#include "capture/export/secret_scan.h"

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* Moving what is kept to the front must be rare. */
#define SCAN_BYTES (256 * 1024)

struct secret_scan {
    const struct secret_match *match;
    const struct secret_scan_events *events;
    void *self;
    struct strbuf held;
    size_t done;     /* of held: told already, and kept only to be looked back to */
    uint64_t before; /* bytes that came before held */
    size_t reach;    /* the most text that a value may take, with what ends base64 */
};

struct secret_scan *secret_scan_new(const struct secret_match *match, const struct secret_scan_events *events,
                                    void *self)
{
    struct secret_scan *scan = mem_new(struct secret_scan);

    scan->match = match;
    scan->events = events;
    scan->self = self;
    scan->reach = secret_match_longest(match) * SECRET_FORM_MAX_SPREAD + SECRET_SEXTET_LOOK_BACK;
    return scan;
}

void secret_scan_free(struct secret_scan *scan)
{
    if (scan == NULL)
        return;
    strbuf_clear(&scan->held);
    mem_free(scan);
}

static void tell_text(struct secret_scan *scan, size_t until)
{
    if (scan->events->on_text != NULL && until > scan->done)
        scan->events->on_text(scan->self, span_sub(strbuf_span(&scan->held), scan->done, until - scan->done));
    scan->done = until > scan->done ? until : scan->done;
}

/* Looks at all places before until. */
static bool scan_until(struct secret_scan *scan, size_t until)
{
    struct span text = strbuf_span(&scan->held);
    struct secret_found found;

    while (scan->done < until && secret_match_find_before(scan->match, text, scan->done, until, &found)) {
        tell_text(scan, found.at);
        scan->done = found.at + found.len;
        if (!scan->events->on_found(scan->self, scan->before + found.at, span_sub(text, found.at, found.len),
                                    found.value, found.form))
            return false;
    }
    tell_text(scan, until);
    if (scan->done > SECRET_SEXTET_LOOK_BACK) {
        scan->before += scan->done - SECRET_SEXTET_LOOK_BACK;
        strbuf_drop_front(&scan->held, scan->done - SECRET_SEXTET_LOOK_BACK);
        scan->done = SECRET_SEXTET_LOOK_BACK;
    }
    return true;
}

bool secret_scan_feed(struct secret_scan *scan, struct span bytes)
{
    while (bytes.len != 0) {
        size_t room = scan->reach * 2 + SCAN_BYTES - scan->held.len;
        size_t len = bytes.len < room ? bytes.len : room;

        strbuf_add(&scan->held, span_sub(bytes, 0, len));
        bytes = span_from(bytes, len);
        if (scan->held.len == scan->reach * 2 + SCAN_BYTES && !scan_until(scan, scan->held.len - scan->reach))
            return false;
    }
    return true;
}

bool secret_scan_finish(struct secret_scan *scan)
{
    return scan_until(scan, scan->held.len);
}
