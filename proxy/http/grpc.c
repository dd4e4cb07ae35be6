#include "proxy/http/grpc.h"

#include <stdio.h>

#include "proxy/base/mem.h"
#include "proxy/http/coding.h"
#include "proxy/http/payload.h"

#define PREFIX_BYTES 5

enum { FLAG_COMPRESSED = 0x01, FLAG_TRAILERS = 0x80 };

enum step { STEP_PREFIX, STEP_PAYLOAD, STEP_LOST };

/* Four characters of base64 that are being collected. */
struct quad {
    uint32_t bits;
    unsigned len, padding;
};

struct grpc {
    enum grpc_form form;
    char *encoding;
    size_t max_message_bytes;
    message_sink sink;
    void *self;

    enum step step;
    struct quad quad; /* GRPC_WEB_TEXT */
    unsigned char prefix[PREFIX_BYTES];
    size_t prefix_len;
    uint64_t left; /* of the message under way */
    uint64_t wire_size;
    struct payload payload;
    struct coding *coding; /* NULL: the payload is told as it came */
    bool is_undecoded, is_damaged;
    const char *note;
    char damage[128]; /* the note on what could not be decoded */
    uint64_t lost_bytes;
};

struct grpc *grpc_new(enum grpc_form form, struct span encoding, size_t max_message_bytes, message_sink sink,
                      void *self)
{
    struct grpc *grpc = mem_new(struct grpc);

    grpc->form = form;
    grpc->encoding = mem_spandup(encoding);
    grpc->max_message_bytes = max_message_bytes;
    grpc->sink = sink;
    grpc->self = self;
    payload_init(&grpc->payload, max_message_bytes);
    return grpc;
}

void grpc_free(struct grpc *grpc)
{
    if (grpc == NULL)
        return;
    coding_free(grpc->coding);
    payload_clear(&grpc->payload);
    mem_free(grpc->encoding);
    mem_free(grpc);
}

static void fault(struct grpc *grpc, const char *why)
{
    struct message message = { .kind = MESSAGE_FAULT, .payload = span_of(why), .size = strlen(why) };

    grpc->step = STEP_LOST;
    grpc->sink(grpc->self, &message);
}

static void damaged(struct grpc *grpc, const struct err *err)
{
    grpc->is_damaged = true;
    if (err->code == ERR_LIMIT) {
        grpc->note = "it decodes to much more than is kept: its size is not known";
    } else {
        snprintf(grpc->damage, sizeof grpc->damage, "it can't be decoded: %.100s", err->text);
        grpc->note = grpc->damage;
    }
}

static void begin_decoding(struct grpc *grpc)
{
    struct span encoding = span_of(grpc->encoding);
    struct err err = { 0 };

    if (encoding.len == 0 || span_ieq(encoding, SPAN("identity"))) {
        grpc->is_undecoded = true;
        grpc->note = "it is marked as compressed, but no grpc-encoding says how";
    } else if (!coding_new(encoding, (uint64_t)grpc->max_message_bytes * MESSAGE_DECODED_MAX, &grpc->coding,
                           &err)) {
        grpc->is_undecoded = true;
        grpc->note = "it is in a grpc-encoding that weir does not know";
    }
}

static void tell(struct grpc *grpc, bool is_whole)
{
    struct message message = { .kind =
                                   (grpc->prefix[0] & FLAG_TRAILERS) != 0 ? MESSAGE_TRAILERS : MESSAGE_GRPC,
                               .wire_size = grpc->wire_size,
                               .is_incomplete = !is_whole,
                               .is_compressed = (grpc->prefix[0] & FLAG_COMPRESSED) != 0,
                               .is_undecoded = grpc->is_undecoded,
                               .note = grpc->note };

    payload_tell(&grpc->payload, is_whole && !grpc->is_damaged, &message);
    message.is_truncated = message.is_truncated || grpc->is_damaged;
    grpc->sink(grpc->self, &message);
}

static void end_message(struct grpc *grpc)
{
    struct err err = { 0 };

    if (grpc->coding != NULL && !grpc->is_damaged && !coding_finish(grpc->coding, &err))
        damaged(grpc, &err);
    tell(grpc, true);
    coding_free(grpc->coding);
    grpc->coding = NULL;
    grpc->step = STEP_PREFIX;
    grpc->prefix_len = 0;
}

