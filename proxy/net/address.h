/* address: an IP address and a port, as sockets take it and as people read it. */
#ifndef WEIR_NET_ADDRESS_H
#define WEIR_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage sa;
    socklen_t len; /* 0: none */
};

/* Room for any address_format(), also with a scope ("[fe80::1%eth0]:80"). */
#define ADDRESS_TEXT_BYTES 80

/* An IP literal as getaddrinfo(3) takes it, without asking anybody: "1.2.3.4", "127.1", "::1",
 * "fe80::1%eth0", also in brackets. False: not one. */
bool address_parse(const char *text, uint16_t port, struct address *out_address);
/* The address as "1.2.3.4:80" or "[::1]:80"; "?" for what is neither IPv4 nor IPv6. */
void address_format(const struct address *address, char *out, size_t out_size);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

#endif
