#include "capture/export/noise.h"

#include <stddef.h>

struct known {
    const char *host; /* itself and all below it; NULL: any */
    const char *path; /* what it begins with; NULL: any */
};

static const struct known list[] = {
    /* Analytics. */
    { "google-analytics.com", NULL },
    { "analytics.google.com", NULL },
    { "stats.g.doubleclick.net", NULL },
    { "www.google.com", "/ccm/collect" },
    { "bat.bing.com", NULL },
    { "clarity.ms", NULL },
    { "www.facebook.com", "/tr" },
    { "api.segment.io", NULL },
    { "api.segment.com", NULL },
    { "api-js.mixpanel.com", NULL },
    { "api.mixpanel.com", "/track" },
    { "api.amplitude.com", NULL },
    { "api2.amplitude.com", NULL },
    { "hotjar.com", NULL },
    { "hotjar.io", NULL },
    { "fullstory.com", "/rec/" },
    { "px.ads.linkedin.com", NULL },
    { "plausible.io", "/api/event" },
    { NULL, "/cdn-cgi/rum" },
    /* What an application tells of its own crashes and speed. */
    { "ingest.sentry.io", NULL },
    { "ingest.us.sentry.io", NULL },
    { "ingest.de.sentry.io", NULL },
    { "nr-data.net", NULL },
    { "browser-intake-datadoghq.com", NULL },
    { "browser-intake-datadoghq.eu", NULL },
    { "notify.bugsnag.com", NULL },
    { "sessions.bugsnag.com", NULL },
    { "crashlyticsreports-pa.googleapis.com", NULL },
    { "firebaselogging-pa.googleapis.com", NULL },
    /* What a browser does by itself. */
    { "detectportal.firefox.com", NULL },
    { "incoming.telemetry.mozilla.org", NULL },
    { "firefox.settings.services.mozilla.com", NULL },
    { "content-signature-2.cdn.mozilla.net", NULL },
    { "push.services.mozilla.com", NULL },
    { "safebrowsing.googleapis.com", NULL },
    { "optimizationguide-pa.googleapis.com", NULL },
    { "update.googleapis.com", NULL },
    { "content-autofill.googleapis.com", NULL },
    { "edgedl.me.gvt1.com", NULL },
    { "smartscreen.microsoft.com", NULL },
};

/* name itself, or what ends in "." and name. */
static bool is_below(struct span host, struct span name)
{
    if (!span_ends(host, name))
        return false;
    return host.len == name.len || host.ptr[host.len - name.len - 1] == '.';
}

bool noise_is(struct span host, struct span path)
{
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        if ((list[i].host == NULL || is_below(host, span_of(list[i].host))) &&
            (list[i].path == NULL || span_starts(path, span_of(list[i].path))))
            return true;
    return false;
}
