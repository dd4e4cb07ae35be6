/* imported: a document imported into a store of its own, for the tests of the formats. */
#ifndef WEIR_TESTS_SUPPORT_IMPORTED_H
#define WEIR_TESTS_SUPPORT_IMPORTED_H

#include "capture/import/import.h"
#include "tests/support/recording.h"

struct imported {
    struct test_folder folder;
    struct import_report report;
    struct err err;
    bool ok;
};

/* The first call makes the folder; later ones import into the same store. session may be NULL. */
void imported_add(struct imported *world, struct span document, const char *session);
void imported_clear(struct imported *world);

/* What SQL counts in the store. */
int64_t imported_number(struct imported *world, const char *sql);
/* The body of the newest exchange. The caller clears out. */
void imported_body(struct imported *world, enum http_role role, struct strbuf *out);

#endif
