/* credential: how a captured request shows who sends it, as an auth helper of a collection: a client makes
 * the same header field or query pair of it again.
 *
 * Secrets in it are variables. What is bound to its connection or signed for one moment can't be sent again:
 * then there is no helper, and a note says why. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_CREDENTIAL_H
#define WEIR_CAPTURE_EXPORT_CREDENTIAL_H

#include "capture/export/json_out.h"
#include "capture/export/secrets.h"
#include "capture/record.h"

struct links;

enum credential_kind {
    CREDENTIAL_NONE, /* also those that can't be sent again */
    CREDENTIAL_BEARER,
    CREDENTIAL_BASIC,
    CREDENTIAL_API_KEY,
    CREDENTIAL_AWS,
    CREDENTIAL_DIGEST,
};

#define CREDENTIAL_MAX_ATTRIBUTES 6

struct credential {
    enum credential_kind kind;
    struct {
        const char *key;
        struct strbuf value; /* text */
    } attributes[CREDENTIAL_MAX_ATTRIBUTES];
    size_t count;
    struct span field; /* name of the header field that it stands for; borrowed; ptr NULL: none */
    struct span pair;  /* name of the query pair */
    bool is_spent;     /* the field is of no use again: it is shown, and not sent */
    const char *note;  /* a line about what it takes; NULL: nothing */
};

/* Variables that somebody has to fill in: what they stand for was never sent. */
#define CREDENTIAL_AWS_VARIABLE    "awsSecretKey"
#define CREDENTIAL_DIGEST_VARIABLE "digestPassword"

/* secrets NULL: values are written as they are, but for those that links (NULL: none) are of. record is
 * borrowed until credential_clear. */
void credential_init(struct credential *out_credential, const struct record *record, struct secrets *secrets,
                     const struct links *links);
void credential_clear(struct credential *credential);

/* Equal for credentials that are written in the same way; 0: there is none. */
uint64_t credential_hash(const struct credential *credential);
/* The member "auth"; of none it is noauth. */
void credential_write(const struct credential *credential, struct json_out *json);

/* Whether that field, or pair of the query, is made by the helper. */
bool credential_takes_field(const struct credential *credential, struct span name);
bool credential_takes_pair(const struct credential *credential, struct span name);

#endif
