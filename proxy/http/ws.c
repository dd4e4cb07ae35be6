/* Two payloads are under way at most: the data message, perhaps in fragments, and a control frame between two
 * of them. A frame's header is collected first, judged, and then its payload passes through in pieces.
 *
 *             whole header             end of payload
 *      HEADER ------------> PAYLOAD ------------------> HEADER
 *        |                                                       LOST: told once, from there on counted
 *        '-- refused --> LOST
 */
#include "proxy/http/ws.h"

#define ZLIB_CONST /* inputs are const */
#include <stdio.h>
#include <zlib.h>

#include "proxy/base/mem.h"
#include "proxy/http/payload.h"
#include "proxy/http/token.h"

#define MAX_HEADER_BYTES  14  /* RFC 6455 §5.2: 2, a length of 8, a mask of 4 */
#define MAX_CONTROL_BYTES 125 /* §5.5 */

#define INFLATE_BYTES ((size_t)16 * 1024)
#define UNMASK_BYTES  ((size_t)4 * 1024)

/* zlib counts in 32 bits. */
#define SLICE_BYTES ((size_t)1 << 30)

/* The widest, whatever was agreed: within one call zlib looks back as far as it has written, so that with a
 * narrower one it would depend on the pieces whether what refers further back than agreed comes out. */
#define WINDOW_BITS 15

#define FOREIGN "it is in the form of an extension that weir does not know"

enum opcode { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

enum { RSV1 = 4, RSV2 = 2, RSV3 = 1 };

enum step { STEP_HEADER, STEP_PAYLOAD, STEP_LOST };

struct frame {
    bool is_final, is_masked;
    unsigned reserved; /* RSV1, RSV2, RSV3 */
    unsigned opcode;
    unsigned char mask[4];
    unsigned mask_at; /* the byte of mask that comes next */
    uint64_t left;    /* of the payload */
};

/* A message, or a control frame, that has begun. */
struct unit {
    enum message_kind kind; /* 0: none */
    struct payload payload;
    uint64_t wire_size;
    bool is_compressed, is_undecoded, is_damaged;
    const char *note;
};

struct ws {
    enum http_role direction;
    struct ws_extensions extensions;
    size_t max_message_bytes;
    message_sink sink;
    void *self;

    enum step step;
    unsigned char header[MAX_HEADER_BYTES];
    size_t header_len;
    struct frame frame;
    struct unit data, control;
    bool has_closed;
    uint64_t lost_bytes;

    z_stream zlib;
    bool has_zlib;
    bool is_window_lost; /* what later messages refer to is not known */
    bool is_at_last;     /* zlib has seen a final block, and nothing after it */
    char damage[80];     /* the note on what zlib refused */
};

/* A parameter of an extension: "name" or "name=value"; false: nobody can agree to that. */
static bool parse_deflate_parameter(struct ws_extensions *extensions, struct span text)
{
    static const struct {
        struct span name;
        enum http_role side;
        bool has_value;
    } known[] = {
        { SPAN("client_no_context_takeover"), HTTP_REQUEST, false },
        { SPAN("server_no_context_takeover"), HTTP_RESPONSE, false },
        { SPAN("client_max_window_bits"), HTTP_REQUEST, true },
        { SPAN("server_max_window_bits"), HTTP_RESPONSE, true },
    };
    size_t equals = span_find(text, '=');
    struct span name = span_trim(span_sub(text, 0, equals));
    struct span value = equals < text.len ? span_trim(span_from(text, equals + 1)) : SPAN_NONE;
    uint64_t bits = 0;

    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = span_sub(value, 1, value.len - 2);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_ieq(name, known[i].name) || known[i].has_value != (equals < text.len))
            continue;
        if (!known[i].has_value) {
            extensions->no_context_takeover[known[i].side] = true;
            return true;
        }
        return span_u64(value, &bits) && bits >= 8 && bits <= 15;
    }
    return false;
}

