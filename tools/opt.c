#include <ctype.h>

#include "proxy/base/mem.h"
#include "tools/opt.h"
#include "tools/text.h"

#define CAPTURE  OPT_OF(COMMAND_CAPTURE)
#define BROWSER  OPT_OF(COMMAND_BROWSER)
#define CAPTURES (CAPTURE | BROWSER)
#define SESSIONS OPT_OF(COMMAND_SESSIONS)
#define LIST     OPT_OF(COMMAND_LIST)
#define SHOW     OPT_OF(COMMAND_SHOW)
#define EXPORT   OPT_OF(COMMAND_EXPORT)
#define COOKIES  OPT_OF(COMMAND_COOKIES)
#define IMPORT   OPT_OF(COMMAND_IMPORT)
#define CA       OPT_OF(COMMAND_CA)
#define HELP     OPT_OF(COMMAND_HELP)
#define EVERY    (OPT_OF(COMMAND_COUNT) - 1)

#define AT(field) offsetof(struct args, field)

/* Shown in this order: what a command is about first, what all have in common last. */
static const struct opt opts[] = {
    { CAPTURE, "listen", 0, OPT_LIST, "[MODE@]ADDR:PORT", AT(listen),
      "where to accept clients; may be given again; port 0 is any free one "
      "(default 127.0.0.1:8080, with COMMAND 127.0.0.1:0)" },
    { CAPTURE, "mode", 0, OPT_TEXT, "MODE", AT(mode),
      "of listeners that name none: forward (the default), https (a proxy that is spoken to in TLS), socks5, "
      "reverse:URL or transparent" },
    { CAPTURE, "allow", 0, OPT_TEXT, "CIDR[,...]", AT(allow),
      "who may use a listener that is not on loopback; without it and --proxy-auth such a listener is "
      "refused" },
    { CAPTURE, "proxy-auth", 0, OPT_SECRET, "USER:PASS|@FILE", AT(proxy_auth),
      "what clients must give to be served; FILE keeps it out of your shell's history" },
    { CAPTURE, "allow-private", 0, OPT_FLAG, NULL, AT(allow_private),
      "clients from other machines may reach private and loopback addresses through weir" },
    { BROWSER, "browser", 0, OPT_FILE, "NAME|PATH", AT(browser),
      "chromium, chrome, edge, brave, vivaldi or firefox, or its program (default: the first that is "
      "there)" },
    { CAPTURES, "session", 0, OPT_TEXT, "NAME", AT(session),
      "name of the session; the name of an ended one continues it (default: date and time)" },
    { CAPTURE, "session-per", 0, OPT_CHOICE, "client|user|listener", AT(session_per),
      "a session for each client address, proxy user or listener, named after --session" },
    { CAPTURES, "filter", 0, OPT_TEXT, "EXPR", AT(filter),
      "record only what matches, e.g. 'host:*.example.com -path:/health status:4xx'" },
    { CAPTURES, "cookies-only", 0, OPT_FLAG, NULL, AT(cookies_only),
      "record nothing but cookies, and how much passed" },
    { CAPTURES, "sync-cookies", 0, OPT_LIST, "DOMAIN[,...]=FORMAT:FILE", AT(sync_cookies),
      "keep a file with the cookies of these domains, changes written within 250 ms: netscape, tough, "
      "playwright, json or header; '*' is all; may be given again" },
    { CAPTURES, "export", 0, OPT_LIST, "FORMAT:FILE", AT(live_export),
      "keep an export fresh, in at most 3% of the time, and complete at the end; formats as for "
      "'weir export'; may be given again" },
    { CAPTURES, "no-bodies", 0, OPT_FLAG, NULL, AT(no_bodies),
      "record no bodies; sizes and headers always are" },
    { CAPTURES, "max-body", 0, OPT_SIZE, "SIZE", AT(max_body),
      "record at most so much of each body, e.g. 10M" },
    { CAPTURES, "skip-media", 0, OPT_FLAG, NULL, AT(skip_media),
      "record no bodies of images, audio, video and fonts" },
    { CAPTURES, "keep-last", 0, OPT_TEXT, "LIMIT[,...]", AT(keep_last),
      "while recording, take the oldest exchanges out of the session: keep so many (10000), so much (2G) or "
      "none that is older (30min, 12h, 7d); of several limits all hold" },
    { CAPTURES, "upstream-ca", 0, OPT_FILE, "FILE", AT(upstream_ca),
      "PEM file of roots to trust for origins, besides the system's" },
    { CAPTURES, "insecure", 0, OPT_FLAG, NULL, AT(insecure), "do not verify origins' certificates" },
    { CAPTURES, "client-cert", 0, OPT_LIST, "[HOSTS[:PORT]=]FILE[,KEY]", AT(client_cert),
      "certificate for origins that ask for one: PEM or PKCS#12; may be given again" },
    { CAPTURES, "client-cert-pass", 0, OPT_TEXT, "file:PATH|env:NAME", AT(client_cert_pass),
      "where the passphrase of the client certificates' keys is" },
    { CAPTURES, "via", 0, OPT_URLS, "[HOSTS=]URL", AT(via),
      "proxy to reach origins through: http, https, socks5, socks5h, socks4 or socks4a, or env for the "
      "environment's; may be given again" },
    { CAPTURES, "seal", 0, OPT_LIST, "PATTERN", AT(seal),
      "hosts whose TLS passes through unopened, e.g. '*.bank.example'; may be given again" },
    { CAPTURES, "open", 0, OPT_LIST, "PATTERN", AT(open), "hosts that are never sealed; may be given again" },
    { CAPTURES, "no-auto-seal", 0, OPT_FLAG, NULL, AT(no_auto_seal),
      "do not seal a host for a client that pins its certificate" },
    { CAPTURES, "no-mirror", 0, OPT_FLAG, NULL, AT(no_mirror),
      "greet origins with weir's own TLS and HTTP/2 settings instead of the client's" },
    { CAPTURES, "keylog", 0, OPT_FILE, "FILE", AT(keylog),
      "add TLS keys to FILE, for Wireshark (default: $SSLKEYLOGFILE)" },
    { CAPTURES, "max-header-bytes", 0, OPT_SIZE, "SIZE", AT(max_header_bytes),
      "longest header section that is accepted (default 64k)" },
    { CAPTURES, "durable", 0, OPT_FLAG, NULL, AT(durable),
      "wait for the disk at each batch: a power cut then loses no more than kill -9 does" },
    { CAPTURES, "quiet", 0, OPT_FLAG, NULL, AT(quiet), "print only errors and where weir listens" },
    { CAPTURES, "log-level", 0, OPT_CHOICE, "error|warn|info|debug", AT(log_level),
      "how much of its own doings weir tells on stderr (default warn)" },
    { CAPTURES, "log-format", 0, OPT_CHOICE, "text|json", AT(log_format),
      "how log lines look (default text)" },

    { SESSIONS, "keep-last", 0, OPT_TEXT, "LIMIT[,...]", AT(keep_last),
      "of prune: keep so many of a session's newest exchanges (10000), so much (2G) or none that is older "
      "(30min, 12h, 7d); of several limits all hold" },

    { LIST | EXPORT, "filter", 0, OPT_TEXT, "EXPR", AT(filter),
      "only what matches, e.g. 'host:*.example.com method:POST status:4xx'" },
    { LIST, "follow", 0, OPT_FLAG, NULL, AT(follow), "wait for more, until the session ends" },
    { SHOW, "body", 0, OPT_CHOICE, "request|response", AT(body), "only that body, decoded" },
    { SHOW, "raw", 0, OPT_FLAG, NULL, AT(raw),
      "bytes as they were on the wire: nothing decoded or indented" },
    { SHOW, "curl", 0, OPT_FLAG, NULL, AT(curl),
      "a curl command that sends the same request again, byte for byte" },
    { SHOW, "messages", 0, OPT_FLAG, NULL, AT(messages), "only its messages: WebSocket, events, gRPC" },
    { SHOW, "follow", 0, OPT_FLAG, NULL, AT(follow), "its messages, and those that still come" },
    { SHOW, "proto-descriptors", 0, OPT_FILE, "FILE", AT(proto_descriptors),
      "name gRPC's fields by this FileDescriptorSet (protoc --descriptor_set_out --include_imports)" },
    { EXPORT, "output", 'o', OPT_FILE, "FILE", AT(output),
      "where to write; - is stdout (the default); a file is readable by its owner alone; DIR/ gets a "
      "collection with its environment, jars, report and README" },
    { EXPORT, "into", 0, OPT_FILE, "FILE.json", AT(into),
      "collection: merge it into this one: new items and examples come in, what people changed is kept" },
    { EXPORT, "profile", 0, OPT_CHOICE, "runnable|faithful", AT(profile),
      "a collection of endpoints with examples (default), or of every request as it was, in order" },
    { EXPORT, "group-by", 0, OPT_CHOICE, "both|domain|endpoint|chronological", AT(group_by),
      "folders of a collection: hosts with resources such as users/:userId/orders in them (default), one of "
      "the two, or none" },
    { EXPORT, "max-examples", 0, OPT_TEXT, "N", AT(max_examples),
      "responses kept of each endpoint (default 5)" },
    { EXPORT, "max-example-body", 0, OPT_SIZE, "SIZE", AT(max_example_body),
      "the most of a response that an example shows (default 256k)" },
    { EXPORT, "no-dedup", 0, OPT_FLAG, NULL, AT(no_dedup),
      "collection: each exchange is an item, none is merged with another" },
    { EXPORT, "no-template", 0, OPT_FLAG, NULL, AT(no_template),
      "collection: paths stay as they are, without :variables" },
    { EXPORT, "template", 0, OPT_LIST, "[HOST]/PATTERN", AT(template),
      "collection, openapi: which parts of paths are variables, e.g. '/users/:login/files/**'; * leaves a "
      "part to weir, ** all that follow; may be given again, the first that fits counts" },
    { EXPORT, "link", 0, OPT_FLAG, NULL, AT(link),
      "collection: what a response issued and later requests carry (tokens, CSRF fields, ids) is a variable "
      "that scripts set; the default with --group-by chronological" },
    { EXPORT, "no-link", 0, OPT_FLAG, NULL, AT(no_link),
      "collection: such values stay as they were captured" },
    { EXPORT, "tests", 0, OPT_CHOICE, "status|type|shape", AT(tests),
      "collection: test scripts that hold answers against the captured ones" },
    { EXPORT, "explain", 0, OPT_FLAG, NULL, AT(explain),
      "say why each path was templated and each exchange kept, merged or left out" },
    { EXPORT, "report", 0, OPT_FILE, "FILE", AT(report),
      "the same into a file: text, or JSON where it ends in .json" },
    { EXPORT, "name", 0, OPT_TEXT, "NAME", AT(name),
      "what the exported document calls itself (default: the session)" },
    { EXPORT, "host", 0, OPT_TEXT, "HOST[:PORT]", AT(host),
      "openapi: describe this host alone (default: all, each path with its servers)" },
    { EXPORT, "keep-browser-headers", 0, OPT_FLAG, NULL, AT(keep_browser_headers),
      "collection: send what browsers add (Sec-*, User-Agent, Referer, ...), too" },
    { EXPORT, "cookies", 0, OPT_CHOICE, "jar|header|none", AT(cookies),
      "collection: requests take cookies from newman's jar (default), each sends those it had, or none" },
    { CAPTURES | EXPORT, "secrets", 0, OPT_CHOICE, "env|drop|keep", AT(secrets),
      "tokens, passwords, cookies: into a file beside (env, the default), left out, or kept as they are" },
    { CAPTURES | EXPORT, "secret-patterns", 0, OPT_FILE, "FILE", AT(secret_patterns),
      "what else is a secret: a regular expression a line, NAME=EXPRESSION names its variable" },
    { EXPORT | COOKIES, "domain", 0, OPT_TEXT, "DOMAIN", AT(domain),
      "only cookies of this domain and what is below it; https://HOST: what that host would be sent; "
      "several with commas" },
    { CAPTURES | EXPORT, "session-expiry", 0, OPT_TEXT, "DAYS", AT(session_expiry),
      "cookie files: give session cookies a date, for readers that drop those without" },
    { CAPTURES | EXPORT, "no-httponly-prefix", 0, OPT_FLAG, NULL, AT(no_httponly_prefix),
      "cookies.txt without #HttpOnly_, which old readers take for a comment" },
    { CAPTURES | EXPORT, "partitioned", 0, OPT_CHOICE, "keep|strip", AT(partitioned),
      "cookie files: whether partitioned cookies say so, and of which site, where the format can (default "
      "keep)" },
    { COOKIES, "history", 0, OPT_FLAG, NULL, AT(history),
      "every value that was set or sent, in order of time, and what became of it" },
    { IMPORT, "session", 0, OPT_TEXT, "NAME", AT(session),
      "name of the session; the name of an ended one adds to it (default: date and time)" },
    { IMPORT, "format", 0, OPT_CHOICE, "har|flows|cookies", AT(format),
      "what FILE is (default: told by its content)" },
    { CA, "key-type", 0, OPT_CHOICE, "ec|rsa", AT(key_type),
      "kind of key for create: rsa is for old clients (default ec)" },
    { CA, "force", 0, OPT_FLAG, NULL, AT(force),
      "create: replace the CA that is there; its files are kept aside" },
    { SESSIONS | LIST | SHOW | COOKIES | CA, "json", 0, OPT_FLAG, NULL, AT(json), "JSON for programs" },
    { HELP, "completion", 0, OPT_CHOICE, "bash|zsh", AT(completion), NULL },

    { EVERY & ~(CA | HELP), "store", 0, OPT_FILE, "FILE", AT(store),
      "the store (default $XDG_DATA_HOME/weir/weir.db)" },
    { CAPTURES | CA, "ca-dir", 0, OPT_FOLDER, "DIR", AT(ca_dir),
      "folder of the CA, made at first use (default $XDG_CONFIG_HOME/weir)" },
    /* Taken by the others too, so that one alias serves all commands. */
    { EVERY & ~(CAPTURES | CA), "ca-dir", 0, OPT_FOLDER, "DIR", AT(ca_dir), NULL },
    { CA | HELP, "store", 0, OPT_FILE, "FILE", AT(store), NULL },
    { EVERY, "help", 'h', OPT_FLAG, NULL, AT(help), "this text" },
};

