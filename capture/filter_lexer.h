/* filter_lexer: cuts a filter's text into words, keys and values; knows quotes, stars and re:/…/, and what a
 * complaint looks like. The keys' meanings are filter.c's. Everything is borrowed from the text. */
#ifndef WEIR_CAPTURE_FILTER_LEXER_H
#define WEIR_CAPTURE_FILTER_LEXER_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Longer than any URL that people write down; keeps what a value becomes in SQL far below SQLite's limits. */
#define FILTER_MAX_VALUE_BYTES 4096

struct filter_lexer {
    const char *text; /* all of it */
    const char *at;   /* what comes next */
    const char *word; /* where the word began, for complaints */
};

/* One value: text in two forms, or a regular expression. */
struct filter_value {
    struct strbuf glob;  /* a pattern of proxy/base/pattern.h: what was quoted is escaped */
    struct strbuf plain; /* without quotes and escapes; of a regular expression what is between the slashes */
    bool is_regex, is_any_case;
    bool is_quoted; /* some part was in quotes: "" is a value, too */
    char stop;      /* which of stops ended it; it is eaten. '\0': none did */
};

void filter_value_init(struct filter_value *value);
void filter_value_clear(struct filter_value *value);

/* Goes to the next word; false at the end. Eats its '-' and its key with the colon. A key is letters before a
 * colon that no "//" follows, so that a URL is text; out_key is empty when there is none, and for re:/…/. */
bool filter_lexer_word(struct filter_lexer *lexer, bool *out_is_negated, struct span *out_key);

/* The value that begins here, up to a blank, a comma, or one of stops, outside quotes. ERR_USAGE. */
bool filter_lexer_value(struct filter_lexer *lexer, const char *stops, struct filter_value *out_value,
                        struct err *err);

/* Eats the comma that goes to the word's next value; false when the word has ended. */
bool filter_lexer_comma(struct filter_lexer *lexer);

/* ERR_USAGE: "filter: WHAT at column N: 'word'", and "; HINT" when hint is not "". Always false. */
bool filter_lexer_complain(const struct filter_lexer *lexer, struct err *err, const char *hint,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