/* parameters: what follows the name. */
static bool parse_deflate(struct ws_extensions *extensions, struct span parameters)
{
    struct ws_extensions agreed = *extensions;
    struct span one;

    while (span_split(&parameters, ';', &one)) {
        one = span_trim(one);
        if (one.len != 0 && !parse_deflate_parameter(&agreed, one))
            return false;
    }
    agreed.has_deflate = true;
    *extensions = agreed;
    return true;
}

struct ws_extensions ws_extensions_parse(struct span value)
{
    struct ws_extensions extensions = { .has_deflate = false };
    struct span one, name;

    while (token_next(&value, &one)) {
        if (!span_split(&one, ';', &name))
            continue;
        if (!span_ieq(span_trim(name), SPAN("permessage-deflate")) || extensions.has_deflate ||
            !parse_deflate(&extensions, one))
            extensions.has_others = true;
    }
    return extensions;
}

struct ws *ws_new(enum http_role direction, const struct ws_extensions *extensions, size_t max_message_bytes,
                  message_sink sink, void *self)
{
    struct ws *ws = mem_new(struct ws);

    ws->direction = direction;
    ws->extensions = *extensions;
    ws->max_message_bytes = max_message_bytes;
    ws->sink = sink;
    ws->self = self;
    payload_init(&ws->data.payload, max_message_bytes);
    payload_init(&ws->control.payload, MAX_CONTROL_BYTES);
    return ws;
}

void ws_free(struct ws *ws)
{
    if (ws == NULL)
        return;
    if (ws->has_zlib)
        inflateEnd(&ws->zlib);
    payload_clear(&ws->data.payload);
    payload_clear(&ws->control.payload);
    mem_free(ws);
}

static void unit_begin(struct unit *unit, enum message_kind kind)
{
    payload_reset(&unit->payload);
    unit->kind = kind;
    unit->wire_size = 0;
    unit->is_compressed = unit->is_undecoded = unit->is_damaged = false;
    unit->note = NULL;
}

/* Takes the status code off the front of a close frame's payload. */
static void read_close(struct message *message)
{
    const unsigned char *code = (const unsigned char *)message->payload.ptr;

    if (message->payload.len < 2) {
        message->payload = SPAN_NONE;
        message->size = 0;
        return;
    }
    message->close_code = (uint16_t)(code[0] << 8 | code[1]);
    message->payload = span_from(message->payload, 2);
    message->size -= 2;
    message->is_truncated = message->size > message->payload.len;
    message->is_bad_utf8 = !utf8_is_valid(message->payload);
}

static void unit_tell(struct ws *ws, struct unit *unit, bool is_whole)
{
    struct message message = { .kind = unit->kind,
                               .wire_size = unit->wire_size,
                               .is_incomplete = !is_whole,
                               .is_compressed = unit->is_compressed,
                               .is_undecoded = unit->is_undecoded,
                               .note = unit->note };

    payload_tell(&unit->payload, is_whole && !unit->is_damaged, &message);
    message.is_truncated = message.is_truncated || unit->is_damaged;
    if (unit->kind == MESSAGE_CLOSE && !unit->is_undecoded)
        read_close(&message);
    unit->kind = 0;
    ws->sink(ws->self, &message);
}

/* Always false. A message that was under way is told first. */
static bool fault(struct ws *ws, const char *why)
{
    struct message message = { .kind = MESSAGE_FAULT, .payload = span_of(why), .size = strlen(why) };

    if (ws->data.kind != 0)
        unit_tell(ws, &ws->data, false);
    ws->step = STEP_LOST;
    ws->lost_bytes = ws->header_len;
    ws->sink(ws->self, &message);
    return false;
}

static void give_up_inflating(struct ws *ws, const char *note)
{
    ws->data.is_damaged = true;
    ws->data.note = note;
    ws->is_window_lost = true;
}

/* Whether messages refer to those before them (RFC 7692 §7.1.1). */
static bool shares_window(const struct ws *ws)
{
    return !ws->extensions.no_context_takeover[ws->direction];
}

