/* A short body is split at once. A long one goes through a scan, but for the places: between two of them the
 * scan is fed, of a place its piece is told once. */
#include "capture/export/secret_stream.h"

#include "capture/export/secret_scan.h"
#include "proxy/base/mem.h"

struct streaming {
    const struct secrets *secrets;
    bool (*each)(void *self, const struct secret_piece *piece, struct err *err);
    void *self;
    struct err *err;
    bool is_stopped;
    struct secret_scan *scan;
    struct secret_range *places;
    size_t count, next;
    uint64_t at;
};

static void tell(void *self, const struct secret_piece *piece)
{
    struct streaming *streaming = self;

    if (!streaming->is_stopped && piece->text.len != 0)
        streaming->is_stopped = !streaming->each(streaming->self, piece, streaming->err);
}

static void tell_text(void *self, struct span text)
{
    tell(self, &(struct secret_piece){ .text = text });
}

static bool tell_found(void *self, uint64_t at, struct span spelled, size_t value, enum secret_form form)
{
    struct streaming *streaming = self;

    (void)at;
    tell(self, &(struct secret_piece){
                   .text = spelled, .secret = secrets_of_match(streaming->secrets, value), .form = form });
    return !streaming->is_stopped;
}

static bool take(void *self, struct span bytes, struct err *err)
{
    struct streaming *streaming = self;

    (void)err; /* each has it already */
    while (bytes.len != 0 && !streaming->is_stopped) {
        const struct secret_range *place =
            streaming->next < streaming->count ? &streaming->places[streaming->next] : NULL;
        size_t len = bytes.len;

        if (place == NULL || streaming->at < place->at) {
            if (place != NULL && place->at - streaming->at < len)
                len = (size_t)(place->at - streaming->at);
            secret_scan_feed(streaming->scan, span_sub(bytes, 0, len));
        } else {
            if (streaming->at == place->at) {
                secret_scan_finish(streaming->scan);
                tell(streaming, &place->piece);
            }
            if (place->at + place->len - streaming->at <= len) {
                len = (size_t)(place->at + place->len - streaming->at);
                streaming->next++;
            }
        }
        streaming->at += len;
        bytes = span_from(bytes, len);
    }
    return !streaming->is_stopped;
}

bool secret_stream(const struct secrets *secrets, const struct export_source *source,
                   const struct content *content, const struct secret_text *front,
                   bool (*each)(void *self, const struct secret_piece *piece, struct err *err), void *self,
                   struct err *err)
{
    static const struct secret_scan_events events = { .on_text = tell_text, .on_found = tell_found };
    struct streaming streaming = { .secrets = secrets, .each = each, .self = self, .err = err };
    bool ok = true;

    if (content->is_whole) {
        secrets_split(secrets, front, tell, &streaming);
        return !streaming.is_stopped;
    }
    streaming.places = secrets_find_places(secrets, front, &streaming.count);
    streaming.scan = secret_scan_new(secrets_match(secrets), &events, &streaming);
    ok = content_stream(source, content, take, &streaming, err) && secret_scan_finish(streaming.scan) &&
         !streaming.is_stopped;
    secret_scan_free(streaming.scan);
    mem_free(streaming.places);
    return ok;
}
