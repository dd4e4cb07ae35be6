#!/usr/bin/env bash
# The requests of session 'test' in order, as they were captured.
# Content-Length, too: whoever changes a body changes it with it, or takes it out.

# exchange 1, 2026-11-21T20:14:01.000Z, status 200
curl -s -S --http1.1 --compressed 'https://shop.test/a?x=1' \
  -H 'User-Agent: t' \
  -H 'Accept-Encoding: br' \
  -H Accept:

# exchange 2, 2026-11-21T20:14:02.000Z, status 200
curl -s -S -X POST --globoff --path-as-is 'http://shop.test:8080/a/../b[1]' \
  -H Host: \
  -H 'Accept: */*' \
  -H 'host: shop.test:8080' \
  -H 'X-Empty;' \
  -H 'Content-Length: 7' \
  -H $'Q: it\'s\xff' \
  -H User-Agent: \
  -H Content-Type: \
  -H Expect: \
  --data-raw '{"a":1}'

# exchange 3, 2026-11-21T20:14:03.000Z, status 200
# without its trailers: curl can't send any
# without 1 of its header fields: curl can't send their values
base64 -d <<'BODY' | curl -s -S --http1.0 -X PUT http://shop.test/ \
  --request-target '/{{x}}#' \
  -H Host: \
  -H 'Transfer-Encoding: chunked' \
  -H User-Agent: \
  -H Accept: \
  -H Content-Type: \
  -H Expect: \
  --data-binary @-
/wA=
BODY

# exchange 4, 2026-11-21T20:14:04.000Z, no response
curl -s -S -I http://shop.test/ \
  -H User-Agent: \
  -H Accept:

# exchange 5, 2026-11-21T20:14:05.000Z, status 200
# a HEAD with a body: curl waits for a body of the answer, too, and gives up after 10 s
curl -s -S -X HEAD --max-time 10 http://shop.test/ \
  -H 'Content-Length: 1' \
  -H User-Agent: \
  -H Accept: \
  -H Content-Type: \
  -H Expect: \
  --data-raw x

# exchange 6, 2026-11-21T20:14:06.000Z, status 200
curl -s -S -X PUT http://shop.test/ \
  -H 'Transfer-Encoding: chunked' \
  -H User-Agent: \
  -H Accept: \
  -H Content-Type: \
  -H Expect: \
  --data-raw ''

# exchange 7, 2026-11-21T20:14:07.000Z, status 200
curl -s -S --http1.1 https://shop.test/ \
  --connect-to ::192.0.2.7:443 \
  -H 'Host: other.test' \
  -H User-Agent: \
  -H Accept:

# exchange 8, 2026-11-21T20:14:08.000Z, status 200
curl -s -S --http1.1 https://192.0.2.7/ \
  --connect-to ::192.0.2.7:443 \
  -H 'Host: other.test' \
  -H User-Agent: \
  -H Accept:

# exchange 9, 2026-11-21T20:14:09.000Z, status 200
curl -s -S http://shop.test/ \
  -H User-Agent: \
  -H Accept:

# exchange 10, 2026-11-21T20:14:10.000Z, no response
# CONNECT https://shop.testshop.test:443
# left out: tunnels, whose bytes were relayed and not understood

# exchange 11, 2026-11-21T20:14:11.000Z, status 200
# CONNECT https://shop.test/chat
# left out: upgrades to another protocol (WebSocket)