static bool begin_inflating(struct ws *ws)
{
    if (!ws->has_zlib && inflateInit2(&ws->zlib, -WINDOW_BITS) != Z_OK) {
        give_up_inflating(ws, "there is no memory to inflate it");
        return false;
    }
    ws->has_zlib = true;
    return true;
}

static void inflate_some(struct ws *ws, struct span bytes)
{
    uint64_t most = (uint64_t)ws->max_message_bytes * MESSAGE_DECODED_MAX;
    struct payload *payload = &ws->data.payload;
    z_stream *zlib = &ws->zlib;
    unsigned char out[INFLATE_BYTES];

    zlib->next_in = (const Bytef *)bytes.ptr;
    zlib->avail_in = (uInt)bytes.len;
    do {
        uint64_t room = most - payload->size;
        size_t came;
        int code;

        /* A final block ends zlib's stream but not the message (RFC 7692 §7.2.3.4), nor the window. */
        if (ws->is_at_last)
            inflateResetKeep(zlib);
        zlib->next_out = out;
        zlib->avail_out = sizeof out;
        code = inflate(zlib, Z_SYNC_FLUSH);
        came = sizeof out - zlib->avail_out;
        payload_add(payload, span_make(out, came < room ? came : (size_t)room));
        ws->is_at_last = code == Z_STREAM_END;
        if (came > room) {
            give_up_inflating(ws, "it inflates to much more than is kept: its size is not known");
        } else if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            snprintf(ws->damage, sizeof ws->damage, "it can't be inflated: %s",
                     zlib->msg != NULL ? zlib->msg : "no reason given");
            give_up_inflating(ws, ws->damage);
        }
    } while (!ws->data.is_damaged && (zlib->avail_in != 0 || zlib->avail_out == 0));
}

static void inflate_piece(struct ws *ws, struct span bytes)
{
    while (bytes.len != 0 && !ws->data.is_damaged) {
        struct span slice = span_sub(bytes, 0, bytes.len < SLICE_BYTES ? bytes.len : SLICE_BYTES);

        inflate_some(ws, slice);
        bytes = span_from(bytes, slice.len);
    }
}

/* RFC 7692 §7.2.2: the end of each message's last block was taken off and has to be put back. Of a whole
 * message nothing comes out any more, and zlib stands between two blocks then, which bit 7 of data_type says.
 */
static void inflate_tail(struct ws *ws)
{
    static const unsigned char tail[] = { 0x00, 0x00, 0xff, 0xff };
    z_stream *zlib = &ws->zlib;
    unsigned char out[1];

    zlib->next_in = tail;
    zlib->avail_in = sizeof tail;
    zlib->next_out = out;
    zlib->avail_out = sizeof out;
    if (inflate(zlib, Z_SYNC_FLUSH) != Z_OK || zlib->avail_in != 0 || zlib->avail_out != sizeof out ||
        (zlib->data_type & 128) == 0)
        give_up_inflating(ws, "it can't be inflated: it ends within a block");
}

static void end_inflating(struct ws *ws)
{
    if (!ws->data.is_damaged && ws->data.wire_size != 0 && !ws->is_at_last)
        inflate_tail(ws);
    if (!shares_window(ws)) {
        inflateReset(&ws->zlib);
        ws->is_window_lost = ws->is_at_last = false;
    }
}

/* What the next frame's payload is added to. */
static struct unit *current_unit(struct ws *ws)
{
    return ws->frame.opcode >= OP_CLOSE ? &ws->control : &ws->data;
}

static void take_plain(struct ws *ws, struct span bytes)
{
    struct unit *unit = current_unit(ws);

    unit->wire_size += bytes.len;
    if (unit->is_compressed && !unit->is_undecoded)
        inflate_piece(ws, bytes);
    else
        payload_add(&unit->payload, bytes);
}

/* mask rotated so that its first byte is for the first of bytes. */
static void unmask(char *out, struct span bytes, const unsigned char mask[4])
{
    uint32_t word, four;
    size_t i = 0;

    memcpy(&four, mask, sizeof four);
    for (; bytes.len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes.ptr + i, sizeof word);
        word ^= four;
        memcpy(out + i, &word, sizeof word);
    }
    for (; i < bytes.len; i++)
        out[i] = (char)((unsigned char)bytes.ptr[i] ^ mask[i % 4]);
}

