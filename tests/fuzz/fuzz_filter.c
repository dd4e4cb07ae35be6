/* A filter from any text: it is refused with one line, or its live answers and its SQL agree on every
 * exchange of filter_world, which nothing that a person types may make SQLite refuse. Halfway an exchange,
 * the answer may be unknown but not wrong. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter_term.h"
#include "proxy/base/mem.h"
#include "tests/support/filter_world.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void wrong(const char *text, const char *what)
{
    fprintf(stderr, "'%s': %s\n", text, what);
    abort();
}

static bool looks_into_bodies(const struct filter *filter)
{
    for (size_t i = 0; i < filter->count; i++) {
        if (filter->terms[i].key == TERM_BODY)
            return true;
    }
    return false;
}

static void check_exchange(const struct filter *filter, const char *text, const struct filter_subject *done,
                           bool is_stored)
{
    struct filter_subject begun = { .exchange = done->exchange, .request = done->request };
    enum filter_answer early = filter_match(filter, &begun), late = filter_match(filter, done);

    if (late == FILTER_NOT_YET ? !looks_into_bodies(filter) : (late == FILTER_YES) != is_stored)
        wrong(text, "live and stored answers differ");
    if (early != FILTER_NOT_YET && early != late)
        wrong(text, "an early answer was not the last");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct filter_world *world;
    bool found[ROW_COUNT];
    struct filter *filter;
    const char *why;
    struct err err;
    char *text;

    if (world == NULL)
        world = filter_world_new();
    text = mem_spandup(span_make(bytes, len));
    if (!filter_parse(text, &filter, &err)) {
        if (err.code != ERR_USAGE || err.text[0] == '\0' || strchr(err.text, '\n') != NULL)
            wrong(text, "a complaint that is none");
    } else {
        if (!filter_world_select(world, filter, found, &why))
            wrong(text, why);
        for (size_t i = 0; i < ROW_COUNT; i++)
            check_exchange(filter, text, filter_world_subject(world, i), found[i]);
        filter_unref(filter);
    }
    mem_free(text);
    return 0;
}
