/* Trust by the digest of the key that all our leaves share: pages are secure, and neither the home nor a
 * database of the person's is involved. A folder of switches turns off what the browser would ask its maker
 * for; where there is no switch, the maker's host is replaced by one that does not exist, which is asked for
 * without the proxy. */
#include "tools/chromium.h"

#include <stddef.h>
#include <string.h>

#include "certs/file.h"
#include "certs/leaf.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

#define PROFILE_SWITCH "--user-data-dir="

/* RFC 6761 §6.4: nobody has a name below it. */
#define NOWHERE "weir.invalid"

static const char *const switches[] = {
    /* loopback too */
    "--proxy-bypass-list=<-loopback>;" NOWHERE,
    "--host-resolver-rules=MAP " NOWHERE " ~NOTFOUND",
    "--disable-quic",
    /* no window or bar but the page's; the bar would warn of our own switches */
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-search-engine-choice-screen",
    "--test-type",
    "--password-store=basic",
    /* nothing to its maker */
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--component-updater=disable-pings,url-source=https://" NOWHERE "/",
    "--gaia-url=https://" NOWHERE,
    "--disable-features=AutofillServerCommunication,CertificateTransparencyComponentUpdater,"
    "DialMediaRouteProvider,InterestFeedContentSuggestions,MediaRouter,NetworkTimeServiceQuerying,"
    "OptimizationGuideModelDownloading,OptimizationHints,Translate",
};

#define SWITCH_COUNT (sizeof switches / sizeof switches[0])

/* What has no switch. */
static const struct {
    const char *name, *text;
} settings[] = {
    { "Local State", "{\"background_mode\":{\"enabled\":false},\"dns_over_https\":{\"mode\":\"off\"}}\n" },
    { "Default/Preferences", "{\"alternate_error_pages\":{\"enabled\":false},"
                             "\"browser\":{\"check_default_browser\":false,\"enable_spellchecking\":false},"
                             "\"credentials_enable_service\":false,"
                             "\"safebrowsing\":{\"enabled\":false},"
                             "\"search\":{\"suggest_enabled\":false},"
                             "\"signin\":{\"allowed\":false,\"allowed_on_next_startup\":false},"
                             "\"spellcheck\":{\"dictionaries\":[],\"dictionary\":\"\"},"
                             "\"translate\":{\"enabled\":false}}\n" },
};

static bool make_profile(const char *dir, struct err *err)
{
    char *default_dir = mem_printf("%s/Default", dir);
    bool ok = file_make_dirs(default_dir, err);

    for (size_t i = 0; ok && i < sizeof settings / sizeof settings[0]; i++) {
        char *path = mem_printf("%s/%s", dir, settings[i].name);
        ok = file_write(path, 0600, span_of(settings[i].text), err);
        mem_free(path);
    }
    mem_free(default_dir);
    return ok;
}

static bool trust_switch(const struct ca *ca, char **out_switch, struct err *err)
{
    unsigned char digest[32];
    struct strbuf text = STRBUF_EMPTY;
    struct leaf *leaf;
    bool ok;

    if (!leaf_forge(ca, "weir.test", ca_key_type(ca), &leaf, err))
        return false;
    ok = leaf_key_digest(leaf, digest, err);
    if (ok) {
        strbuf_add_str(&text, "--ignore-certificate-errors-spki-list=");
        base64_add(&text, span_make(digest, sizeof digest));
        *out_switch = strbuf_detach(&text);
    }
    strbuf_clear(&text);
    leaf_unref(leaf);
    return ok;
}

bool chromium_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err)
{
    bool has_profile = false, ok = true;
    size_t count = 0, next = 0;
    char *trust, **all;

    if (!trust_switch(route->ca, &trust, err))
        return false;
    for (; argv[count] != NULL; count++)
        has_profile = has_profile || strncmp(argv[count], PROFILE_SWITCH, sizeof PROFILE_SWITCH - 1) == 0;
    all = mem_array(char *, count + SWITCH_COUNT + 4);
    all[next++] = mem_strdup(argv[0]);
    all[next++] = mem_printf("--proxy-server=http://%s", route->proxy);
    all[next++] = trust;
    for (size_t i = 0; i < SWITCH_COUNT; i++)
        all[next++] = mem_strdup(switches[i]);
    if (!has_profile) {
        char *dir = mem_printf("%s/profile", route->dir);
        ok = make_profile(dir, err);
        all[next++] = mem_printf(PROFILE_SWITCH "%s", dir);
        mem_free(dir);
    }
    for (size_t i = 1; i < count; i++)
        all[next++] = mem_strdup(argv[i]);
    if (ok)
        *out_argv = all;
    else
        browser_argv_free(all);
    return ok;
}