static void begin_message(struct grpc *grpc)
{
    const unsigned char *prefix = grpc->prefix;

    grpc->left = (uint64_t)prefix[1] << 24 | (uint64_t)prefix[2] << 16 | (uint64_t)prefix[3] << 8 | prefix[4];
    grpc->step = STEP_PAYLOAD;
    grpc->wire_size = 0;
    grpc->is_undecoded = grpc->is_damaged = false;
    grpc->note = NULL;
    payload_reset(&grpc->payload);
    grpc->payload.is_text = (prefix[0] & FLAG_TRAILERS) != 0;
    if ((prefix[0] & FLAG_COMPRESSED) != 0)
        begin_decoding(grpc);
    if (grpc->left == 0)
        end_message(grpc);
}

static void take_prefix(struct grpc *grpc, unsigned char byte)
{
    unsigned known = grpc->form == GRPC_PLAIN ? FLAG_COMPRESSED : FLAG_COMPRESSED | FLAG_TRAILERS;

    grpc->prefix[grpc->prefix_len++] = byte;
    if ((grpc->prefix[0] & ~known) != 0) {
        grpc->lost_bytes++;
        fault(grpc, "a message prefix with a flag that is not known");
    } else if (grpc->prefix_len == PREFIX_BYTES) {
        begin_message(grpc);
    }
}

static bool collect(void *self, struct span bytes, struct err *err)
{
    (void)err;
    payload_add(self, bytes);
    return true;
}

static void take_payload(struct grpc *grpc, struct span bytes)
{
    struct err err = { 0 };

    grpc->left -= bytes.len;
    grpc->wire_size += bytes.len;
    if (grpc->coding == NULL)
        payload_add(&grpc->payload, bytes);
    else if (!grpc->is_damaged && !coding_feed(grpc->coding, bytes, collect, &grpc->payload, &err))
        damaged(grpc, &err);
    if (grpc->left == 0)
        end_message(grpc);
}

static void take_frames(struct grpc *grpc, struct span bytes)
{
    while (bytes.len != 0) {
        size_t len = 1;

        switch (grpc->step) {
        case STEP_PREFIX:
            take_prefix(grpc, (unsigned char)bytes.ptr[0]);
            break;
        case STEP_PAYLOAD:
            len = bytes.len < grpc->left ? bytes.len : (size_t)grpc->left;
            take_payload(grpc, span_sub(bytes, 0, len));
            break;
        case STEP_LOST:
            len = bytes.len;
            grpc->lost_bytes += len;
            break;
        }
        bytes = span_from(bytes, len);
    }
}

/* -1: none of RFC 4648 §4. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padding ends a quad and not the text: after it another piece may begin. */
static void take_character(struct grpc *grpc, char c)
{
    struct quad *quad = &grpc->quad;
    int digit = base64_digit(c);
    char bytes[3];

    if (c == '=' ? quad->len < 2 : digit < 0 || quad->padding != 0) {
        grpc->lost_bytes += quad->len + 1;
        fault(grpc, "text that is no base64");
        return;
    }
    quad->bits = quad->bits << 6 | (digit >= 0 ? (uint32_t)digit : 0);
    quad->padding += digit < 0;
    if (++quad->len < 4)
        return;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(quad->bits >> (16 - 8 * i) & 0xff);
    take_frames(grpc, span_make(bytes, sizeof bytes - quad->padding));
    *quad = (struct quad){ .len = 0 };
}

void grpc_feed(struct grpc *grpc, struct span bytes)
{
    if (grpc->form != GRPC_WEB_TEXT) {
        take_frames(grpc, bytes);
        return;
    }
    for (; bytes.len != 0 && grpc->step != STEP_LOST; bytes = span_from(bytes, 1))
        take_character(grpc, bytes.ptr[0]);
    grpc->lost_bytes += bytes.len;
}

void grpc_finish(struct grpc *grpc)
{
    if (grpc->step == STEP_PAYLOAD) {
        tell(grpc, false);
    } else if (grpc->step == STEP_PREFIX && (grpc->prefix_len != 0 || grpc->quad.len != 0)) {
        grpc->lost_bytes += grpc->prefix_len;
        fault(grpc, "the stream ended within a message's prefix");
    }
    grpc->step = STEP_LOST;
}

uint64_t grpc_lost_bytes(const struct grpc *grpc)
{
    return grpc->lost_bytes;
}
