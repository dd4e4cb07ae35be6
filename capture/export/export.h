/* export: writes a session in a format that another tool reads.
 *
 * Each format is one file and one row of export_formats. An export to a file is written beside it (0600) and
 * takes its place when it is whole and on disk; one that fails leaves what was there. Before that, what was
 * written is read again and searched for secrets (secret_gate.h), also on its way to a stream. Memory does
 * not grow with the session but for a few bytes an exchange, and the secrets it has. The same session and
 * options give the same bytes. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_EXPORT_H
#define WEIR_CAPTURE_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "capture/export/merge.h"
#include "capture/export/source.h"
#include "proxy/base/err.h"

struct export_job;

/* What a format does with secrets, unless they are to be kept. */
enum export_hiding {
    EXPORT_HIDES_NOTHING,   /* they are what it is for, or it has no way yet */
    EXPORT_HIDES_BY_MASK,   /* REDACTED_name */
    EXPORT_HIDES_BY_NAME,   /* variables, whose values are in a file beside it */
    EXPORT_HOLDS_VARIABLES, /* it is that file */
};

struct export_format {
    const char *name;      /* NULL ends the table */
    const char *what;      /* for help */
    const char *file_name; /* what follows a name of the user's choice: ".har" */
    enum export_hiding hiding;
    bool (*write)(struct export_job *job, struct err *err);
    const char *values_name; /* of EXPORT_HIDES_BY_NAME: the same of its file of values; else NULL */
};
extern const struct export_format export_formats[];
const struct export_format *export_find_format(const char *name); /* NULL: none */

enum export_group { EXPORT_BY_BOTH, EXPORT_BY_DOMAIN, EXPORT_BY_ENDPOINT, EXPORT_CHRONOLOGICAL };
/* "both", "domain", "endpoint", "chronological". ERR_USAGE. */
bool export_parse_group(const char *text, enum export_group *out_group, struct err *err);

enum export_secrets {
    EXPORT_SECRETS_ENV,  /* values in a file beside the export alone */
    EXPORT_SECRETS_DROP, /* and there empty */
    EXPORT_SECRETS_KEEP, /* everything as it was captured */
};

/* How far an export is: it reads the session more than once. */
enum export_phase {
    EXPORT_LEARNING, /* what is secret */
    EXPORT_WRITING,
    EXPORT_CHECKING, /* what was written for secrets; told once, when it begins */
};
typedef void (*export_progress)(void *self, enum export_phase phase, uint64_t done, uint64_t total);

enum export_profile {
    EXPORT_RUNNABLE, /* endpoints with examples, to be read, run and changed */
    EXPORT_FAITHFUL, /* every request as it was captured, in order of time */
};

/* Where the cookies of a collection's requests come from. */
enum export_cookies {
    EXPORT_COOKIES_JAR,    /* from the client's jar */
    EXPORT_COOKIES_HEADER, /* each request sends those it was captured with, and no others */
    EXPORT_COOKIES_NONE,   /* no request sends any */
};

enum export_tests { EXPORT_TESTS_NONE, EXPORT_TESTS_STATUS, EXPORT_TESTS_TYPE, EXPORT_TESTS_SHAPE };

struct export_options {
    const struct export_format *format;
    enum export_profile profile; /* collection */
    enum export_group group;     /* collection, environment; a faithful one is chronological */
    enum export_cookies cookies; /* collection; a faithful one sends what was sent */
    enum export_tests tests;     /* collection: each also what those before it do */
    unsigned max_examples;       /* of an item; 0: as many as EXPORT_MAX_EXAMPLES */
    bool keeps_all;              /* collection: nothing is merged, nothing is noise */
    bool keeps_paths;            /* collection: no path is templated, but by patterns */
    const char *const *patterns; /* collection, openapi: overrides of templates */
    size_t pattern_count;
    bool links;              /* collection, runnable: values that were issued are variables */
    FILE *explain;           /* where to say why, a line for each path and exchange; NULL: nowhere */
    const char *report_file; /* the same, into a file: JSON where it ends in ".json"; NULL: none */
    const char *into;   /* collection, to a file: one that it is merged into, see merge.h; one that is not
                           there makes no difference; NULL: none */
    const char *name;   /* of the collection or environment; NULL: made of host and time */
    const char *host;   /* openapi: HOST[:PORT], the only one that is described; NULL: all */
    const char *domain; /* cookies: see jar_scope_parse; NULL: all */
    bool no_httponly_prefix; /* cookies.txt: HttpOnly cookies stand on lines like all others */
    unsigned session_days; /* cookies: session cookies expire so many days after now_us; 0: with the client */
    uint64_t now_us;       /* wall clock; only its day counts. With session_days */
    bool unsynced;         /* to a file: without waiting for the disk, see outfile_show */
    bool strip_partitioned;     /* cookies: partitioned cookies are written as plain ones */
    uint64_t max_example_bytes; /* of a response's body */
    bool keep_browser_headers;  /* collection: browser noise is sent too */
    enum export_secrets secrets;
    const char *secret_patterns; /* a file: see secret_patterns.h; NULL: none */
    export_progress progress;    /* told before each exchange; NULL: nobody is */
    void *progress_self;
};
/* The most of a response's body that is kept as an example: more is no help to a reader. */
#define EXPORT_MAX_EXAMPLE_BYTES (256 * 1024)
#define EXPORT_MAX_EXAMPLES      5