#define OPT_COUNT (sizeof opts / sizeof opts[0])

const struct opt *opt_next(enum command_id command, size_t *i)
{
    for (; *i < OPT_COUNT; (*i)++) {
        if ((opts[*i].commands & OPT_OF(command)) != 0)
            return &opts[*i];
    }
    return NULL;
}

static const struct opt *find(enum command_id command, struct span name, char letter)
{
    for (size_t i = 0; opt_next(command, &i) != NULL; i++) {
        if (letter != 0 ? opts[i].letter == letter : span_eq(span_of(opts[i].name), name))
            return &opts[i];
    }
    return NULL;
}

/* --- guessing ------------------------------------------------------------------------------------------ */

/* How many insertions, deletions, changes and swaps of neighbours lead from a to b (optimal string
 * alignment), for words of at most MAX_WORD letters. */
#define MAX_WORD 31
static size_t distance(const char *a, const char *b)
{
    size_t cost[MAX_WORD + 1][MAX_WORD + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            size_t best;

            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (cost[i - 1][j] + 1 < best)
                best = cost[i - 1][j] + 1;
            if (cost[i][j - 1] + 1 < best)
                best = cost[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[a_len][b_len];
}

const char *opt_guess(const char *text, const char *const *candidates)
{
    size_t len = strlen(text), best_distance = len / 3 + 1;
    const char *best = NULL;

    if (len < 2 || len > MAX_WORD)
        return NULL;
    for (; *candidates != NULL; candidates++) {
        size_t here;

        if (strlen(*candidates) > MAX_WORD)
            continue;
        here = strncmp(*candidates, text, len) == 0 ? 0 : distance(text, *candidates);
        if (here < best_distance || (here == best_distance && best == NULL)) {
            best = *candidates;
            best_distance = here;
        }
    }
    return best;
}

static bool unknown_option(enum command_id command, struct span name, struct err *err)
{
    const char *names[OPT_COUNT + 1] = { NULL };
    size_t count = 0;
    char *typed = mem_spandup(name);
    const char *guess;

    for (size_t i = 0; opt_next(command, &i) != NULL; i++) {
        if (opts[i].help != NULL)
            names[count++] = opts[i].name;
    }
    guess = opt_guess(typed, names);
    if (guess != NULL)
        err_set(err, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?", typed, guess);
    else
        err_set(err, ERR_USAGE, "unknown option '--%s'", typed);
    mem_free(typed);
    return false;
}

/* --- values -------------------------------------------------------------------------------------------- */

bool opt_parse_size(const char *text, uint64_t *out_bytes)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;
    unsigned shift = 0;
    uint64_t value;

    if (!span_u64(span_make(text, digits), &value))
        return false;
    switch (tolower((unsigned char)*unit)) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    case 't':
        shift = 40;
        break;
    }
    if (shift != 0)
        unit++;
    if (*unit != '\0' && strcasecmp(unit, "b") != 0 && (shift == 0 || strcasecmp(unit, "ib") != 0))
        return false;
    if (value > UINT64_MAX >> shift)
        return false;
    *out_bytes = value << shift;
    return true;
}

struct span opt_choice(const char *choices, size_t choice)
{
    struct span rest = span_of(choices), part = SPAN_NONE;

    for (size_t i = 0; i < choice; i++) {
        if (!span_split(&rest, '|', &part))
            return SPAN_NONE;
    }
    return part;
}

static void list_add(struct arg_list *list, const char *text)
{
    list->items = mem_realloc(list->items, (list->count + 1) * sizeof list->items[0]);
    list->items[list->count++] = text;
}

static bool set_choice(const struct opt *opt, const char *text, int *out_choice, struct err *err)
{
    struct span part;

    for (size_t i = 1; (part = opt_choice(opt->value, i)).len != 0; i++) {
        if (span_eq(part, span_of(text))) {
            *out_choice = (int)i;
            return true;
        }
    }
    return err_set(err, ERR_USAGE, "'--%s' is one of %s, not '%s'", opt->name, opt->value, text);
}

struct span opt_credentials(const char *url)
{
    const char *start = strstr(url, "://"), *end = strrchr(url, '@');

    if (start != NULL)
        start += 3;
    else
        start = strchr(url, '=') != NULL ? strchr(url, '=') + 1 : url;
    return end != NULL && end > start ? span_make(start, (size_t)(end - start)) : SPAN_NONE;
}

/* text as it is; what of it is secret, a part of it, becomes asterisks where it stands in argv. */
static const char *hide(struct args *args, char *text, struct span secret)
{
    const char *copy = mem_strdup(text);

    list_add(&args->hidden, copy);
    memset(text + (secret.ptr - text), '*', secret.len);
    return copy;
}

static const char *hide_password(struct args *args, char *text)
{
    char *colon = strchr(text, ':');

    return text[0] == '@' || colon == NULL ? text : hide(args, text, span_of(colon + 1));
}

static const char *hide_credentials(struct args *args, char *text)
{
    struct span credentials = opt_credentials(text);

    return credentials.len == 0 ? text : hide(args, text, credentials);
}

static bool set_value(const struct opt *opt, char *text, struct args *args, struct err *err)
{
    void *field = (char *)args + opt->offset;

    if (opt->kind == OPT_FLAG) {
        *(bool *)field = true;
        return true;
    }
    if (*text == '\0' && opt->kind != OPT_TEXT)
        return err_set(err, ERR_USAGE, "'--%s' has an empty value; it wants %s", opt->name, opt->value);
    switch (opt->kind) {
    case OPT_FLAG:
        break;
    case OPT_TEXT:
    case OPT_FILE:
    case OPT_FOLDER:
        *(const char **)field = text;
        break;
    case OPT_SECRET:
        *(const char **)field = hide_password(args, text);
        break;
    case OPT_LIST:
        list_add(field, text);
        break;
    case OPT_URLS:
        list_add(field, hide_credentials(args, text));
        break;
    case OPT_CHOICE:
        return set_choice(opt, text, field, err);
    case OPT_SIZE: {
        struct arg_size *size = field;
        if (!opt_parse_size(text, &size->bytes))
            return err_set(err, ERR_USAGE, "'--%s' is a size like 4096, 10k or 1M, not '%s'", opt->name,
                           text);
        size->is_given = true;
        break;
    }
    }
    return true;
}

/* --- parsing ------------------------------------------------------------------------------------------- */

/* One option at *argv, which moves to the last word that belongs to it. */
static bool parse_option(enum command_id command, char *const **argv, struct args *args, struct err *err)
{
    char *word = **argv, *value = NULL;
    const struct opt *opt;

    if (word[1] == '-') {
        size_t name_len = strcspn(word + 2, "=");
        struct span name = span_make(word + 2, name_len);

        opt = find(command, name, 0);
        if (opt == NULL)
            return unknown_option(command, name, err);
        if (word[2 + name_len] == '=')
            value = word + 2 + name_len + 1;
    } else {
        opt = find(command, SPAN_NONE, word[1]);
        if (opt == NULL)
            return err_set(err, ERR_USAGE, "unknown option '%s'", word);
        if (word[2] != '\0')
            value = word + 2;
    }
    if (opt->kind == OPT_FLAG && value != NULL)
        return err_set(err, ERR_USAGE, "'--%s' takes no value", opt->name);
    if (opt->kind != OPT_FLAG && value == NULL) {
        value = (*argv)[1];
        if (value == NULL || strcmp(value, "--") == 0)
            return err_set(err, ERR_USAGE, "'--%s' wants a value: %s", opt->name, opt->value);
        (*argv)++;
    }
    return set_value(opt, value, args, err);
}

bool opt_parse(enum command_id command, char *const *argv, struct args *out_args, struct err *err)
{
    bool has_dashes = false;

    memset(out_args, 0, sizeof *out_args);
    for (; *argv != NULL && !has_dashes; argv++) {
        const char *word = *argv;

        if (strcmp(word, "--") == 0) {
            has_dashes = true;
            continue;
        }
        if (word[0] != '-' || word[1] == '\0') {
            list_add(&out_args->operands, word);
        } else if (!parse_option(command, &argv, out_args, err)) {
            args_clear(out_args);
            return false;
        }
    }
    if (has_dashes && (command == COMMAND_CAPTURE || command == COMMAND_BROWSER)) {
        if (*argv == NULL && command == COMMAND_CAPTURE) {
            args_clear(out_args);
            return err_set(err, ERR_USAGE, "no command after '--'");
        }
        out_args->command = argv;
        return true;
    }
    for (; *argv != NULL; argv++)
        list_add(&out_args->operands, *argv);
    return true;
}

void args_clear(struct args *args)
{
    for (size_t i = 0; i < args->hidden.count; i++) {
        char *text = (char *)args->hidden.items[i];
        explicit_bzero(text, strlen(text));
        mem_free(text);
    }
    mem_free(args->hidden.items);
    mem_free(args->listen.items);
    mem_free(args->via.items);
    mem_free(args->client_cert.items);
    mem_free(args->seal.items);
    mem_free(args->open.items);
    mem_free(args->sync_cookies.items);
    mem_free(args->live_export.items);
    mem_free(args->template.items);
    mem_free(args->operands.items);
    memset(args, 0, sizeof *args);
}

/* --- help ---------------------------------------------------------------------------------------------- */

/* Where the explanations begin. */
#define HELP_INDENT 28

void opt_add_help(struct strbuf *out, enum command_id command)
{
    for (size_t i = 0; opt_next(command, &i) != NULL; i++) {
        const struct opt *opt = &opts[i];
        size_t start = out->len, column;

        if (opt->help == NULL)
            continue;
        if (opt->letter != 0)
            strbuf_printf(out, "  -%c, ", opt->letter);
        else
            strbuf_add_str(out, "  ");
        strbuf_printf(out, "--%s", opt->name);
        if (opt->value != NULL)
            strbuf_printf(out, " %s", opt->value);
        column = out->len - start;
        if (column + 2 > HELP_INDENT) {
            strbuf_add_char(out, '\n');
            column = 0;
        }
        strbuf_printf(out, "%*s", (int)(HELP_INDENT - column), "");
        text_add_wrapped(out, opt->help, HELP_INDENT);
    }
}
