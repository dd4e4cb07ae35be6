#include "tests/bench/load/options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECONDS 600

static const char USAGE[] =
    "usage: bench_load -m MODE -a IP:PORT -H HOST:PORT [options]\n"
    "  -m MODE             plain, tls: straight to IP:PORT; proxy: absolute-form requests;\n"
    "                      connect: CONNECT HOST:PORT, then TLS\n"
    "  -a IP:PORT          what to connect to, on loopback: the proxy, or the origin\n"
    "  -H HOST:PORT        target; one %d in HOST counts connections (h%d.test)\n"
    "  --hosts N           the counter wraps after N values (never)\n"
    "  --first-host N      its first value (0)\n"
    "  -P PATH             request path (/)\n"
    "  -c N                connections (1)\n"
    "  -t N                threads (1)\n"
    "  -n N                requests in all (no limit)\n"
    "  -d SECONDS          time limit (10)\n"
    "  -r N                requests a connection (no limit); 1: a handshake each\n"
    "  --resume            resume TLS sessions (full handshakes)\n"
    "  --body N            POST a body of N bytes\n"
    "  --vary              no two pieces of such bodies are the same\n"
    "  --expect N          the response's body must have N bytes\n"
    "  --crc               check X-Body-Crc32\n"
    "  --cafile FILE       CA to verify against\n"
    "  -k                  do not verify\n"
    "  --ramp N            at most N connections in set-up, or joining a burst, at\n"
    "                      once (256)\n"
    "  --hold SECONDS      one request each, then hold all connections idle; prints\n"
    "                      {\"parked\":N} when they are, and ends when stdin does\n"
    "  --burst SECONDS     with --hold: each number on a line of stdin makes so many of\n"
    "                      them send requests; {\"met\":N} when each has an answer, and so\n"
    "                      long after it {\"parked\":N,\"requests\":N}: idle again\n"
    "  --timeout SECONDS   a request (30)\n"
    "  --max-errors N      give up after so many (1000)\n";

static const char *const mode_names[LOAD_MODES] = { "plain", "tls", "proxy", "connect" };

enum long_option {
    LONG_HOSTS = 256,
    LONG_FIRST_HOST,
    LONG_RESUME,
    LONG_BODY,
    LONG_VARY,
    LONG_EXPECT,
    LONG_CRC,
    LONG_CA_FILE,
    LONG_RAMP,
    LONG_HOLD,
    LONG_BURST,
    LONG_TIMEOUT,
    LONG_MAX_ERRORS
};

static const struct option long_options[] = { { "hosts", 1, NULL, LONG_HOSTS },
                                              { "first-host", 1, NULL, LONG_FIRST_HOST },
                                              { "resume", 0, NULL, LONG_RESUME },
                                              { "body", 1, NULL, LONG_BODY },
                                              { "vary", 0, NULL, LONG_VARY },
                                              { "expect", 1, NULL, LONG_EXPECT },
                                              { "crc", 0, NULL, LONG_CRC },
                                              { "cafile", 1, NULL, LONG_CA_FILE },
                                              { "ramp", 1, NULL, LONG_RAMP },
                                              { "hold", 1, NULL, LONG_HOLD },
                                              { "burst", 1, NULL, LONG_BURST },
                                              { "timeout", 1, NULL, LONG_TIMEOUT },
                                              { "max-errors", 1, NULL, LONG_MAX_ERRORS },
                                              { NULL, 0, NULL, 0 } };

static void refuse(const char *why)
{
    fprintf(stderr, "bench_load: %s\n%s", why, USAGE);
    exit(2);
}

/* Cuts :PORT off text. */
static int split_port(char *text)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL)
        refuse("a :PORT is missing");
    *colon = '\0';
    return atoi(colon + 1);
}

static enum load_mode read_mode(const char *text)
{
    for (int mode = 0; mode < LOAD_MODES; mode++)
        if (strcmp(text, mode_names[mode]) == 0)
            return (enum load_mode)mode;
    refuse("no such mode");
    return LOAD_MODES;
}

static void read_address(char *text, struct sockaddr_in *address)
{
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)split_port(text));
    if (inet_pton(AF_INET, text, &address->sin_addr) != 1 || strncmp(text, "127.", 4) != 0)
        refuse("-a must be an address on loopback");
}

static void read_long(int option, const char *value, struct load_options *out)
{
    switch (option) {
    case LONG_HOSTS:
        out->hosts = atol(value);
        break;
    case LONG_FIRST_HOST:
        out->first_host = atol(value);
        break;
    case LONG_RESUME:
        out->resumes = true;
        break;
    case LONG_BODY:
        out->body_bytes = strtoull(value, NULL, 10);
        break;
    case LONG_VARY:
        out->varies = true;
        break;
    case LONG_EXPECT:
        out->expect_bytes = atol(value);
        break;
    case LONG_CRC:
        out->checks_crc = true;
        break;
    case LONG_CA_FILE:
        out->ca_file = value;
        break;
    case LONG_RAMP:
        out->ramp = atoi(value);
        break;
    case LONG_HOLD:
        out->hold_s = atof(value);
        break;
    case LONG_BURST:
        out->burst_s = atof(value);
        break;
    case LONG_TIMEOUT:
        out->timeout_s = atof(value);
        break;
    case LONG_MAX_ERRORS:
        out->max_errors = atol(value);
        break;
    default:
        refuse("no such option");
    }
}

static void read_option(int option, char *value, struct load_options *out)
{
    switch (option) {
    case 'm':
        out->mode = read_mode(value);
        break;
    case 'a':
        read_address(value, &out->address);
        break;
    case 'H':
        out->port = split_port(value);
        out->host = value;
        break;
    case 'P':
        out->path = value;
        break;
    case 'c':
        out->connections = atoi(value);
        break;
    case 't':
        out->threads = atoi(value);
        break;
    case 'n':
        out->requests = atol(value);
        break;
    case 'd':
        out->duration_s = atof(value);
        break;
    case 'r':
        out->per_connection = atoi(value);
        break;
    case 'k':
        out->is_insecure = true;
        break;
    case 'h':
        fputs(USAGE, stdout);
        exit(0);
    default:
        read_long(option, value, out);
    }
}

static void check(struct load_options *options)
{
    bool has_tls = options->mode == LOAD_TLS || options->mode == LOAD_CONNECT;

    if (options->mode == LOAD_MODES || options->host == NULL || options->address.sin_port == 0)
        refuse("-m, -a and -H are needed");
    if (options->connections < 1 || options->threads < 1 || options->hosts < 1)
        refuse("bad -c, -t or --hosts");
    if (options->duration_s <= 0 || options->duration_s > MAX_SECONDS)
        refuse("-d must be within 600 seconds");
    if (has_tls && options->ca_file == NULL && !options->is_insecure)
        refuse("TLS needs --cafile or -k");
    if (options->threads > options->connections)
        options->threads = options->connections;
}

void load_options_parse(int count, char **arguments, struct load_options *out_options)
{
    int option;

    *out_options = (struct load_options){ .mode = LOAD_MODES,
                                          .path = "/",
                                          .connections = 1,
                                          .threads = 1,
                                          .duration_s = 10,
                                          .hosts = 1L << 40,
                                          .expect_bytes = -1,
                                          .ramp = 256,
                                          .timeout_s = 30,
                                          .max_errors = 1000 };
    while ((option = getopt_long(count, arguments, "m:a:H:P:c:t:n:d:r:kh", long_options, NULL)) != -1)
        read_option(option, optarg, out_options);
    check(out_options);
}
