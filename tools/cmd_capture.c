/* The proxy and the recorder plugged together, until a signal or COMMAND's end.
 *
 * The main thread takes signals from a descriptor, so that they meet the rest of its work in one poll();
 * while it stops the proxy, which blocks, a handler notes that somebody is in a hurry. What is begun is ended
 * in the reverse order, on every way out: proxy, capture, COMMAND's files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/session.h"
#include "capture/store/store.h"
#include "certs/bundle.h"
#include "certs/ca.h"
#include "certs/file.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/proxy.h"
#include "proxy/net/mailbox.h"
#include "proxy/net/worker.h"
#include "tools/browser.h"
#include "tools/bundles.h"
#include "tools/capture_args.h"
#include "tools/cmd_capture.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/kept.h"
#include "tools/lan.h"
#include "tools/launch.h"
#include "tools/say.h"
#include "tools/sealed.h"
#include "tools/style.h"
#include "tools/view.h"

/* What exchanges under way get after the first signal. */
#define GRACE_US (2 * 1000 * 1000)
/* The view is written at most this often: faster than an eye, slower than a busy proxy. */
#define SHOW_EVERY_US (50 * 1000)
/* How often the status line may change by itself. */
#define STATUS_EVERY_US (500 * 1000)
/* What a browser gets to end by itself; then it is killed. */
#define BROWSER_END_US (5 * 1000 * 1000)
/* What the reader of our output gets for the last lines, should it be slow. */
#define LAST_LINES_MS 1000

/* All that runs while capturing. */
struct run {
    const struct args *args;
    struct capture_args asked;
    FILE *out; /* where weir speaks: stdout, or stderr when stdout is COMMAND's */
    struct filter *filter;
    struct ca *ca;
    struct capture *capture;
    struct plug *plugs; /* one a worker */
    unsigned plug_count;
    struct proxy *proxy;
    struct view *view; /* NULL: --quiet */
    struct bundles *bundles;
    struct kept *kept;         /* NULL: nothing is to be kept up to date */
    struct rlimit descriptors; /* as weir was started */
    char *const *command;      /* what is run, and ends the capture; NULL: nothing */
    bool is_browser;           /* command is: apart from our terminal, and ended by us */
    bool is_ending;            /* the browser has been told to end */
    uint64_t kill_at_us;       /* when it has had its time for that; 0: it need not be watched */
    int output_fd;             /* what the browser says; -1: no browser */
    int signal_fd;
    size_t route;   /* the listener that COMMAND is led to */
    pid_t child;    /* 0: no command, or not yet */
    bool has_begun; /* everything is started, the command too */
};

/* --- on the workers ------------------------------------------------------------------------------------ */

/* What a worker's tap leads to. Recorders are made before the workers and freed after them; their writer may
 * want to wake one at any time between, so the lock says whether its worker is there. */
struct plug {
    struct recorder *recorder;
    pthread_mutex_t lock;
    struct worker *worker; /* NULL: not yet, or no more */
};

static void resume_recorder(void *arg)
{
    recorder_resume(arg);
}

/* On the writer's thread: there is room again. */
static void wake_recorder(void *self)
{
    struct plug *plug = self;

    pthread_mutex_lock(&plug->lock);
    if (plug->worker != NULL)
        mailbox_post(worker_mailbox(plug->worker), resume_recorder, plug->recorder);
    pthread_mutex_unlock(&plug->lock);
}

static void set_worker(struct plug *plug, struct worker *worker)
{
    pthread_mutex_lock(&plug->lock);
    plug->worker = worker;
    pthread_mutex_unlock(&plug->lock);
}

static void *on_worker(void *self, struct worker *worker, struct tap *tap)
{
    struct run *run = self;
    struct plug *plug = &run->plugs[worker_index(worker)];

    set_worker(plug, worker);
    tap_add(tap, &recorder_listener, plug->recorder);
    if (run->view != NULL)
        tap_add(tap, &view_listener, view_add_worker(run->view));
    return plug;
}

static void on_worker_tick(void *worker_self)
{
    const struct plug *plug = worker_self;

    recorder_tick(plug->recorder);
}

static void on_worker_stop(void *worker_self)
{
    set_worker(worker_self, NULL);
}

