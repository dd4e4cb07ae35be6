-- Version 4: only bodies of 8 KiB and more are looked for in all of the store.

-- Hashes lie in no order, so each body of a batch changed another page of their index: in a large store that
-- cost more than the body itself. Smaller ones are shared with those that the same weir stored not long ago.
DROP INDEX body_hash;
CREATE INDEX body_hash ON body (hash) WHERE hash IS NOT NULL AND size >= 8192;
