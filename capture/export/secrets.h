/* secrets: the secrets of a session: which values they are, what each is called, and text without them.
 *
 * A first pass over the exchanges collects them, from heads, bodies and messages of both directions; then
 * they are named, and are immutable but for the variables that secrets_variable makes. A value has one name
 * wherever it stands, so that whoever reads an export sees that two are the same: the host's label and the
 * place's name ("apiShopBearer", "apiShopSid"), in the order in which they were first seen, "_2" where that
 * is taken. The same session gives the same names.
 *
 * What is looked at: all of heads and query; of a body, decoded, and of each message, the first
 * SECRETS_MAX_TEXT bytes. Beyond them known values are still found, but no new ones.
 *
 * Memory: half a byte an exchange. Values are kept, at most SECRETS_MAX_BYTES of them, and 40 to 60 bytes a
 * secret for at most SECRETS_MAX_COUNT; a session with more fails with ERR_LIMIT, since half a list would be
 * a leak. Values over SECRET_MATCH_MAX are secrets in their places only. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRETS_H
#define WEIR_CAPTURE_EXPORT_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/export/secret_match.h"
#include "capture/export/secret_names.h"
#include "capture/export/secret_rules.h"
#include "capture/export/secret_text.h"
#include "capture/export/source.h"
#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"

#define SECRETS_MAX_COUNT 1200000
#define SECRETS_MAX_BYTES (36u * 1024 * 1024)
#define SECRETS_MAX_TEXT  (4u * 1024 * 1024)

struct secret { /* small: there may be a million */
    const char *ptr;
    uint32_t len;
    struct secret_name name;
    uint8_t kind;       /* enum secret_kind */
    bool is_everywhere; /* if not: only in the places that name it */
    bool is_used;       /* its variable was asked for */
    bool is_named;      /* by secrets_keep_names */
};

static inline struct span secret_value(const struct secret *secret)
{
    return span_make(secret->ptr, secret->len);
}

struct secrets;
struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets); /* NULL is fine */

/* Patterns of a person, before the pass: in each line of the file a regular expression, or NAME=EXPRESSION
 * with a name of letters, digits and '_'. What it matches, or its first group where it has one, is a secret
 * everywhere. Empty lines and lines that begin with '#' are passed over. ERR_SYS; ERR_USAGE with the line. */
bool secrets_load_patterns(struct secrets *secrets, const char *path, struct err *err);

/* The pass: all that source has, or one text at a time. Then secrets_seal. ERR_LIMIT; ERR_STORE. */
bool secrets_collect(struct secrets *secrets, const struct export_source *source, struct err *err);
bool secrets_add_text(struct secrets *secrets, const struct secret_text *text, struct err *err);

/* False: text is a body, or its front, that was added without any leaf in it that is a secret by its name. */
bool secrets_may_have_places(const struct secrets *secrets, const struct secret_text *text);

/* Before secrets_seal: names that values have already, somewhere that the export joins (NULL: the value is
 * not known there). Those that are no names of variables, or are taken, are not used. self outlives the
 * sealing. */
void secrets_keep_names(struct secrets *secrets, const char *(*known)(void *self, struct span value),
                        void *self);

/* Ends the pass: gives names and prepares finding. Of any {{token}} that stood in the texts none gets the
 * name; is_taken (NULL: nothing is) says which others are not free: base URLs. It is asked again for names of
 * spellings, so self outlives secrets. */
void secrets_seal(struct secrets *secrets, bool (*is_taken)(void *self, const char *name), void *self);

size_t secrets_count(const struct secrets *secrets);
/* Its name, appended; after secrets_seal. */
void secrets_add_name(const struct secrets *secrets, const struct secret *secret, struct strbuf *out);
const struct secret *secrets_at(const struct secrets *secrets, size_t i); /* in the order of first sight */
/* Of those that are secrets everywhere; borrowed. Its indices are for secrets_of_match. */
const struct secret_match *secrets_match(const struct secrets *secrets);
const struct secret *secrets_of_match(const struct secrets *secrets, size_t value);

/* The secret with that value, everywhere or not; NULL: none. */
const struct secret *secrets_find(const struct secrets *secrets, struct span value);

/* --- text without secrets ------------------------------------------------------------------------------ */

struct secret_piece {
    struct span text;            /* as it is spelled */
    const struct secret *secret; /* NULL: nothing secret */
    enum secret_form form;
    bool is_number; /* all of a number of JSON: what replaces it needs quotes to be JSON */
};
/* The pieces of a text, in order; together they are the text. Neighbours of nothing secret are one piece. */
void secrets_split(const struct secrets *secrets, const struct secret_text *text,
                   void (*each)(void *self, const struct secret_piece *piece), void *self);
bool secrets_are_in(const struct secrets *secrets, const struct secret_text *text);

/* Those of them that are secrets by their place alone, in order, for who reads the text in pieces. The
 * caller's, to mem_free; NULL: none. */
struct secret_range {
    size_t at, len;
    struct secret_piece piece;
};
struct secret_range *secrets_find_places(const struct secrets *secrets, const struct secret_text *text,
                                         size_t *out_count);

/* What stands for a secret. A mask is made of letters, digits and '_' alone, so that it is itself in JSON,
 * URLs, header fields, cookies, forms and file names, and is never escaped or parsed into something else:
 * REDACTED_apiShopBearer. */
enum secret_style { SECRET_STYLE_MASK, SECRET_STYLE_VARIABLE /* {{apiShopBearer}} */ };
#define SECRET_MASK_PREFIX "REDACTED_"

/* Appended. With variables, each occurrence is the variable of its spelling: see secrets_variable. */
void secrets_replace(struct secrets *secrets, const struct secret_text *text, enum secret_style style,
                     struct strbuf *out);

void secrets_add_mask(const struct secrets *secrets, const struct secret_piece *piece, struct strbuf *out);

/* A name for another variable, so that no secret's spelling gets it: base, or base with a number. Appended. */
void secrets_claim_name(struct secrets *secrets, const char *base, struct strbuf *out);

/* The variable that holds exactly the text of that piece: the secret's own name where it stands as it is,
 * "apiShopPassword_percent" and the like for another spelling (then "_2": two may differ). Borrowed until
 * the next call. Spellings beyond SECRETS_MAX_SPELLINGS share the secret's own name, whose value is not
 * theirs.
 */
#define SECRETS_MAX_SPELLINGS 10000
const char *secrets_variable(struct secrets *secrets, const struct secret_piece *piece);
/* All secrets in order, then the spellings that were asked for; or only_used: of both those alone that were
 * asked for. */
void secrets_each_variable(const struct secrets *secrets, bool only_used,
                           void (*each)(void *self, const char *name, struct span value,
                                        const struct secret *secret),
                           void *self);

#endif
