/* Any bytes as the first that a client sends: never read past their end, the same answer for every way they
 * can arrive, and what is found lies where the header says. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/tls/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct hello *hello)
{
    assert(strlen(hello->sni) < sizeof hello->sni);
    assert(hello->max_version >= 0x0301 && hello->max_version <= 0x0304);
    if (hello->alpn.len != 0)
        assert(hello->alpn.ptr > hello->raw.ptr &&
               hello->alpn.ptr + hello->alpn.len <= hello->raw.ptr + hello->raw.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char scratch[HELLO_SCRATCH_BYTES];
    struct hello hello;
    enum hello_kind whole = hello_read(span_make(bytes, len), scratch, &hello);

    if (whole == HELLO_YES)
        check(&hello);
    if (whole == HELLO_NOT_TLS)
        assert(hello_sniff(span_make(bytes, len)) == HELLO_NOT_TLS);
    for (size_t cut = 0; cut < len && cut < 600; cut++) {
        /* An allocation of its own, so that one byte too many is seen. */
        char *start = mem_dup(bytes, cut);
        enum hello_kind kind = hello_read(span_make(start, cut), scratch, &hello);
        assert(kind == HELLO_NEED_MORE || kind == whole);
        mem_free(start);
    }
    if (hello_parse(span_make(bytes, len), &hello))
        check(&hello);
    return 0;
}
