/* piece: the parts in which an exchange travels from its recorder to the writer, ready to be bound to SQL.
 *
 * An exchange's entry stands for it on the way; pieces point to it. The recorder makes both; once a piece is
 * queued it is the writer's, and with the piece marked PIECE_LAST so is the entry. Text in a piece is in the
 * store's form and lies in one block, so its place is an offset. */
#ifndef WEIR_CAPTURE_PIECE_H
#define WEIR_CAPTURE_PIECE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "capture/seen_cookies.h"
#include "capture/store/store.h"
#include "proxy/base/queue.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/uid.h"
#include "proxy/exchange/tap.h"

struct exchange_piece;
struct roster_session;

/* What of an exchange is in the store: the writer's, kept twice so that a batch that failed can be undone. */
struct entry_progress {
    bool is_in_store, is_visible;
    bool is_list[2];
    int64_t bodies[2]; /* 0: none yet */
    uint64_t kept[2];
    int64_t first_cookie, last_cookie; /* 0: none */
};

struct entry {
    struct roster_session *session;
    unsigned char uid[UID_BYTES];
    /* The writer's from the first piece on. */
    uint32_t seq; /* 0: has none yet */
    struct entry_progress now, committed;
    struct exchange_piece *first, *last; /* of this batch, linked by next_of_entry */
    bool is_lost;                        /* the store failed, and pieces of it are gone */
    bool is_over;                        /* its last piece was seen */
    TAILQ_ENTRY(entry) in_batch;
    TAILQ_ENTRY(entry) in_all;
};

enum piece_kind { PIECE_EXCHANGE, PIECE_EVENT };

struct piece {
    struct queue_item item;
    enum piece_kind kind;
    struct roster_session *session; /* that it goes to */
};

enum piece_mark {
    PIECE_REQUEST = 1 << 0,  /* the first: has the request's head */
    PIECE_RESPONSE = 1 << 1, /* has the response's head */
    PIECE_TAKEN = 1 << 2,    /* the filter takes the exchange */
    PIECE_REFUSED = 1 << 3,  /* the filter does not */
    PIECE_ASK = 1 << 4,      /* the filter wants to look into the store */
    PIECE_LAST = 1 << 5,
};

/* Where text is in the block; len PIECE_NO_TEXT: there is none. */
struct piece_text {
    uint32_t offset, len;
};
#define PIECE_NO_TEXT UINT32_MAX

/* Bytes of a body, from offset on; never across a multiple of STORE_PIECE_BYTES. */
struct piece_bytes {
    char *bytes; /* owned; NULL: none */
    uint32_t len, cap;
    uint64_t offset;
    uint64_t hash;   /* store_hash, when the bytes are a whole piece of the body by themselves */
    bool ends_piece; /* the next bytes begin a new multiple, or there are none */
    bool ends_body;
};

struct piece_cookie {
    enum cookie_source source;
    uint64_t time_us;
    struct piece_text name, value, line; /* bytes, not text */
};

/* A message: the row of the store, but for its texts and payload, which are in the block. */
struct piece_message {
    struct record_message row;
    struct piece_text payload, event_type, event_id, note;
};

struct exchange_piece {
    struct piece base;
    struct entry *entry; /* NULL: cookies of an exchange that the filter left out */
    struct exchange_piece *next_of_entry;
    unsigned marks;
    struct strbuf text; /* the block */

    /* With PIECE_REQUEST. */
    uint64_t started_us;
    struct piece_text client_addr, method, query, protocol, request_headers, request_type;
    int request_version;
    struct tap_tls *client_tls; /* referenced; NULL: none */
    /* With PIECE_REQUEST, or when there are cookies. */
    struct piece_text scheme, host, path;
    uint16_t port;
    /* With PIECE_RESPONSE. */
    int response_version, status;
    struct piece_text reason, response_headers, response_type;
    /* When there is something new. Arrays of two are by enum http_role. */
    struct piece_text interim, trailers[2], error;
    struct piece_bytes bodies[2];
    struct piece_cookie *cookies; /* owned */
    size_t cookie_count;
    struct piece_message *messages; /* owned; in order */
    size_t message_count;
    /* As known now. */
    enum record_state state;
    int64_t times[TAP_T_COUNT];
    struct piece_text origin_addr;
    struct tap_tls *origin_tls; /* referenced */
    uint64_t bytes[2], wire_bytes[2], tunnel_sent_bytes, tunnel_received_bytes;
    unsigned attempts, flags;
    uint32_t last_message; /* the number of the last one told so far; 0: none */
};

struct event_piece {
    struct piece base;
    uint64_t time_us;
    char *kind, *client_addr, *host, *text; /* owned, text of the store */
    bool sets_state;                        /* of all sessions of the capture */
    enum session_state state;
};

struct exchange_piece *piece_new(struct roster_session *session, struct entry *entry);
/* client_addr and host may be NULL. */
struct event_piece *piece_event(struct roster_session *session, uint64_t time_us, const char *kind,
                                const char *client_addr, const char *host, const char *text);
void piece_free(struct piece *piece); /* the entry stays */

/* Network bytes as text of the store; ptr NULL: no text. */
struct piece_text piece_add_text(struct exchange_piece *piece, struct span bytes);
/* Bytes as they are. */
struct piece_text piece_add_bytes(struct exchange_piece *piece, struct span bytes);
/* As fields_json.h has them. */
struct piece_text piece_add_headers(struct exchange_piece *piece, const struct headers *headers);
/* The media type of a Content-Type, lower case, without parameters; none when there is none. */
struct piece_text piece_add_type(struct exchange_piece *piece, const struct headers *headers);
/* Borrowed until more is added. ptr NULL: none. */
struct span piece_text(const struct exchange_piece *piece, struct piece_text text);

/* Those of a request's Cookie fields that this client has not sent last; see seen_cookies.h. */
void piece_add_sent_cookies(struct exchange_piece *piece, const struct tap_exchange *exchange,
                            const struct headers *headers, struct seen_cookies *seen);
/* Those of a response's Set-Cookie fields, and whether there is any. */
void piece_add_set_cookies(struct exchange_piece *piece, const struct headers *headers);
bool piece_sets_cookies(const struct headers *headers);
/* name and value are copied as they are; line is the whole Set-Cookie value, or ptr NULL. */
void piece_add_cookie(struct exchange_piece *piece, enum cookie_source source, uint64_t time_us,
                      struct span name, struct span value, struct span line);

/* Copies message; max_payload: so much of its payload is kept (of a fault all of it), none with 0. */
void piece_add_message(struct exchange_piece *piece, const struct message *message, enum http_role direction,
                       uint32_t n, uint64_t time_us, size_t max_payload);
/* As messages[i] is to be stored. Its spans are borrowed until more is added. */
struct record_message piece_message(const struct exchange_piece *piece, size_t i);

/* What it weighs in the queue: call once, right before it is queued. */
void piece_weigh(struct exchange_piece *piece);

#endif
