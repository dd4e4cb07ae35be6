/* fake_source: a session in memory, for tests of exporters. Text is copied; one thread. */
#ifndef WEIR_TESTS_FAKE_SOURCE_H
#define WEIR_TESTS_FAKE_SOURCE_H

#include "capture/export/export.h"

struct fake_source;

struct fake_source *fake_source_new(void);
void fake_source_free(struct fake_source *fake); /* NULL is fine */
/* Borrowed; valid while fake is. */
const struct export_source *fake_source_reader(struct fake_source *fake);

/* An exchange from a request and a response as they stand on an HTTP/1.1 wire ("\r\n" between lines, body
 * after the empty one, taken as it is). origin: "https://shop.test:8443". response NULL: there was none. The
 * record is the next in number and may be changed until the next call. */
struct record *fake_source_add(struct fake_source *fake, const char *origin, struct span request,
                               struct span response);

/* A message of the exchange that was added last, the next in number; its spans are borrowed. */
void fake_source_add_message(struct fake_source *fake, struct record_message message);

/* The same for an observed cookie, of the exchange that was added last: line of a Set-Cookie, or name and value of a sent one. */
void fake_source_set_cookie(struct fake_source *fake, const char *url, uint64_t time_us, const char *line);
void fake_source_sent_cookie(struct fake_source *fake, const char *url, uint64_t time_us, const char *name,
                             const char *value);

/* Reading bodies fails from now on. */
void fake_source_break(struct fake_source *fake);

/* The export as text, secrets and all, to be freed with free(); fails the test when the export does. */
char *fake_source_export(struct fake_source *fake, const char *format, const char *group, const char *domain);
/* The same with all that can be chosen. */
char *fake_source_export_as(struct fake_source *fake, const struct export_options *options);

#endif
