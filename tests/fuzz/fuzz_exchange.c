/* HTTP/1 on both sides of the exchange engine, from the steps of a playbook (see exchange_play.h): whole and
 * one byte at a time the same goes out and the same is told, all that goes out has been told before, and what
 * is complete goes out whole. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "tests/support/exchange_play.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span steps = span_make(bytes, len);
    char *whole = exchange_play(steps, SIZE_MAX / 2), *bytewise = exchange_play(steps, 1);

    if (strcmp(whole, bytewise) != 0) {
        fprintf(stderr, "whole:\n%s\nbyte by byte:\n%s\n", whole, bytewise);
        abort();
    }
    mem_free(whole);
    mem_free(bytewise);
    return 0;
}
