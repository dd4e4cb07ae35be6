#include "proxy/live/seal_text.h"

#include "proxy/live/live.h"

static const char *alert_name(unsigned alert)
{
    static const char *const names[] = {
        [42] = "bad_certificate",
        [43] = "unsupported_certificate",
        [44] = "certificate_revoked",
        [45] = "certificate_expired",
        [46] = "certificate_unknown",
        [48] = "unknown_ca",
        [49] = "access_denied",
        [113] = "bad_certificate_status_response",
        [114] = "bad_certificate_hash_value",
    };
    const char *name = alert < sizeof names / sizeof names[0] ? names[alert] : NULL;

    return name != NULL ? name : "about the certificate";
}

static void add_duration(struct strbuf *out, uint64_t us)
{
    unsigned long long seconds = us / 1000000;

    if (seconds != 0 && seconds % 3600 == 0)
        strbuf_printf(out, "%llu h", seconds / 3600);
    else if (seconds != 0 && seconds % 60 == 0)
        strbuf_printf(out, "%llu min", seconds / 60);
    else
        strbuf_printf(out, "%llu s", seconds);
}

void seal_text_add_learned(struct strbuf *out, const char *client, const char *host, const struct pin *pin)
{
    const char *when = pin->is_again ? "once more when it was tried again" : "twice in a short time";

    if (pin->how == REFUSAL_ALERT)
        strbuf_printf(out, "%s refused weir's certificate for %s %s (alert %s)", client, host, when,
                      alert_name(pin->alert));
    else
        strbuf_printf(out, "%s closed the connection as soon as it had weir's certificate for %s, %s", client,
                      host, when);
    strbuf_add_str(out, ", though it trusts the CA: it pins that host, which passes sealed for ");
    add_duration(out, pin->seal_us);
    strbuf_printf(out, " and is then tried again; --open %s opens it all the same, --seal %s always seals it",
                  host, host);
}

void seal_text_add_asked(struct strbuf *out, const char *host, const char *rule)
{
    strbuf_printf(out, "%s passes sealed, as --seal %s wants it; --open %s makes an exception", host, rule,
                  host);
}

void seal_text_add_untrusted(struct strbuf *out, const char *client)
{
    strbuf_printf(out,
                  "%s does not trust weir's CA: on this machine run 'weir ca trust', on a phone open "
                  "http://" SELF_HOST "/ through the proxy",
                  client);
}
