/* Firefox has roots of its own: the profile's certificate database gets ours by NSS's certutil. Its settings
 * service is asked for dozens of lists and can't be switched off by a setting alone: it takes another server
 * only when a variable says that a developer is at work, and this one name for "none". */
#include "tools/firefox.h"

#include <string.h>

#include "certs/file.h"
#include "certs/run.h"
#include "proxy/base/mem.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

const char *const firefox_env[] = { "MOZ_REMOTE_SETTINGS_DEVTOOLS=1", "MOZ_CRASHREPORTER_DISABLE=1", NULL };

static const struct {
    const char *name, *value;
} settings[] = {
    /* everything through us, loopback too, and nothing around us */
    { "network.proxy.type", "1" },
    { "network.proxy.allow_hijacking_localhost", "true" },
    { "network.proxy.no_proxies_on", "\"\"" },
    { "network.proxy.failover_direct", "false" },
    { "network.trr.mode", "5" },
    { "network.http.http3.enable", "false" },
    { "network.dns.disablePrefetch", "true" },
    { "security.enterprise_roots.enabled", "false" },
    /* no window, page or bar but what was asked for */
    { "browser.aboutwelcome.enabled", "false" },
    { "browser.newtabpage.enabled", "false" },
    { "browser.preonboarding.enabled", "false" },
    { "browser.shell.checkDefaultBrowser", "false" },
    { "browser.startup.homepage", "\"about:blank\"" },
    { "browser.startup.homepage_override.mstone", "\"ignore\"" },
    { "browser.startup.page", "0" },
    { "browser.tabs.warnOnClose", "false" },
    { "signon.rememberSignons", "false" },
    { "startup.homepage_welcome_url", "\"\"" },
    { "startup.homepage_welcome_url.additional", "\"\"" },
    { "termsofuse.bypassNotification", "true" },
    { "trailhead.firstrun.didSeeAboutWelcome", "true" },
    /* nothing to its maker */
    { "app.normandy.enabled", "false" },
    { "app.shield.optoutstudies.enabled", "false" },
    { "app.update.auto", "false" },
    { "app.update.enabled", "false" },
    { "browser.newtab.preload", "false" },
    { "browser.newtabpage.activity-stream.feeds.system.topstories", "false" },
    { "browser.newtabpage.activity-stream.feeds.topsites", "false" },
    { "browser.newtabpage.activity-stream.showSponsored", "false" },
    { "browser.newtabpage.activity-stream.showSponsoredTopSites", "false" },
    { "browser.newtabpage.activity-stream.telemetry", "false" },
    { "browser.ping-centre.telemetry", "false" },
    { "browser.region.network.url", "\"\"" },
    { "browser.region.update.enabled", "false" },
    { "browser.safebrowsing.blockedURIs.enabled", "false" },
    { "browser.safebrowsing.downloads.enabled", "false" },
    { "browser.safebrowsing.downloads.remote.enabled", "false" },
    { "browser.safebrowsing.malware.enabled", "false" },
    { "browser.safebrowsing.phishing.enabled", "false" },
    { "browser.safebrowsing.provider.google4.updateURL", "\"\"" },
    { "browser.safebrowsing.provider.google5.updateURL", "\"\"" },
    { "browser.safebrowsing.provider.mozilla.updateURL", "\"\"" },
    { "browser.search.suggest.enabled", "false" },
    { "browser.search.update", "false" },
    { "browser.translations.enable", "false" },
    { "browser.urlbar.quicksuggest.enabled", "false" },
    { "browser.urlbar.suggest.searches", "false" },
    { "datareporting.healthreport.uploadEnabled", "false" },
    { "datareporting.policy.dataSubmissionEnabled", "false" },
    { "datareporting.usage.uploadEnabled", "false" },
    { "dom.push.connection.enabled", "false" },
    { "extensions.blocklist.enabled", "false" },
    { "extensions.getAddons.cache.enabled", "false" },
    { "extensions.htmlaboutaddons.recommendations.enabled", "false" },
    { "extensions.systemAddon.update.enabled", "false" },
    { "extensions.systemAddon.update.url", "\"\"" },
    { "extensions.update.enabled", "false" },
    { "identity.fxaccounts.enabled", "false" },
    { "media.gmp-manager.updateEnabled", "false" },
    { "media.gmp-manager.url", "\"\"" },
    { "messaging-system.rsexperimentloader.enabled", "false" },
    { "network.captive-portal-service.enabled", "false" },
    { "network.connectivity-service.enabled", "false" },
    { "services.settings.server", "\"data:,#remote-settings-dummy/v1\"" },
    { "toolkit.telemetry.enabled", "false" },
    { "toolkit.telemetry.server", "\"\"" },
    { "toolkit.telemetry.unified", "false" },
};

