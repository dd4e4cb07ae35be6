/* options: what bench_load is asked to do. `bench_load -h` lists them. */
#ifndef WEIR_BENCH_LOAD_OPTIONS_H
#define WEIR_BENCH_LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum load_mode {
    LOAD_PLAIN,   /* straight to the address */
    LOAD_TLS,     /* the same in TLS */
    LOAD_PROXY,   /* absolute-form requests */
    LOAD_CONNECT, /* CONNECT, then TLS */
    LOAD_MODES
};

struct load_options {
    enum load_mode mode;
    struct sockaddr_in address; /* on loopback */
    const char *host;           /* may hold one %d: a counter of connections */
    int port;                   /* of the target, as CONNECT and the URL name it */
    const char *path;
    int connections, threads;
    long requests; /* in all; 0: no limit */
    double duration_s;
    int per_connection;     /* requests; 0: no limit */
    long hosts, first_host; /* the %d runs from first_host, this many values */
    uint64_t body_bytes;    /* of each request; 0: a GET */
    bool varies;            /* no two pieces of bodies are the same */
    long expect_bytes;      /* of each response; -1: any */
    bool checks_crc, is_insecure, resumes;
    const char *ca_file;
    int ramp;       /* connections in set-up at once */
    double hold_s;  /* connections stay open, idle, this long; 0: they do not */
    double burst_s; /* how long those that are held send requests when they are told to; 0: they are not */
    double timeout_s;
    long max_errors;
};

/* Ends the program where they make no sense, or when only help was asked for. */
void load_options_parse(int count, char **arguments, struct load_options *out_options);

#endif
