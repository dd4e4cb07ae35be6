#include "capture/export/secret_gate.h"

#include <errno.h>
#include <inttypes.h>

#include "capture/export/secret_scan.h"
#include "proxy/base/mem.h"

#define READ_BYTES (256 * 1024)

struct gate {
    const struct secrets *secrets;
    const char *what;
    struct err *err;
};

static bool refuse(void *self, uint64_t at, struct span spelled, size_t value, enum secret_form form)
{
    struct gate *gate = self;
    struct strbuf name = STRBUF_EMPTY;

    (void)spelled; /* nobody is told the secret itself */
    secrets_add_name(gate->secrets, secrets_of_match(gate->secrets, value), &name);
    err_set(gate->err, ERR_LEAK, "%s would hold the secret %s (%s, at byte %" PRIu64 "): nothing is written",
            gate->what, strbuf_text(&name), secret_form_name(form), at);
    strbuf_clear(&name);
    return false;
}

bool secret_gate_pass(const struct secrets *secrets, FILE *file, const char *what, struct err *err)
{
    static const struct secret_scan_events events = { .on_found = refuse };
    struct gate gate = { secrets, what, err };
    struct secret_scan *scan = secret_scan_new(secrets_match(secrets), &events, &gate);
    char *bytes = mem_alloc(READ_BYTES);
    size_t len = 1;
    bool ok = true;

    rewind(file);
    while (ok && len != 0) {
        len = fread(bytes, 1, READ_BYTES, file);
        ok = secret_scan_feed(scan, span_make(bytes, len));
    }
    ok = ok && secret_scan_finish(scan);
    if (ok && ferror(file))
        ok = err_sys(err, errno, "can't read %s again to look for secrets", what);
    mem_free(bytes);
    secret_scan_free(scan);
    return ok;
}