static void take_masked(struct ws *ws, struct span bytes)
{
    struct frame *frame = &ws->frame;
    char plain[UNMASK_BYTES];

    while (bytes.len != 0) {
        struct span slice = span_sub(bytes, 0, bytes.len < sizeof plain ? bytes.len : sizeof plain);
        unsigned char mask[4];

        for (unsigned i = 0; i < 4; i++)
            mask[i] = frame->mask[(frame->mask_at + i) % 4];
        frame->mask_at = (unsigned)((frame->mask_at + slice.len) % 4);
        unmask(plain, slice, mask);
        take_plain(ws, span_make(plain, slice.len));
        bytes = span_from(bytes, slice.len);
    }
}

static void end_frame(struct ws *ws)
{
    struct frame *frame = &ws->frame;
    struct unit *unit = current_unit(ws);

    ws->step = STEP_HEADER;
    ws->header_len = 0;
    if (!frame->is_final)
        return;
    if (unit->is_compressed && !unit->is_undecoded)
        end_inflating(ws);
    if (unit->kind == MESSAGE_CLOSE)
        ws->has_closed = true;
    unit_tell(ws, unit, true);
}

/* The first two bytes, which already say whether such a frame may stand here. */
static bool judge_start(struct ws *ws)
{
    const unsigned char *header = ws->header;
    unsigned opcode = header[0] & 0x0f, reserved = header[0] >> 4 & 7;
    bool is_final = (header[0] & 0x80) != 0, is_masked = (header[1] & 0x80) != 0;
    bool is_control = opcode >= OP_CLOSE;

    if (ws->has_closed)
        return fault(ws, "a frame after the close frame");
    if ((opcode > OP_BINARY && opcode < OP_CLOSE) || opcode > OP_PONG)
        return fault(ws, "a frame with a reserved opcode");
    if (!ws->extensions.has_others) {
        if ((reserved & (RSV2 | RSV3)) != 0 || (reserved != 0 && !ws->extensions.has_deflate))
            return fault(ws, "a frame with a reserved bit that no extension uses");
        if (reserved != 0 && (is_control || opcode == OP_CONTINUATION))
            return fault(ws, "a frame marked as compressed that does not begin a message");
    }
    if (is_masked != (ws->direction == HTTP_REQUEST))
        return fault(ws, is_masked ? "a masked frame from the server" : "an unmasked frame from the client");
    if (is_control && !is_final)
        return fault(ws, "a control frame in fragments");
    if (is_control && (header[1] & 0x7f) > MAX_CONTROL_BYTES)
        return fault(ws, "a control frame of more than 125 bytes");
    if (opcode == OP_CLOSE && (header[1] & 0x7f) == 1)
        return fault(ws, "a close frame with half a status code");
    if (opcode == OP_CONTINUATION && ws->data.kind == 0)
        return fault(ws, "a continuation frame without a message to continue");
    if ((opcode == OP_TEXT || opcode == OP_BINARY) && ws->data.kind != 0)
        return fault(ws, "a new message before the end of another");
    ws->frame = (struct frame){
        .is_final = is_final, .is_masked = is_masked, .reserved = reserved, .opcode = opcode
    };
    return true;
}

static uint64_t read_length(const unsigned char *bytes, size_t count)
{
    uint64_t length = 0;

    for (size_t i = 0; i < count; i++)
        length = length << 8 | bytes[i];
    return length;
}

