/* secret_rules: what is a secret: by the name it goes by, and by what it looks like. Any thread.
 *
 * Entropy alone makes nothing a secret: ids, hashes and nonces are data. How far a value is a secret is
 * decided here as well. A token that nobody would write by chance is one wherever it stands; the password
 * "admin" or the PIN 1234 is one only where it was given as such, or every other word of the export would
 * be taken for it. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_RULES_H
#define WEIR_CAPTURE_EXPORT_SECRET_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/export/secret_text.h"
#include "proxy/base/span.h"

enum secret_kind {
    SECRET_TOKEN, /* and whatever else has a secret's name */
    SECRET_BEARER,
    SECRET_BASIC, /* the base64 of user and password */
    SECRET_PASSWORD,
    SECRET_PIN,
    SECRET_COOKIE,
    SECRET_KEY, /* of an API */
    SECRET_SIGNATURE,
    SECRET_JWT,
    SECRET_PRIVATE_KEY,
    SECRET_CARD,
    SECRET_PATTERN, /* a person's */
};

enum secret_reach {
    SECRET_NOT,        /* no secret: empty, true, null, 0, or a text with the name of one */
    SECRET_HERE,       /* in the places that name it */
    SECRET_EVERYWHERE, /* wherever that value stands, in every spelling */
};

/* What a leaf is by its name; out_kind is set where the answer is not SECRET_NOT.
 *
 * - true, false, null, undefined, none, 0 and the empty text are never secrets.
 * - Numbers of JSON are secrets only as PINs and passwords: {"max_tokens": 4096} is none.
 * - Text with blanks from an origin is words for a person, whatever it is called.
 * - Everywhere: 8 bytes and more (passwords: 6) of more than one class of characters (lower, upper, digits,
 *   others), that are no URL, path, host, date, number, word or list of words; those of Authorization, keys
 * of APIs and passwords may be words with '-' or '_' between them. Of one class: 20 and more, 12 of digits
 * and where the place leaves no doubt. Everything else: here. */
enum secret_reach secret_rules_judge(const struct secret_text *text, const struct secret_leaf *leaf,
                                     enum secret_kind *out_kind);

/* The next value at or after from that is a secret by what it looks like: a JWT, a private key in PEM, a
 * token with a known prefix, the number of a payment card (the length of its issuer, a check digit that fits,
 * no digit or letter or ".-" with a digit beside it). Each is one everywhere. name: what to call it, "Jwt".
 */
struct secret_look {
    struct span text;
    enum secret_kind kind;
    const char *name;
};
bool secret_rules_look(struct span text, size_t from, struct secret_look *out_look);

#endif
