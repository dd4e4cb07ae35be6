/* Between fork and exec of a process with threads only async-signal-safe calls are allowed, so all that needs
 * memory is made before. Whether exec worked is told through a pipe that closes by itself when it did. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tools/launch.h"

/* --- the environment ----------------------------------------------------------------------------------- */

/* What each variable is set to. */
enum value { GONE, PROXY_URL, PEM, ONE, JAVA };

static const struct {
    const char *name;
    enum value value;
} variables[] = {
    { "http_proxy", PROXY_URL },    { "https_proxy", PROXY_URL },
    { "all_proxy", PROXY_URL },     { "HTTP_PROXY", PROXY_URL },
    { "HTTPS_PROXY", PROXY_URL },   { "ALL_PROXY", PROXY_URL },
    { "no_proxy", GONE },           { "NO_PROXY", GONE },
    { "SSL_CERT_FILE", PEM },       /* OpenSSL, Go, Ruby, Rust's native roots */
    { "NODE_EXTRA_CA_CERTS", PEM }, /* Node.js */
    { "REQUESTS_CA_BUNDLE", PEM },  /* Python's requests */
    { "CURL_CA_BUNDLE", PEM },      { "GIT_SSL_CAINFO", PEM },
    { "CARGO_HTTP_CAINFO", PEM },   { "AWS_CA_BUNDLE", PEM },
    { "DENO_CERT", PEM },           { "PERL_LWP_SSL_CA_FILE", PEM },
    { "NODE_USE_ENV_PROXY", ONE }, /* Node.js from 24 on obeys the proxy variables then */
    { "JAVA_TOOL_OPTIONS", JAVA },
};

#define VARIABLE_COUNT (sizeof variables / sizeof variables[0])

static void add_proxy_url(struct strbuf *out, const struct launch_route *route)
{
    strbuf_add_str(out, "http://");
    for (const char *c = route->proxy_auth; c != NULL && *c != '\0'; c++) {
        /* The first colon parts user and password; in either, all but the unreserved is escaped. */
        bool is_plain =
            isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL || c == strchr(route->proxy_auth, ':');
        strbuf_printf(out, is_plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    strbuf_printf(out, "%s%s", route->proxy_auth != NULL ? "@" : "", route->proxy);
}

/* -Dname=value; the JVM splits at blanks but where there are quotes. */
static void add_property(struct strbuf *out, const char *name, const char *value)
{
    const char *quote = strpbrk(value, " \t") == NULL ? "" : strchr(value, '"') == NULL ? "\"" : "'";

    strbuf_printf(out, "%s%s-D%s=%s%s", out->len != 0 ? " " : "", quote, name, value, quote);
}

/* What the user has there stays, in front: of a property given twice the JVM takes the last. */
static void add_java(struct strbuf *out, const char *old, const struct launch_route *route)
{
    const char *colon = strrchr(route->proxy, ':');
    struct span host = span_make(route->proxy, (size_t)(colon - route->proxy));
    char *host_text;

    if (host.len > 2 && host.ptr[0] == '[')
        host = span_sub(host, 1, host.len - 2);
    host_text = mem_spandup(host);
    strbuf_add_str(out, old != NULL ? old : "");
    add_property(out, "http.proxyHost", host_text);
    add_property(out, "http.proxyPort", colon + 1);
    add_property(out, "https.proxyHost", host_text);
    add_property(out, "https.proxyPort", colon + 1);
    add_property(out, "http.nonProxyHosts", ""); /* by default localhost is one */
    add_property(out, "javax.net.ssl.trustStore", route->jks_path);
    add_property(out, "javax.net.ssl.trustStorePassword", route->jks_password);
    add_property(out, "javax.net.ssl.trustStoreType", "JKS");
    mem_free(host_text);
}

static bool is_variable(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_ours(const char *entry, char *const *more)
{
    for (; more != NULL && *more != NULL; more++) {
        if (strncmp(entry, *more, strcspn(*more, "=") + 1) == 0)
            return true;
    }
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (is_variable(entry, variables[i].name))
            return true;
    }
    return false;
}

static const char *find_value(char *const *env, const char *name)
{
    for (; *env != NULL; env++) {
        if (is_variable(*env, name))
            return *env + strlen(name) + 1;
    }
    return NULL;
}

char **launch_env(char *const *base, const struct launch_route *route)
{
    size_t count = 0, base_count = 0, more_count = 0;
    char **env;

    while (base[base_count] != NULL)
        base_count++;
    while (route->more != NULL && route->more[more_count] != NULL)
        more_count++;
    env = mem_array(char *, base_count + VARIABLE_COUNT + more_count + 1);
    for (size_t i = 0; i < base_count; i++) {
        if (!is_ours(base[i], route->more))
            env[count++] = mem_strdup(base[i]);
    }
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        struct strbuf value = STRBUF_EMPTY;

        switch (variables[i].value) {
        case GONE:
            continue;
        case PROXY_URL:
            add_proxy_url(&value, route);
            break;
        case PEM:
            strbuf_add_str(&value, route->pem_path);
            break;
        case ONE:
            strbuf_add_char(&value, '1');
            break;
        case JAVA:
            add_java(&value, find_value(base, variables[i].name), route);
            break;
        }
        env[count++] = mem_printf("%s=%s", variables[i].name, strbuf_text(&value));
        strbuf_clear(&value);
    }
    for (size_t i = 0; i < more_count; i++)
        env[count++] = mem_strdup(route->more[i]);
    return env;
}

void launch_env_free(char **env)
{
    if (env == NULL)
        return;
    for (size_t i = 0; env[i] != NULL; i++)
        mem_free(env[i]);
    mem_free(env);
}

/* --- descriptors --------------------------------------------------------------------------------------- */

/* Inherited ones, sorted; more than a shell ever hands over. */
#define MAX_INHERITED 64
static int inherited[MAX_INHERITED];
static size_t inherited_count;

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void launch_note_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    inherited_count = 0;
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL && inherited_count < MAX_INHERITED) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && fd > 2 && fd != dirfd(dir))
            inherited[inherited_count++] = (int)fd;
    }
    closedir(dir);
    qsort(inherited, inherited_count, sizeof inherited[0], compare_ints);
}

