#include "proxy/live/self.h"

#include <stdio.h>
#include <string.h>

#include "proxy/base/base64.h"
#include "proxy/exchange/error_page.h"
#include "proxy/http/url.h"

static void add_field(struct http_head *head, struct span name, const char *value)
{
    struct err err; /* heads that weir makes have no limits, and these bytes are its own */

    headers_add(&head->headers, name, span_of(value), &err);
}

static struct http_head *answer(const char *type, const char *disposition, const struct http_head *request,
                                const struct strbuf *body)
{
    struct http_head *head = http_head_response(200);
    char length[24];

    snprintf(length, sizeof length, "%zu", body->len);
    add_field(head, SPAN("Content-Type"), type);
    add_field(head, SPAN("Content-Length"), length);
    add_field(head, SPAN("Cache-Control"), "no-store");
    if (disposition != NULL)
        add_field(head, SPAN("Content-Disposition"), disposition);
    head->framing = (struct framing){ BODY_LENGTH, body->len, request->framing.keeps_alive };
    if (!head->framing.keeps_alive)
        add_field(head, SPAN("Connection"), "close");
    return head;
}

/* Apple's property list for one root certificate; the payload's identifiers come from the certificate, so
 * that a second download replaces the first. */
static void add_mobileconfig(struct strbuf *out, struct span der, const char *id)
{
    strbuf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                        "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                        "<plist version=\"1.0\"><dict>\n"
                        "<key>PayloadContent</key><array><dict>\n"
                        "<key>PayloadCertificateFileName</key><string>weir.cer</string>\n"
                        "<key>PayloadContent</key><data>");
    base64_add(out, der);
    strbuf_printf(out,
                  "</data>\n"
                  "<key>PayloadDescription</key><string>Lets weir on your network read this device's "
                  "traffic.</string>\n"
                  "<key>PayloadDisplayName</key><string>weir CA</string>\n"
                  "<key>PayloadIdentifier</key><string>test.weir.ca.%s.root</string>\n"
                  "<key>PayloadType</key><string>com.apple.security.root</string>\n"
                  "<key>PayloadUUID</key><string>00000000-0000-4000-8000-0000%s</string>\n"
                  "<key>PayloadVersion</key><integer>1</integer>\n"
                  "</dict></array>\n"
                  "<key>PayloadDisplayName</key><string>weir CA</string>\n"
                  "<key>PayloadIdentifier</key><string>test.weir.ca.%s</string>\n"
                  "<key>PayloadType</key><string>Configuration</string>\n"
                  "<key>PayloadUUID</key><string>00000000-0000-4000-8001-0000%s</string>\n"
                  "<key>PayloadVersion</key><integer>1</integer>\n"
                  "</dict></plist>\n",
                  id, id, id, id);
}

/* The address that the device reached us at without a proxy, as a link of a QR code leads to it: there it has
 * to be told what proxy to set. */
static bool is_direct(const struct http_head *request, struct authority *out_reached)
{
    struct span host;
    struct err err;

    return request->target.len != 0 && request->target.ptr[0] == '/' &&
           headers_find(&request->headers, SPAN("Host"), &host) &&
           url_parse_authority(host, out_reached, &err) && strcmp(out_reached->host, SELF_HOST) != 0;
}

static void add_proxy_steps(struct strbuf *out, const struct authority *reached)
{
    strbuf_add_str(out,
                   "<p>weir records what a device sends and gets, once the device uses it as its proxy.</p>"
                   "<div class=box>1. Set the proxy of this device's network:<br>server <b>");
    strbuf_add_str(out, reached->host); /* it has no byte that could begin a tag */
    strbuf_printf(out,
                  "</b>, port <b>%u</b><br>2. Then open <a href='http://" SELF_HOST "/'>http://" SELF_HOST
                  "/</a>: it says how to let weir read HTTPS.</div>"
                  "<details open><summary>iPhone and iPad</summary><ol><li>Settings &rarr; Wi-Fi &rarr; the "
                  "(i) beside the network."
                  "<li>Configure Proxy &rarr; Manual: server and port, no authentication.</ol></details>"
                  "<details><summary>Android</summary><ol><li>Settings &rarr; Network &amp; internet &rarr; "
                  "Wi-Fi &rarr; the network's settings &rarr; the pencil."
                  "<li>Advanced options &rarr; Proxy &rarr; Manual: host name and port.</ol></details>"
                  "<details><summary>Computers</summary><ol><li>The system's network settings &rarr; Proxy: "
                  "for HTTP and for HTTPS.</ol></details>",
                  reached->port != 0 ? reached->port : 80U);
}

