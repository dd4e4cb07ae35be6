/* har_entry: one entry of a HAR as its tool wrote it, and what it means.
 *
 * What is long or can only be understood later (bodies, fields of forms, messages) is remembered by its place
 * in the file. */
#ifndef WEIR_CAPTURE_IMPORT_HAR_ENTRY_H
#define WEIR_CAPTURE_IMPORT_HAR_ENTRY_H

#include "capture/import/import_job.h"
#include "capture/import/json_in.h"
#include "capture/import/past.h"

enum har_timing {
    HAR_BLOCKED,
    HAR_DNS,
    HAR_CONNECT,
    HAR_SSL,
    HAR_SEND,
    HAR_WAIT,
    HAR_RECEIVE,
    HAR_TIMING_COUNT,
};

/* One side's message. */
struct har_side {
    bool is_there;
    struct strbuf version, type; /* as written */
    struct strbuf body_encoding;
    struct headers headers;     /* without pseudo-header fields */
    struct strbuf cookies;      /* a Cookie field's value, from the array of cookies */
    struct headers set_cookies; /* the same of a response */
    uint64_t text_at;           /* the body's text; 0: none */
    bool has_pseudo;            /* it was HTTP/2 or later, whatever the version says */
    double size;                /* of the body as the tool counts it */
};

struct har_entry {
    struct import_job *job;
    uint64_t number; /* in the file, from 1 */
    struct strbuf started, method, url, address, status_text, error;
    struct strbuf pseudo_method, authority;
    double status, time, timings[HAR_TIMING_COUNT]; /* ms; negative: not known */
    struct har_side sides[2];
    uint64_t params_at, messages_at;    /* 0: none */
    double close_code;                  /* of a WebSocket; 0: none */
    struct strbuf first, second, third; /* of whatever small object is being read */
    enum http_role role;                /* whose that is */
};

void har_entry_init(struct har_entry *entry, struct import_job *job);
void har_entry_reset(struct har_entry *entry);
void har_entry_clear(struct har_entry *entry);

/* The object that token began. False: broken inside. */
bool har_entry_read(struct har_entry *entry, struct json_in *json, enum json_in_token token);
/* Tells it, or counts why it can't be. */
void har_entry_tell(struct har_entry *entry);

#endif
