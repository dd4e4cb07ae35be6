/* secret_names: names for secrets, each for one alone: a word as it is, or with a number behind it:
 * "shopSid", "shopSid_2".
 *
 * A name is eight bytes and is spelled when it is wanted: a million sessions have names of one word, which is
 * kept once. The same words in the same order get the same names. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_NAMES_H
#define WEIR_CAPTURE_EXPORT_SECRET_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

struct secret_name {
    uint32_t word, number; /* 0: the word alone */
};

struct secret_names;
struct secret_names *secret_names_new(void);
void secret_names_free(struct secret_names *names); /* NULL is fine */

/* The number of a word; the same one for the same word. */
uint32_t secret_names_word(struct secret_names *names, struct span text);
const char *secret_names_text(const struct secret_names *names, uint32_t word); /* borrowed while names is */

/* Before the first name is taken: may says which are possible at all. It is asked again for each, so self
 * outlives names. */
void secret_names_set_judge(struct secret_names *names, bool (*may)(void *self, const char *name),
                            void *self);
/* The next name of that word. Some number must be possible. */
struct secret_name secret_names_take(struct secret_names *names, uint32_t word);
/* Exactly that name, where nobody has it and it is possible. False: not. */
bool secret_names_take_whole(struct secret_names *names, struct span text, struct secret_name *out_name);
/* Appended. */
void secret_names_add(const struct secret_names *names, struct secret_name name, struct strbuf *out);

#endif
