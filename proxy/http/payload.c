#include "proxy/http/payload.h"

/* A buffer of up to so many bytes stays for the next message. A connection may idle for hours after a long
 * one. */
#define STAYING_BYTES ((size_t)16 * 1024)

void payload_init(struct payload *payload, size_t max_bytes)
{
    *payload = (struct payload){ .size = 0 };
    strbuf_init(&payload->kept, max_bytes);
}

void payload_clear(struct payload *payload)
{
    strbuf_clear(&payload->kept);
}

void payload_reset(struct payload *payload)
{
    if (payload->kept.cap > STAYING_BYTES)
        strbuf_clear(&payload->kept);
    else
        strbuf_reset(&payload->kept);
    payload->size = 0;
    payload->is_text = false;
    payload->utf8 = (struct utf8_check){ .expected = 0 };
}

void payload_add(struct payload *payload, struct span bytes)
{
    size_t room = payload->kept.limit - payload->kept.len;

    payload->size += bytes.len;
    if (payload->is_text)
        utf8_check_feed(&payload->utf8, bytes);
    if (room != 0 && bytes.len != 0)
        strbuf_add(&payload->kept, span_sub(bytes, 0, bytes.len < room ? bytes.len : room));
}

void payload_tell(const struct payload *payload, bool is_whole, struct message *message)
{
    message->payload = strbuf_span(&payload->kept);
    message->size = payload->size;
    message->is_truncated = payload->kept.len < payload->size;
    message->is_bad_utf8 =
        payload->is_text && (is_whole ? !utf8_check_is_text(&payload->utf8) : payload->utf8.is_wrong);
}