static void add_setting(struct strbuf *out, const char *name, const char *value)
{
    strbuf_printf(out, "user_pref(\"%s\", %s);\n", name, value);
}

/* proxy is "127.0.0.1:41233" or "[::1]:41233"; Firefox wants the address without brackets. */
static void add_proxy(struct strbuf *out, const char *proxy)
{
    const char *colon = strrchr(proxy, ':');
    struct span host = span_make(proxy, (size_t)(colon - proxy));
    char *quoted;

    if (host.len > 2 && host.ptr[0] == '[')
        host = span_sub(host, 1, host.len - 2);
    quoted = mem_printf("\"%.*s\"", SPAN_ARG(host));
    add_setting(out, "network.proxy.http", quoted);
    add_setting(out, "network.proxy.http_port", colon + 1);
    add_setting(out, "network.proxy.ssl", quoted);
    add_setting(out, "network.proxy.ssl_port", colon + 1);
    mem_free(quoted);
}

static bool certutil(const char *const *argv, struct err *err)
{
    struct strbuf output = STRBUF_EMPTY;
    int status;
    bool ok = run_tool(argv, SPAN("\n"), &output, &status, err);

    if (!ok && err->code == ERR_FOUND)
        err_set(err, ERR_FOUND,
                "Firefox trusts us by NSS's certutil, which is missing: install libnss3-tools");
    else if (ok && status != 0)
        ok = err_set(err, ERR_CERT, "certutil: %.*s", SPAN_ARG(span_trim(strbuf_span(&output))));
    strbuf_clear(&output);
    return ok;
}

static bool make_trust(const char *dir, const struct ca *ca, struct err *err)
{
    char *url = mem_printf("sql:%s", dir);
    bool ok = certutil((const char *const[]){ "certutil", "-N", "-d", url, "--empty-password", NULL }, err) &&
              certutil((const char *const[]){ "certutil", "-A", "-d", url, "-n", "weir CA", "-t", "C,,", "-i",
                                              ca_cert_path(ca), NULL },
                       err);

    mem_free(url);
    return ok;
}

static bool make_profile(const char *dir, const struct browser_route *route, struct err *err)
{
    struct strbuf text = STRBUF_EMPTY;
    char *path = mem_printf("%s/user.js", dir);
    bool ok;

    add_proxy(&text, route->proxy);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        add_setting(&text, settings[i].name, settings[i].value);
    ok = file_make_dirs(dir, err) && file_write(path, 0600, strbuf_span(&text), err) &&
         make_trust(dir, route->ca, err);
    strbuf_clear(&text);
    mem_free(path);
    return ok;
}

/* With one dash or two, as Firefox takes them. */
static bool is_switch(const char *word, const char *name)
{
    return word[0] == '-' && strcmp(word + (word[1] == '-' ? 2 : 1), name) == 0;
}

bool firefox_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err)
{
    bool has_profile = false;
    size_t count = 0, next = 0;
    char *dir = mem_printf("%s/profile", route->dir), **all;
    bool ok = true;

    for (; argv[count] != NULL; count++)
        has_profile = has_profile || is_switch(argv[count], "profile") || is_switch(argv[count], "P");
    all = mem_array(char *, count + 4);
    all[next++] = mem_strdup(argv[0]);
    all[next++] = mem_strdup("--no-remote");
    if (!has_profile) {
        all[next++] = mem_strdup("--profile");
        all[next++] = mem_strdup(dir);
        ok = make_profile(dir, route, err);
    }
    for (size_t i = 1; i < count; i++)
        all[next++] = mem_strdup(argv[i]);
    mem_free(dir);
    if (ok)
        *out_argv = all;
    else
        browser_argv_free(all);
    return ok;
}
