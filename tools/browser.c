#include "tools/browser.h"

#include <stddef.h>
#include <string.h>

#include "certs/leaf.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"

#define PROFILE_SWITCH "--user-data-dir="

bool browser_is_chromium(const char *command)
{
    static const char *const names[] = {
        "chromium",       "chromium-browser",      "chrome",
        "google-chrome",  "google-chrome-stable",  "google-chrome-beta",
        "microsoft-edge", "microsoft-edge-stable", "brave-browser",
        "vivaldi",        "vivaldi-stable",
    };
    const char *slash = strrchr(command, '/');

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(slash != NULL ? slash + 1 : command, names[i]) == 0)
            return true;
    return false;
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

bool browser_chromium_argv(char *const *argv, const char *proxy, const struct ca *ca, const char *dir,
                           char ***out_argv, struct err *err)
{
    bool has_profile = false;
    size_t count = 0, next = 0;
    char *trust, **all;

    if (!trust_switch(ca, &trust, err))
        return false;
    for (; argv[count] != NULL; count++)
        has_profile = has_profile || strncmp(argv[count], PROFILE_SWITCH, sizeof PROFILE_SWITCH - 1) == 0;
    all = mem_array(char *, count + 8);
    all[next++] = mem_strdup(argv[0]);
    all[next++] = mem_printf("--proxy-server=http://%s", proxy);
    all[next++] = mem_strdup("--proxy-bypass-list=<-loopback>");
    all[next++] = trust;
    all[next++] = mem_strdup("--disable-quic");
    all[next++] = mem_strdup("--no-first-run");
    if (!has_profile)
        all[next++] = mem_printf(PROFILE_SWITCH "%s/profile", dir);
    for (size_t i = 1; i < count; i++)
        all[next++] = mem_strdup(argv[i]);
    *out_argv = all;
    return true;
}

void browser_argv_free(char **argv)
{
    if (argv == NULL)
        return;
    for (char **at = argv; *at != NULL; at++)
        mem_free(*at);
    mem_free(argv);
}
