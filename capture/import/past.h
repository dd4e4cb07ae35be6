/* past: an exchange that is over, as a file tells it, on its way into the session.
 *
 *     past_init -> fill in what is known -> past_tell -> past_clear
 *
 * Its bodies stay in the file until past_tell, which reads them there. */
#ifndef WEIR_CAPTURE_IMPORT_PAST_H
#define WEIR_CAPTURE_IMPORT_PAST_H

#include "capture/import/import_job.h"
#include "capture/import/json_in.h"
#include "proxy/http/message.h"

/* Of the heads and whatever else is not a body: more than any client or server takes. */
#define PAST_TEXT_BYTES ((size_t)1024 * 1024)
#define PAST_FIELDS     10000

enum past_body_kind {
    PAST_NO_BODY,
    PAST_BYTES,  /* those in bytes */
    PAST_RANGE,  /* len bytes at offset of the file */
    PAST_TEXT,   /* the JSON string at offset */
    PAST_BASE64, /* what the JSON string at offset stands for */
};

struct past_body {
    enum past_body_kind kind;
    uint64_t offset, len;
    struct strbuf bytes;
    uint64_t missing;    /* so many bytes passed that the file does not have */
    bool may_be_decoded; /* of a coding that the fields name: then it is put on again */
};

/* The pieces of a body, borrowed for the call. */
typedef void (*past_sink)(void *self, struct span bytes);
/* False: what should be base64 is none, or the file can't be read. */
bool past_body_read(struct import_job *job, const struct past_body *body, past_sink sink, void *self);

struct past {
    uint64_t started_us;
    int64_t times[TAP_T_COUNT];
    char client_addr[TAP_ADDRESS_BYTES], origin_addr[TAP_ADDRESS_BYTES];
    struct tap_tls *tls[2]; /* referenced: by enum http_role that of the client, of the origin; NULL: none */
    char scheme[8], host[URL_HOST_BYTES];
    uint16_t port;
    struct http_head *request;  /* its target is past_set_url's */
    struct http_head *response; /* NULL: none came */
    struct headers trailers[2];
    struct past_body bodies[2];
    unsigned flags;
    struct strbuf error; /* empty: it ended well */
    /* Tells the messages that the file has, with past_message; NULL: it has none. */
    void (*messages)(struct past *past, void *self);
    void *messages_self;
    struct telling *telling; /* while past_tell is under way */
};

void past_init(struct past *past);
void past_clear(struct past *past);

/* Method and absolute URL of the request. Blanks, control characters and a fragment are taken care of, ws and
 * wss are http and https. ERR_URL; ERR_PROTO for a scheme that is not HTTP's. */
bool past_set_request(struct past *past, struct span method, struct span url, struct err *err);
/* The same from parts; host without brackets, target as it was sent. */
bool past_set_target(struct past *past, struct span method, struct span scheme, const char *host,
                     uint16_t port, struct span target, struct err *err);
/* With the response's head made. */
void past_set_response(struct past *past, int status, struct span reason);
/* Where the URL has an address and the request names a host, the host is what was meant. */
void past_prefer_named_host(struct past *past, struct span named);

/* Counts the fields that no message can hold. A value of several lines becomes several fields. */
void past_add_field(struct import_job *job, struct headers *headers, struct span name, struct span value);

/* Only from inside past->messages. */
void past_message(struct past *past, const struct message *message, enum http_role direction,
                  uint64_t time_us);

void past_tell(struct import_job *job, struct past *past);

#endif