/* In the child. Everything but the inherited ones closes at exec; ours are marked so already, but a library
 * may have forgotten one. */
static void close_ours_at_exec(void)
{
    unsigned from = 3;

    for (size_t i = 0; i < inherited_count; i++) {
        if ((unsigned)inherited[i] > from)
            close_range(from, (unsigned)inherited[i] - 1, CLOSE_RANGE_CLOEXEC);
        from = (unsigned)inherited[i] + 1;
    }
    close_range(from, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

/* --- the process --------------------------------------------------------------------------------------- */

/* In the child. False: we have been killed meanwhile. */
static bool stand_apart(int output, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setpgid(0, 0);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == parent;
}

static void run_child(char *const *argv, char *const *env, const struct rlimit *descriptors, int output,
                      pid_t parent, int report)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;
    int why;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL); /* SIGKILL, SIGSTOP and libc's own two refuse, rightly */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_NOFILE, descriptors);
    if (output != LAUNCH_ON_TERMINAL && !stand_apart(output, parent))
        _exit(LAUNCH_FAILED);
    close_ours_at_exec();
    execvpe(argv[0], argv, env);
    why = errno;
    /* Without this write the parent takes it that exec worked, and sees exit status 126. */
    if (write(report, &why, sizeof why) < 0)
        _exit(LAUNCH_NOT_EXECUTABLE);
    _exit(LAUNCH_NOT_EXECUTABLE);
}

bool launch_start(char *const *argv, char *const *env, const struct rlimit *descriptors, int output,
                  pid_t *out_pid, int *out_status, struct err *err)
{
    int report[2], why = 0;
    ssize_t got;
    pid_t parent = getpid(), pid;

    *out_status = LAUNCH_FAILED;
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_sys(err, errno, "starting '%s'", argv[0]);
    pid = fork();
    if (pid < 0) {
        int fork_errno = errno;
        close(report[0]);
        close(report[1]);
        return err_sys(err, fork_errno, "starting '%s'", argv[0]);
    }
    if (pid == 0)
        run_child(argv, env, descriptors, output, parent, report[1]);
    close(report[1]);
    if (output != LAUNCH_ON_TERMINAL)
        setpgid(pid, pid); /* whoever of us two comes first; the other's fails */
    do {
        got = read(report[0], &why, sizeof why);
    } while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got != (ssize_t)sizeof why) {
        *out_pid = pid;
        return true;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *out_status = why == ENOENT ? LAUNCH_NOT_FOUND : LAUNCH_NOT_EXECUTABLE;
    if (why == ENOENT && strchr(argv[0], '/') == NULL)
        return err_set(err, ERR_FOUND, "no command '%s' in PATH", argv[0]);
    return err_sys(err, why, "running '%s'", argv[0]);
}

int launch_exit_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void launch_pass_on(pid_t pid, int signal_number)
{
    if ((signal_number == SIGINT || signal_number == SIGQUIT) && getpgid(pid) == getpgrp())
        return;
    kill(pid, signal_number);
}

void launch_signal_group(pid_t pid, int signal_number)
{
    kill(-pid, signal_number);
}
