/* opt: the options of every command: one table for parsing, usage, help and completion.
 *
 * Options are long (--name VALUE or --name=VALUE); -o and -h are the only letters. They may stand between
 * operands; "--" ends them. An option given again replaces what it said before, or adds to it where it is an
 * OPT_LIST. Nothing is abbreviated, so that a new option never changes the meaning of an old script.
 *
 * Everybody on a machine can read everybody's command lines: of a password there a copy is kept, and what
 * stands in argv is overwritten as it is read. */
#ifndef WEIR_TOOLS_OPT_H
#define WEIR_TOOLS_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"

enum command_id {
    COMMAND_CAPTURE,
    COMMAND_BROWSER,
    COMMAND_SESSIONS,
    COMMAND_LIST,
    COMMAND_SHOW,
    COMMAND_EXPORT,
    COMMAND_COOKIES,
    COMMAND_IMPORT,
    COMMAND_CA,
    COMMAND_HELP,
    COMMAND_COUNT,
};

struct arg_list {
    const char **items; /* owned array of borrowed text */
    size_t count;
};

struct arg_size {
    bool is_given;
    uint64_t bytes;
};

/* What the person asked for. Text is borrowed from argv, or from hidden; NULL, false, 0: not given. A choice
 * is its place in the row's list of choices, from 1. */
struct args {
    const char *store, *ca_dir;
    bool help;

    struct arg_list listen, via, client_cert, seal, open;
    const char *session, *upstream_ca, *allow, *filter, *keep_last;
    const char *mode, *proxy_auth, *client_cert_pass, *keylog;
    bool insecure, no_bodies, skip_media, durable, quiet;
    bool allow_private, no_auto_seal, no_mirror;
    const char *browser;
    struct arg_size max_body, max_header_bytes;
    int log_level, log_format;

    bool json, follow, raw, curl, force, keep_browser_headers;
    int body, key_type, group_by, completion;
    int format; /* of import */
    const char *output, *name, *domain;
    bool messages; /* of show, with follow */
    const char *proto_descriptors;
    int session_per, secrets;
    const char *secret_patterns, *host;
    int profile, tests, cookies;
    bool no_dedup, no_template, explain, link, no_link;
    const char *max_examples, *report, *into;
    struct arg_size max_example_body;
    struct arg_list template, sync_cookies, live_export;
    bool cookies_only, no_httponly_prefix, history;
    const char *session_expiry;
    int partitioned;

    struct arg_list hidden; /* owned: the texts of which argv shows asterisks */
    struct arg_list operands;
    char *const *command; /* of `capture -- COMMAND ARG...` and `browser -- ARG...`, ends in NULL */
};

enum opt_kind {
    OPT_FLAG,   /* bool */
    OPT_TEXT,   /* const char * */
    OPT_FILE,   /* the same, a path */
    OPT_FOLDER, /* the same, a path of a folder */
    OPT_SECRET, /* const char *: "USER:PASSWORD", of which argv keeps the user; "@FILE" */
    OPT_LIST,   /* struct arg_list */
    OPT_URLS,   /* the same, of "[WORD=]URL": argv keeps no users and passwords */
    OPT_CHOICE, /* int */
    OPT_SIZE,   /* struct arg_size: 4096, 10k, 1M, 2G; powers of 1024 */
};

struct opt {
    unsigned commands; /* a bit for each command that takes it: OPT_OF(COMMAND_CAPTURE) | ... */
    const char *name;
    char letter; /* 0: none */
    enum opt_kind kind;
    const char *value; /* what its value is called; of an OPT_CHOICE: the choices, with '|' between them */
    size_t offset;     /* in struct args */
    const char *help;  /* NULL: hidden */
};
#define OPT_OF(command) (1u << (command))

/* The row that command meets at or after i; NULL at the end. *i becomes its place. */
const struct opt *opt_next(enum command_id command, size_t *i);

/* Reads argv, which does not hold the program's and the command's names. Values of the wrong form are
 * refused. On failure out_args is empty. ERR_USAGE, with what was meant where that can be guessed. */
bool opt_parse(enum command_id command, char *const *argv, struct args *out_args, struct err *err);
void args_clear(struct args *args);

/* "4096", "10k", "1M", "2G", also with a final "b" or "ib", any case. */
bool opt_parse_size(const char *text, uint64_t *out_bytes);

/* "user:password" in "[WORD=]URL"; empty when there is none. Up to the last "@": rather too much than half a
 * password. */
struct span opt_credentials(const char *url);

/* The text at place choice (from 1) of "a|b|c"; empty when there is none. */
struct span opt_choice(const char *choices, size_t choice);

/* The word among candidates (ends in NULL) that a person who typed text may have meant; NULL: none is near.
 */
const char *opt_guess(const char *text, const char *const *candidates);

/* The options of command as lines for help. */
void opt_add_help(struct strbuf *out, enum command_id command);

#endif
