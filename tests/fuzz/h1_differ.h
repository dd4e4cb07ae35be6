/* h1_differ: runs bytes through h1 in several ways and aborts where they tell different things. */
#ifndef WEIR_TESTS_H1_DIFFER_H
#define WEIR_TESTS_H1_DIFFER_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/h1_script.h"

/* Low, so that a fuzzer reaches them. */
#define DIFFER_LIMITS ((struct h1_limits){ 512, 12 })

static inline void differ_check(struct h1_script *one, struct h1_script *other, const char *how)
{
    if (strcmp(strbuf_text(&one->text), strbuf_text(&other->text)) != 0) {
        fprintf(stderr, "whole:\n%s\n%s:\n%s\n", strbuf_text(&one->text), how, strbuf_text(&other->text));
        abort();
    }
    h1_script_clear(other);
}

static inline void h1_differ(enum http_role role, struct span methods, struct span bytes)
{
    const struct h1_script setup = { .role = role, .methods = methods, .limits = DIFFER_LIMITS };
    struct h1_script whole = setup, bytewise = setup, paused = setup, plain = setup, again = setup;

    h1_script_run(&whole, bytes);
    bytewise.piece_bytes = 1;
    h1_script_run(&bytewise, bytes);
    differ_check(&whole, &bytewise, "byte by byte");
    paused.pauses = true;
    paused.piece_bytes = 7;
    h1_script_run(&paused, bytes);
    differ_check(&whole, &paused, "with pauses");
    h1_script_clear(&whole);

    plain.is_plain = again.is_plain = true;
    again.limits = H1_LIMITS_DEFAULT; /* a bare LF goes out as CRLF */
    h1_script_run(&plain, bytes);
    h1_script_run(&again, span_make(evbuffer_pullup(plain.out, -1), evbuffer_get_length(plain.out)));
    differ_check(&plain, &again, "written and read again");
    h1_script_clear(&plain);
}

#endif
