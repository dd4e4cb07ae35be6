/* import: another tool's file becomes a session like any other.
 *
 * HAR documents, mitmproxy's flow files and cookie files. What is read goes the way of what is captured, so
 * that hosts, types, cookies, messages and shared bodies are found as a recorder finds them; the exchange's
 * times are those of the file. A file is never in memory as a whole. Where it is damaged, or has what no
 * session can hold, that is counted with its reason and the rest is imported. */
#ifndef WEIR_CAPTURE_IMPORT_IMPORT_H
#define WEIR_CAPTURE_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct import_job;
struct input;

/* What is said of a file besides how much of it was imported; each with how often, and of the first which. */
enum import_reason {
    IMPORT_NO_EXCHANGE,   /* left out: it says no method or no URL */
    IMPORT_NOT_HTTP,      /* left out: data:, blob:, file:, ... */
    IMPORT_BAD_URL,       /* left out */
    IMPORT_OTHER_FLOW,    /* left out: TCP, DNS, ... */
    IMPORT_BAD_COOKIE,    /* left out */
    IMPORT_BAD_FIELD,     /* a header field was left out */
    IMPORT_LONG,          /* something besides bodies was cut */
    IMPORT_BAD_MESSAGE,   /* a message was left out */
    IMPORT_NO_TIME,       /* takes the time of the import */
    IMPORT_NO_BODY,       /* the file says how long a body was, and does not have it */
    IMPORT_BAD_BASE64,    /* kept as the text it is */
    IMPORT_FORM_REMADE,   /* only the fields of a form were there */
    IMPORT_HTTP_3,        /* recorded as HTTP/2 */
    IMPORT_LOCAL_STORAGE, /* of a storageState */
    IMPORT_REASON_COUNT,
};
const char *import_reason_text(enum import_reason reason);

/* So many places of damage are told one by one. */
#define IMPORT_DAMAGES 10

struct import_report {
    char session[201];           /* its name */
    uint64_t exchanges, cookies; /* imported */
    struct {
        uint64_t count;
        char first[160];
    } reasons[IMPORT_REASON_COUNT];
    uint64_t damage_count;
    char damages[IMPORT_DAMAGES][200];
    char incomplete[256]; /* "", or what the store could not take */
};

struct import_format {
    const char *name, *what;
    bool (*is_mine)(struct input *input);
    void (*read)(struct import_job *job); /* what is wrong goes into the report */
};
extern const struct import_format import_formats[]; /* name NULL behind the last */

struct import_options {
    const char *store_path;
    const char *session_name; /* NULL: made from date and time; that of an ended session is continued */
    const struct import_format *format;                          /* NULL: told by content */
    void (*progress)(void *self, uint64_t done, uint64_t total); /* bytes; now and then; may be NULL */
    void *progress_self;
};

/* Fills out_report when it is true, also where the file was damaged. False: nothing was imported, or the
 * store failed. ERR_SYS: the file; ERR_PROTO: it is of no format that is known; ERR_STORE, and what
 * capture_start says. A new session that nothing came into is taken away again. */
bool import_file(const char *path, const struct import_options *options, struct import_report *out_report,
                 struct err *err);

#endif
