/* record: an exchange at rest, as readers of the store get it.
 *
 * Owned by the cursor that made it (see store.h) and valid until that cursor's next step. All text is bytes
 * as they were on the wire; the store keeps it as ISO 8859-1 turned into UTF-8, so that its text is valid and
 * the bytes recoverable: record_text_add and record_bytes_add do that, and nobody else converts. */
#ifndef WEIR_CAPTURE_RECORD_H
#define WEIR_CAPTURE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/exchange/tap.h"
#include "proxy/http/messages.h"

enum record_state {
    RECORD_OPEN, /* under way, or its session was interrupted and not mended yet */
    RECORD_DONE,
    RECORD_ABORTED, /* as far as it came; error says why */
};

struct record_field {
    struct span name, value;
};

struct record_fields {
    struct record_field *items;
    size_t count;
};

struct record_body {
    int64_t id;     /* for store_body_read; 0: no bytes are kept */
    uint64_t bytes; /* how many passed (after transfer decoding, content codings kept) */
    uint64_t kept;  /* how many of them are in the store: fewer when a limit cut the record */
};

struct record {
    int64_t session;
    uint32_t seq; /* EXCHANGE: its number in the session, from 1 */
    char uid[37]; /* UUIDv7 */
    enum record_state state;
    uint64_t started_us;                  /* wall clock, which may be set back: seq tells the order */
    int64_t times[TAP_T_COUNT];           /* µs after started_us, or TAP_NEVER */
    struct span client_addr, origin_addr; /* "address:port" */

    struct span method, scheme, host;
    uint16_t port;
    struct span path, query;               /* exactly as sent; query.ptr NULL: there was no '?' */
    struct span protocol;                  /* of an extended CONNECT (RFC 8441); empty: none */
    int request_version, response_version; /* enum http_version; 0: none */
    int status;                            /* 0: no final response */
    struct span reason;
    struct record_fields request_headers, response_headers, request_trailers, response_trailers;
    struct span interim;                     /* JSON: [[103,[["Link","..."]]],...]; empty: none */
    struct span request_type, response_type; /* Content-Type's media type, lower case, without parameters */
    struct record_body request_body, response_body;
    uint64_t request_wire_bytes, response_wire_bytes;
    uint64_t tunnel_sent_bytes, tunnel_received_bytes;
    struct span client_tls, origin_tls; /* JSON, see tap.h; empty: none */
    struct span error;                  /* empty: none */
    unsigned attempts, flags;           /* enum tap_flag */
    uint32_t messages;                  /* how many the store has: see store_messages */
};

enum record_message_flag {
    RECORD_MESSAGE_TRUNCATED = 1 << 0,  /* the payload is only the beginning */
    RECORD_MESSAGE_INCOMPLETE = 1 << 1, /* the stream ended before the message did */
    RECORD_MESSAGE_COMPRESSED = 1 << 2, /* it came compressed */
    RECORD_MESSAGE_UNDECODED = 1 << 3,  /* and still is */
    RECORD_MESSAGE_BAD_UTF8 = 1 << 4,
};

/* One thing said inside an exchange: see proxy/http/messages.h. Valid for the call that shows it. */
struct record_message {
    uint32_t n;       /* its number in the exchange, from 1, both directions together */
    uint64_t time_us; /* wall clock */
    enum http_role direction;
    enum message_kind kind;
    struct span payload; /* ptr NULL: not kept */
    uint64_t size, wire_size;
    unsigned flags;
    int close_code;                   /* 0: none */
    struct span event_type, event_id; /* empty: none */
    bool has_retry;
    uint64_t retry_ms;
    struct span note; /* empty: none */
};

/* What the flags are called in JSON, each once. */
#define RECORD_MESSAGE_FLAGS 5
extern const struct record_flag_name {
    unsigned flag;
    const char *name;
} record_message_flag_names[RECORD_MESSAGE_FLAGS];

/* What the kinds are called, in the store and in JSON: "text", "close", ... */
const char *record_message_kind_name(enum message_kind kind);
/* False: no name of a kind. */
bool record_message_kind_find(struct span name, enum message_kind *out_kind);

/* What each of the times is called in JSON, by enum tap_time. */
extern const char *const record_time_names[TAP_T_COUNT];

/* Whether its bytes were relayed to a host and port; a CONNECT that names a protocol (RFC 8441 §4) has a path
 * and an answer like any request. */
bool record_is_tunnel(const struct record *record);
/* Whether another protocol was spoken behind it, or would have been in its stream of HTTP/2. */
bool record_is_upgrade(const struct record *record);
/* The first field of that name, case ignored. */
bool record_find(const struct record_fields *fields, struct span name, struct span *out_value);
/* All values of that name joined by ", "; false when there is none. out is appended to. */
bool record_join(const struct record_fields *fields, struct span name, struct strbuf *out);
/* scheme://host[:port]path[?query] as the client meant it. Appended to out. */
void record_add_url(const struct record *record, struct strbuf *out);

/* Bytes -> text of the store, and back (a code point above 0xff in the text, which weir never writes, is an
 * error: false). */
void record_text_add(struct strbuf *out_text, struct span bytes);
bool record_bytes_add(struct strbuf *out_bytes, struct span text);

#endif