/* What could not be written as it was, or not at all. */
enum export_reason {
    EXPORT_TUNNEL, /* exchanges that are none of the export */
    EXPORT_NO_RESPONSE,
    EXPORT_OWN_RESPONSE,
    EXPORT_UPGRADED,
    EXPORT_REQUEST_CUT,
    EXPORT_HEAD_LONG,
    EXPORT_GONE,
    EXPORT_METHOD_UNKNOWN,
    EXPORT_METHOD_CASE, /* exchanges that come back changed */
    EXPORT_ASTERISK,
    EXPORT_ESCAPED,
    EXPORT_TARGET_UNFIT,
    EXPORT_HEADER_UNFIT,
    EXPORT_HEADER_SPELLING,
    EXPORT_TRAILERS,
    EXPORT_UNDECODED,
    EXPORT_LITERALS,
    EXPORT_BRACES,
    EXPORT_BODY_NO_PLACE,
    EXPORT_BY_ITSELF, /* openapi */
    EXPORT_SITE,
    EXPORT_NO_OPERATION,
    EXPORT_OPERATIONS_MANY,
    EXPORT_SCHEMA_PARTIAL,
    EXPORT_NAMES_MANY,
    EXPORT_BODY_MASKED,
    EXPORT_PATTERN_UNUSED, /* patterns */
    EXPORT_MERGED,         /* exchanges of which others speak */
    EXPORT_NOISE,
    EXPORT_CREDENTIAL, /* items */
    EXPORT_LINKED,     /* variables */
    EXPORT_LINK_LATE,
    EXPORT_LINKS_MANY,
    EXPORT_EXAMPLE_CUT, /* examples */
    EXPORT_EXAMPLE_LEFT_OUT,
    EXPORT_BODY_CUT,       /* har */
    EXPORT_COOKIE_IGNORED, /* cookies */
    EXPORT_COOKIE_UNFIT,
    EXPORT_COOKIE_PATH,
    EXPORT_COOKIE_CASE,
    EXPORT_COOKIE_TWINS,
    EXPORT_COOKIE_PARTITIONED,
    EXPORT_COOKIE_TOP_SITE,
    EXPORT_COOKIE_INFERRED,
    EXPORT_LOCAL_STORAGE,
    EXPORT_REASON_COUNT,
};
/* One line for a person, to follow a count: "tunnels: their bytes are not HTTP". */
const char *export_reason_text(enum export_reason reason);

struct export_report {
    uint64_t considered, written; /* exchanges, or cookies; of a collection items */
    uint64_t examples;            /* exchanges that are further examples of items */
    struct {
        uint64_t count;
        char first[80]; /* the first one: "exchange 17", "cookie sid of shop.test" */
    } reasons[EXPORT_REASON_COUNT];
    bool has_files;    /* bodies lie beside the export, in files_path */
    char *files_path;  /* owned; export_report_clear */
    bool is_hidden;    /* no secret is in it */
    char *values_path; /* owned; where their values are; NULL: nowhere, or there is none */
    uint64_t values;   /* variables there that have their value */
    uint64_t blanks;   /* and those that somebody has to fill in */
    bool is_merged;    /* into a file that was there */
    struct merge_counts merged;
};
void export_report_clear(struct export_report *report);

/* out_report is the caller's to clear, whether it succeeds or not. ERR_LEAK: a secret would have been in it,
 * and nothing is written. ERR_LIMIT: there are too many to know them all. */
bool export_to_file(const struct export_source *source, const struct export_options *options,
                    const char *path, struct export_report *out_report, struct err *err);
/* The same, at once, to a stream that is left open; nothing lies beside it. Where secrets are hidden, it is
 * made in a file that has no name first. */
bool export_to_stream(const struct export_source *source, const struct export_options *options, FILE *stream,
                      struct export_report *out_report, struct err *err);

#endif