static void add_trust_steps(struct strbuf *out, const struct ca *ca, bool is_trusted)
{
    strbuf_printf(
        out,
        "<p>You reach the network through weir, which records what passes. To let it read HTTPS, this device "
        "has to trust weir's certificate.</p>"
        "<p id=t class='box %s'>This device trusts us: <b>%s</b></p>"
        "<p><a class=get href='/ca.mobileconfig'>iPhone, iPad, Mac</a><a class=get href='/ca.crt'>Android, "
        "Windows</a>"
        "<a class=get href='/ca.pem'>Linux, Firefox (PEM)</a></p>"
        "<details open><summary>iPhone and iPad</summary><ol><li>Get the first file and allow the download."
        "<li>Settings &rarr; General &rarr; VPN &amp; Device Management &rarr; weir CA &rarr; Install."
        "<li>Settings &rarr; General &rarr; About &rarr; Certificate Trust Settings: switch weir CA "
        "on.</ol></details>"
        "<details><summary>Android</summary><ol><li>Get the second file."
        "<li>Settings &rarr; Security &rarr; Encryption &amp; credentials &rarr; Install a certificate "
        "&rarr; CA "
        "certificate.<li>Browsers trust it now. Apps do when they were built to "
        "(<code>networkSecurityConfig</code> with user certificates).</ol></details>"
        "<details><summary>macOS</summary><ol><li>Get the PEM file and open it: Keychain Access asks where "
        "to put it."
        "<li>Open the certificate there, Trust &rarr; Always Trust.</ol></details>"
        "<details><summary>Windows</summary><ol><li>Get the second file and open it &rarr; Install "
        "Certificate."
        "<li>Local Machine &rarr; Trusted Root Certification Authorities.</ol></details>"
        "<details><summary>Linux</summary><ol><li>On the machine where weir runs: <code>weir ca trust</code>."
        "<li>Elsewhere: put the PEM file as <code>weir.crt</code> into "
        "<code>/usr/local/share/ca-certificates/</code> and run "
        "<code>update-ca-certificates</code>.</ol></details>"
        "<details><summary>Firefox</summary><ol><li>Settings &rarr; Privacy &amp; Security &rarr; View "
        "Certificates "
        "&rarr; Authorities &rarr; Import: the PEM file, trusted for websites.</ol></details>"
        "<p>Its SHA-256 fingerprint, to compare with <code>weir ca show</code>:<br><code>%s</code></p>"
        "<script>function say(yes){let t=document.getElementById('t');t.className=yes?'box yes':'box';"
        "t.querySelector('b').textContent=yes?'yes':'not yet'}"
        "fetch('https://" SELF_HOST "/trust',{cache:'no-store'}).then(()=>say(true),()=>say(false))</script>",
        is_trusted ? "yes" : "", is_trusted ? "yes" : "not yet", ca_fingerprint_sha256(ca));
}

static void add_page(struct strbuf *out, const struct ca *ca, bool is_trusted,
                     const struct authority *reached)
{
    strbuf_add_str(out,
                   "<!doctype html><html lang=en><meta charset=utf-8>"
                   "<meta name=viewport content='width=device-width'><title>weir</title><style>"
                   "body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:2em auto;padding:0 1em;"
                   "color:#123}h1{margin:0}"
                   "a.get{display:inline-block;background:#0a6e7c;color:#fff;padding:.6em 1em;"
                   "border-radius:.4em;text-decoration:none;margin:.2em .3em .2em 0}"
                   ".box{margin:1em 0;padding:.7em 1em;border-radius:.4em;background:#fdf0d5}"
                   ".yes{background:#d9f2e0}code{font-size:.8em;overflow-wrap:anywhere}"
                   "summary{cursor:pointer;font-weight:600;padding:.3em 0}</style><h1>weir</h1>");
    if (reached != NULL)
        add_proxy_steps(out, reached);
    else
        add_trust_steps(out, ca, is_trusted);
    strbuf_add_str(out, "</html>\n");
}

struct http_head *self_answer(struct live *live, const char *ip, struct span target,
                              const struct http_head *request, struct strbuf *out_body)
{
    const struct ca *ca = live->shared->ca;
    bool is_trusted = devices_trusts(live->shared->devices, ip);
    struct span path, query;
    struct http_head *head;

    url_split_target(target, &path, &query);
    path.len = span_find(path, '#');
    if (span_eq(path, SPAN("/"))) {
        struct authority reached;
        add_page(out_body, ca, is_trusted, is_direct(request, &reached) ? &reached : NULL);
        return answer("text/html; charset=utf-8", NULL, request, out_body);
    }
    if (span_eq(path, SPAN("/ca.pem"))) {
        strbuf_add(out_body, ca_pem(ca));
        return answer("application/x-pem-file", "attachment; filename=\"weir-ca.pem\"", request, out_body);
    }
    if (span_eq(path, SPAN("/ca.crt"))) {
        strbuf_add(out_body, ca_der(ca));
        return answer("application/x-x509-ca-cert", "attachment; filename=\"weir-ca.crt\"", request,
                      out_body);
    }
    if (span_eq(path, SPAN("/ca.mobileconfig"))) {
        add_mobileconfig(out_body, ca_der(ca), ca_id(ca));
        return answer("application/x-apple-aspen-config", "attachment; filename=\"weir.mobileconfig\"",
                      request, out_body);
    }
    if (span_eq(path, SPAN("/trust"))) {
        strbuf_printf(out_body, "{\"trusts\": %s}\n", is_trusted ? "true" : "false");
        head = answer("application/json", NULL, request, out_body);
        /* The page asks over https from http: another origin to a browser. */
        add_field(head, SPAN("Access-Control-Allow-Origin"), "*");
        return head;
    }
    head = http_head_response(508);
    error_page(head, out_body, request, 508,
               "this request is for weir itself, which forwards nothing to itself; http://" SELF_HOST
               "/ has the CA and the steps to trust it");
    return head;
}
