/* scope: which hosts a person wants opened, and which passed through sealed, whatever is learned about them.
 *
 * A rule is a host with or without a port: "api.test", "*.api.test" (what is below it), ".api.test" (both),
 * "api.test:8443", "*:993", "[::1]:8443", "10.0.0.*"; several in one text have commas between them. A star
 * stands for any text, dots too; upper and lower case are the same, as is a dot at the end. A rule is about a
 * connection when it fits the name that was dialled or the client's SNI.
 *
 * Where both fit, --open wins: --seal '*' --open api.test looks into one host and nothing else, and
 * --seal .bank.test --open login.bank.test makes an exception. The other way round, all open but one, is
 * --no-auto-seal --seal bank.test. --open holds against what was learned, too: ask scope_of first, and what
 * is remembered (origins.h) only where the answer is SCOPE_AUTO.
 * Threads: immutable once made, shared freely. */
#ifndef WEIR_MODE_SCOPE_H
#define WEIR_MODE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct scope;

struct scope_options {
    const char *const *seal, *const *open; /* what was given to --seal and --open */
    size_t seal_count, open_count;
    bool no_auto_seal;
};

enum scope_answer {
    SCOPE_AUTO,   /* nobody said: opened, unless it was learned that the client pins it */
    SCOPE_OPEN,   /* opened, whatever was learned */
    SCOPE_SEALED, /* passed through unopened */
};

/* ERR_USAGE with the option, the rule and what is wrong with it. The texts are copied. */
bool scope_new(const struct scope_options *options, struct scope **out_scope, struct err *err);
void scope_free(struct scope *scope); /* NULL is fine */

/* host: what is dialled, IPv6 without brackets; sni: empty before the ClientHello, or where there is none.
 * *out_rule becomes the rule that decided, borrowed from the scope; NULL when none did: the answer is then
 * SCOPE_AUTO, or SCOPE_OPEN with no_auto_seal. */
enum scope_answer scope_of(const struct scope *scope, struct span host, struct span sni, uint16_t port,
                           const char **out_rule);

#endif