static void make_plugs(struct run *run)
{
    run->plug_count = worker_default_count();
    run->plugs = mem_array(struct plug, run->plug_count);
    for (unsigned i = 0; i < run->plug_count; i++) {
        pthread_mutex_init(&run->plugs[i].lock, NULL);
        run->plugs[i].recorder = capture_recorder(run->capture, wake_recorder, &run->plugs[i]);
    }
}

static void free_plugs(struct run *run)
{
    for (unsigned i = 0; i < run->plug_count; i++) {
        recorder_free(run->plugs[i].recorder);
        pthread_mutex_destroy(&run->plugs[i].lock);
    }
    mem_free(run->plugs);
}

/* --- signals ------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_hurried;

static void hurry(int number)
{
    (void)number;
    is_hurried = 1;
}

static void handled_signals(const struct run *run, sigset_t *out_set)
{
    sigemptyset(out_set);
    sigaddset(out_set, SIGINT);
    sigaddset(out_set, SIGTERM);
    sigaddset(out_set, SIGHUP);
    sigaddset(out_set, SIGUSR1);
    sigaddset(out_set, SIGUSR2);
    if (run->command != NULL) {
        sigaddset(out_set, SIGQUIT);
        sigaddset(out_set, SIGCHLD);
    }
}

/* Before any other thread: they inherit the mask. */
static bool open_signals(struct run *run, struct err *err)
{
    sigset_t set;

    handled_signals(run, &set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signal_fd < 0)
        return err_sys(err, errno, "taking signals");
    return true;
}

