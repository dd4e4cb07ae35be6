/* trust_store: what the files behind trust.h share; for them alone. */
#ifndef WEIR_CERTS_TRUST_STORE_H
#define WEIR_CERTS_TRUST_STORE_H

#include <stdbool.h>

#include "certs/trust.h"
#include "proxy/base/span.h"

enum trust_action { TRUST_INSTALL, TRUST_REMOVE };

/* One for each kind of store. */
void trust_system_do(enum trust_action action, const struct ca *ca, const struct trust_roots *roots,
                     struct trust_report *report);
void trust_nss_do(enum trust_action action, const struct ca *ca, const struct trust_roots *roots,
                  struct trust_report *report);

/* Adds an entry; its detail and undo are empty until set. Borrowed until the next one is added. */
struct trust_entry *trust_report_add(struct trust_report *report, const char *store, const char *path);
/* The end of an entry's story. */
void trust_entry_end(struct trust_entry *entry, enum trust_outcome outcome, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
void trust_entry_set_undo(struct trust_entry *entry, const char *undo, ...)
    __attribute__((format(printf, 2, 3)));

/* text as one word of a shell's command line; to be freed with mem_free. */
char *trust_shell_word(const char *text);

/* The last line that has anything in it: where tools say why. */
struct span trust_last_line(struct span output);

#endif