/* How many bytes the length has after the first two of the header. */
static size_t length_bytes(const struct ws *ws)
{
    unsigned length = ws->header[1] & 0x7f;

    return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static size_t header_bytes(const struct ws *ws)
{
    return ws->header_len < 2 ? 2 : 2 + length_bytes(ws) + (ws->frame.is_masked ? 4 : 0);
}

static bool judge_length(struct ws *ws)
{
    size_t count = length_bytes(ws);
    uint64_t length = count != 0 ? read_length(ws->header + 2, count) : ws->header[1] & 0x7f;

    if (length >> 63 != 0)
        return fault(ws, "a frame length with its top bit set");
    if ((count == 2 && length <= MAX_CONTROL_BYTES) || (count == 8 && length <= UINT16_MAX))
        return fault(ws, "a frame length that is not in its shortest form");
    ws->frame.left = length;
    return true;
}

static void begin_message(struct ws *ws)
{
    struct unit *data = &ws->data;
    unsigned reserved = ws->frame.reserved;

    unit_begin(data, ws->frame.opcode == OP_TEXT ? MESSAGE_TEXT : MESSAGE_BINARY);
    if ((reserved & (RSV2 | RSV3)) != 0 || (reserved != 0 && !ws->extensions.has_deflate)) {
        data->is_undecoded = true;
        data->note = FOREIGN;
        if ((reserved & RSV1) != 0 && shares_window(ws))
            ws->is_window_lost = true;
    } else if (reserved != 0) {
        data->is_compressed = true;
        if (ws->is_window_lost) {
            data->is_undecoded = true;
            data->note =
                "it can't be inflated without an earlier message, which could not be inflated either";
        } else if (!begin_inflating(ws)) {
            data->is_undecoded = true;
        }
    }
    data->payload.is_text = data->kind == MESSAGE_TEXT && !data->is_undecoded;
}

static void begin_payload(struct ws *ws)
{
    struct frame *frame = &ws->frame;

    if (frame->is_masked)
        memcpy(frame->mask, ws->header + ws->header_len - 4, 4);
    if (frame->opcode >= OP_CLOSE) {
        unit_begin(&ws->control, frame->opcode == OP_PING   ? MESSAGE_PING
                                 : frame->opcode == OP_PONG ? MESSAGE_PONG
                                                            : MESSAGE_CLOSE);
        if (frame->reserved != 0) {
            ws->control.is_undecoded = true;
            ws->control.note = FOREIGN;
        }
    } else if (frame->opcode != OP_CONTINUATION) {
        begin_message(ws);
    }
    ws->step = STEP_PAYLOAD;
    if (frame->left == 0)
        end_frame(ws);
}

/* One byte of a header. */
static void take_header(struct ws *ws, unsigned char byte)
{
    ws->header[ws->header_len++] = byte;
    if (ws->header_len == 2 && !judge_start(ws))
        return;
    if (ws->header_len == 2 + length_bytes(ws) && ws->header_len >= 2 && !judge_length(ws))
        return;
    if (ws->header_len == header_bytes(ws))
        begin_payload(ws);
}

void ws_feed(struct ws *ws, struct span bytes)
{
    while (bytes.len != 0) {
        size_t len = 1;

        switch (ws->step) {
        case STEP_HEADER:
            take_header(ws, (unsigned char)bytes.ptr[0]);
            break;
        case STEP_PAYLOAD:
            len = bytes.len < ws->frame.left ? bytes.len : (size_t)ws->frame.left;
            ws->frame.left -= len;
            if (ws->frame.is_masked)
                take_masked(ws, span_sub(bytes, 0, len));
            else
                take_plain(ws, span_sub(bytes, 0, len));
            if (ws->frame.left == 0)
                end_frame(ws);
            break;
        case STEP_LOST:
            len = bytes.len;
            ws->lost_bytes += len;
            break;
        }
        bytes = span_from(bytes, len);
    }
}

void ws_finish(struct ws *ws)
{
    if (ws->step == STEP_LOST)
        return;
    if (ws->step == STEP_PAYLOAD && ws->frame.opcode >= OP_CLOSE)
        unit_tell(ws, &ws->control, false);
    if (ws->step == STEP_HEADER && ws->header_len != 0)
        fault(ws, "the stream ended within a frame's header");
    else if (ws->data.kind != 0)
        unit_tell(ws, &ws->data, false);
    ws->step = STEP_LOST;
}

uint64_t ws_lost_bytes(const struct ws *ws)
{
    return ws->lost_bytes;
}