/* From now on a signal that ends means: at once. */
static void hurry_at_signals(const struct run *run)
{
    struct sigaction action = { .sa_handler = hurry };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    /* A terminal's Ctrl-C was for COMMAND, which has ended. */
    if (run->command == NULL || run->is_browser)
        sigaddset(&set, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- while it runs ------------------------------------------------------------------------------------- */

static void set_paused(struct run *run, bool is_paused)
{
    capture_set_paused(run->capture, is_paused);
    if (run->view != NULL)
        view_set_paused(run->view, is_paused);
}

/* A first signal asks the browser to end, a second one does not ask. */
static void end_browser(struct run *run)
{
    launch_signal_group(run->child, run->is_ending ? SIGKILL : SIGTERM);
    run->kill_at_us = run->is_ending ? 0 : clock_mono_us() + BROWSER_END_US;
    run->is_ending = true;
}

/* Reads the signals that have come. False: it is over, *status is the exit status so far. */
static bool take_signals(struct run *run, unsigned *ends, int *status)
{
    struct signalfd_siginfo got;
    int wait_status;

    while (read(run->signal_fd, &got, sizeof got) == (ssize_t)sizeof got) {
        int number = (int)got.ssi_signo;

        if (number == SIGUSR1 || number == SIGUSR2) {
            set_paused(run, number == SIGUSR1);
        } else if (number == SIGCHLD) {
            if (waitpid(run->child, &wait_status, WNOHANG) == run->child) {
                *status = launch_exit_status(wait_status);
                return false;
            }
        } else if (run->is_browser) {
            end_browser(run);
        } else if (run->child != 0) {
            launch_pass_on(run->child, number);
            /* A COMMAND that stays in spite of SIGTERM or SIGHUP is left behind at the second. */
            if ((number == SIGTERM || number == SIGHUP) && ++*ends > 1) {
                *status = 128 + number;
                is_hurried = 1;
                return false;
            }
        } else {
            return false;
        }
    }
    return true;
}

static void show(struct run *run)
{
    struct proxy_totals totals;

    proxy_totals(run->proxy, &totals);
    view_show(run->view, totals.open_clients);
}

/* Until a signal, or COMMAND, ends it. */
static int wait_for_end(struct run *run)
{
    uint64_t next_show_us = 0;
    unsigned ends = 0;
    int status = EXIT_DONE;

    while (take_signals(run, &ends, &status)) {
        struct pollfd fds[2] = { { .fd = run->signal_fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
        uint64_t now_us = clock_mono_us();
        int timeout_ms = -1;

        if (run->kill_at_us != 0 && now_us >= run->kill_at_us)
            end_browser(run);
        if (run->view != NULL && now_us < next_show_us) {
            timeout_ms = (int)((next_show_us - now_us) / 1000) + 1;
        } else if (run->view != NULL) {
            if (view_wait(run->view)) {
                show(run);
                next_show_us = now_us + SHOW_EVERY_US;
                continue;
            }
            fds[1].fd = view_fd(run->view);
            timeout_ms = STATUS_EVERY_US / 1000;
        }
        if (run->kill_at_us != 0 && (timeout_ms < 0 || timeout_ms > STATUS_EVERY_US / 1000))
            timeout_ms = STATUS_EVERY_US / 1000;
        if (poll(fds, 2, timeout_ms) == 0 && run->view != NULL && fds[1].fd >= 0)
            show(run);
    }
    return status;
}

/* --- starting ------------------------------------------------------------------------------------------ */

static bool start_capture(struct run *run, struct err *err)
{
    const struct args *args = run->args;
    char *path = config_store_path(args->store, err), *json;
    struct capture_options options = {
        .session_name = args->session,
        .filter = run->filter,
        .no_bodies = args->no_bodies,
        .max_body = args->max_body.is_given ? args->max_body.bytes : 0,
        .skip_media = args->skip_media,
        .cookies_only = args->cookies_only,
        .keep = run->asked.keep,
        .on_commit = run->kept != NULL ? kept_note : NULL,
        .on_commit_self = run->kept,
        .durable = args->durable,
        .per = (enum capture_per)args->session_per,
        .listeners = args->listen.items,
        .listener_count = args->listen.count,
    };
    bool ok;

    if (path == NULL)
        return false;
    json = capture_args_json(args);
    options.options_json = json;
    ok = capture_start(path, &options, &run->capture, err);
    if (ok)
        make_plugs(run);
    mem_free(json);
    mem_free(path);
    return ok;
}

static bool start_kept(struct run *run, struct err *err)
{
    char *path = config_store_path(run->args->store, err);
    bool ok = path != NULL && kept_start(run->kept, path, capture_session(run->capture), err);

    mem_free(path);
    return ok;
}

static bool open_ca(struct run *run, bool *out_created, struct err *err)
{
    char *dir = config_ca_dir(run->args->ca_dir, err);
    bool ok = dir != NULL && ca_open(dir, KEY_EC, &run->ca, out_created, err);

    mem_free(dir);
    return ok;
}

static bool start_proxy(struct run *run, struct err *err)
{
    struct proxy_options options = run->asked.proxy;

    options.workers = run->plug_count;
    options.ca = run->ca;
    options.on_worker = on_worker;
    options.on_worker_tick = on_worker_tick;
    options.on_worker_stop = on_worker_stop;
    options.self = run;
    return proxy_start(&options, &run->proxy, err);
}

/* COMMAND is led to the first listener that is an HTTP proxy. */
static bool find_route(struct run *run, struct err *err)
{
    if (run->command == NULL)
        return true;
    for (; run->route < run->asked.proxy.listen_count; run->route++) {
        if (capture_args_is_forward(&run->asked, run->route))
            return true;
    }
    return err_set(err, ERR_USAGE,
                   "a command is led through a listener of mode forward: give one more '--listen'");
}

static bool make_bundles(struct run *run, struct err *err)
{
    char *base = browser_base_dir(run->command[0]);
    bool ok = (base == NULL || file_make_dirs(base, err)) && bundles_make(run->ca, base, &run->bundles, err);

    mem_free(base);
    return ok;
}

static bool open_output(struct run *run, struct err *err)
{
    char *path = mem_printf("%s/output", bundles_dir(run->bundles));

    run->output_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (run->output_fd < 0)
        err_sys(err, errno, "making '%s'", path);
    mem_free(path);
    return run->output_fd >= 0;
}

static bool start_command(struct run *run, int *out_status, struct err *err)
{
    bool is_known = browser_family(run->command[0]) != BROWSER_NONE, ok = true;
    struct strbuf proxy = STRBUF_EMPTY;
    struct launch_route route;
    char **env, **more = NULL, **argv = NULL;

    if (!make_bundles(run, err) || (run->is_browser && !open_output(run, err)))
        return false;
    lan_add_local(&proxy, proxy_listener_name(run->proxy, run->route));
    if (is_known) {
        struct browser_route to_us = { strbuf_text(&proxy), run->ca, bundles_dir(run->bundles) };
        ok = browser_argv(run->command, &to_us, &argv, err);
        more = browser_env(run->command[0], bundles_dir(run->bundles));
    }
    route = (struct launch_route){
        .proxy = strbuf_text(&proxy),
        .proxy_auth = run->asked.proxy_auth,
        .pem_path = bundles_pem_path(run->bundles),
        .jks_path = bundles_jks_path(run->bundles),
        .jks_password = BUNDLE_JKS_PASSWORD,
        .more = more,
    };
    env = launch_env(environ, &route);
    ok = ok &&
         launch_start(is_known ? argv : run->command, env, &run->descriptors,
                      run->is_browser ? run->output_fd : LAUNCH_ON_TERMINAL, &run->child, out_status, err);
    browser_argv_free(argv);
    browser_argv_free(more);
    launch_env_free(env);
    strbuf_clear(&proxy);
    return ok;
}

/* --- saying -------------------------------------------------------------------------------------------- */

static void say_start(struct run *run, bool is_new_ca)
{
    say_listeners(run->out, run->proxy, &run->asked);
    if (run->args->quiet)
        return;
    if (is_new_ca && !run->is_browser)
        say_new_ca(run->out, run->ca);
    say_phones(run->out, run->proxy, &run->asked);
    say_recording(run->out, capture_session_name(run->capture),
                  run->is_browser        ? "it ends with the browser"
                  : run->command != NULL ? NULL
                                         : "Ctrl-C ends it");
}

static void say_line(void *self, const char *line)
{
    view_say(self, line);
}

static void say_sealed(const struct run *run, const struct capture_summary *summary)
{
    struct store *store;
    struct err ignored; /* the store has said by itself what is wrong with it */

    if (!command_open_store(run->args, STORE_READ, &store, &ignored))
        return;
    (void)sealed_say_hosts(store, summary->session, say_line, run->view, &ignored);
    for (size_t i = 0; i < summary->other_count; i++)
        (void)sealed_say_hosts(store, summary->others[i].session, say_line, run->view, &ignored);
    store_close(store);
}

/* --- the whole ----------------------------------------------------------------------------------------- */

static void start_view(struct run *run)
{
    int fd = fileno(run->out);
    struct view_options options = {
        .fd = fd,
        .has_colour = style_is_wanted(fd),
        .has_status = (run->command == NULL || run->is_browser) && isatty(fd),
        .filter = run->filter,
    };

    if (run->args->quiet)
        return;
    run->view = view_new(&options);
    if (options.has_status && isatty(STDERR_FILENO))
        log_sink(view_note_log, run->view);
}

static void stop_proxy(struct run *run)
{
    struct proxy_totals totals = { 0 };

    if (run->proxy == NULL)
        return;
    proxy_totals(run->proxy, &totals);
    hurry_at_signals(run);
    proxy_stop(run->proxy, GRACE_US, &is_hurried);
    run->proxy = NULL;
    if (run->child != 0 && !run->is_browser && totals.clients == 0 && !run->args->quiet)
        say_nothing_came();
}

/* COMMAND has ended: a terminal's Ctrl-C is for us from now on, though not one that came before. */
static void take_back_ctrl_c(const struct run *run)
{
    struct sigaction action = { .sa_handler = hurry };
    struct signalfd_siginfo was_for_command;
    sigset_t set;

    if (run->command == NULL || run->is_browser)
        return;
    while (read(run->signal_fd, &was_for_command, sizeof was_for_command) > 0)
        continue;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The files that are kept up to date, brought to their end; the exit status. */
static int finish_kept(struct run *run, int status)
{
    struct err err;
    int failed;

    if (run->kept == NULL || !run->has_begun)
        return status;
    take_back_ctrl_c(run);
    if (kept_finish(run->kept, &is_hurried, &err))
        return status;
    failed = command_fail(&err);
    return status != EXIT_DONE ? status : failed;
}

static void forget_session(const struct run *run, int64_t session)
{
    struct store *store;
    struct err ignored; /* an empty session in the history hurts nobody */

    if (!command_open_store(run->args, STORE_WRITE, &store, &ignored))
        return;
    session_delete(store, session, &ignored);
    store_close(store);
}

/* Ends the session; the exit status. One that never began and holds nothing is taken out of the history: what
 * fails at the start changes nothing. */
static int end_capture(struct run *run, int status)
{
    int64_t session = capture_session(run->capture);
    struct capture_summary summary;
    struct err err;

    free_plugs(run);
    if (!capture_end(run->capture, &summary, &err)) {
        command_fail(&err);
        status = status != EXIT_DONE ? status : EXIT_FAILED;
    }
    if (run->has_begun && run->view != NULL) {
        say_summary(run->view, run->args->store, &summary);
        say_sealed(run, &summary);
        view_finish(run->view, LAST_LINES_MS);
    }
    status = finish_kept(run, status);
    if (!run->has_begun && summary.exchanges == 0)
        forget_session(run, session);
    capture_summary_clear(&summary);
    return status;
}

/* The browser has ended: so do the processes that it has left, which would write into the profile. The exit
 * status: its own says whether it could run, which is told with its last words. */
static int end_of_browser(struct run *run, int status)
{
    launch_signal_group(run->child, SIGKILL);
    if (status == EXIT_DONE || run->is_ending)
        return EXIT_DONE;
    say_browser_failed(run->command[0], status, run->output_fd);
    return EXIT_FAILED;
}

/* Ends what was begun; the exit status, which is status unless this is what fails. */
static int finish(struct run *run, int status)
{
    stop_proxy(run);
    log_sink(NULL, NULL);
    if (run->view != NULL)
        view_finish(run->view, LAST_LINES_MS);
    if (run->capture != NULL)
        status = end_capture(run, status);
    kept_free(run->kept);
    bundles_free(run->bundles);
    view_free(run->view);
    ca_unref(run->ca);
    filter_unref(run->filter);
    capture_args_clear(&run->asked);
    if (run->signal_fd >= 0)
        close(run->signal_fd);
    if (run->output_fd >= 0)
        close(run->output_fd);
    return status;
}

static void raise_descriptor_limit(struct run *run)
{
    struct rlimit raised;

    if (getrlimit(RLIMIT_NOFILE, &run->descriptors) != 0)
        return;
    raised = run->descriptors;
    raised.rlim_cur = raised.rlim_max;
    /* Without it the limit that is there holds, and accepting pauses earlier. */
    (void)setrlimit(RLIMIT_NOFILE, &raised);
}

int capture_run(const struct args *args, char *const *browser)
{
    struct run run = {
        .args = args,
        .out = args->command != NULL && browser == NULL ? stderr : stdout,
        .command = browser != NULL ? browser : args->command,
        .is_browser = browser != NULL,
        .output_fd = -1,
        .signal_fd = -1,
    };
    const char *default_listen = run.command != NULL ? "127.0.0.1:0" : "127.0.0.1:8080";
    int failed_status = run.command != NULL ? LAUNCH_FAILED : -1;
    bool is_new_ca = false;
    struct err err;
    int status;

    mem_keep_freed();
    launch_note_descriptors();
    raise_descriptor_limit(&run);
    log_setup(args->log_level != 0 ? (enum log_level)(args->log_level - 1) : LOG_LEVEL_WARN,
              args->log_format == 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    if (!capture_args_read(args, default_listen, &run.asked, &err) || !find_route(&run, &err) ||
        (args->filter != NULL && !filter_parse(args->filter, &run.filter, &err)))
        goto failed;
    if (!kept_new(args, &run.kept, &err) || !open_signals(&run, &err) || !open_ca(&run, &is_new_ca, &err) ||
        !start_capture(&run, &err))
        goto failed;
    start_view(&run);
    if (!start_proxy(&run, &err) || (run.kept != NULL && !start_kept(&run, &err)))
        goto failed;
    say_start(&run, is_new_ca);
    if (run.command != NULL && !start_command(&run, &failed_status, &err))
        goto failed;
    run.has_begun = true;
    status = wait_for_end(&run);
    if (run.is_browser)
        status = end_of_browser(&run, status);
    return finish(&run, status);

failed:
    status = command_fail(&err);
    return finish(&run, failed_status >= 0 && !run.is_browser ? failed_status : status);
}

int cmd_capture(const struct args *args)
{
    return capture_run(args, NULL);
}
