-- Works on SQLite and PostgreSQL alike: texts, 64-bit integers, JSON as text, times in milliseconds since 1970.

-- What git says, as the replicas agree on it: `seq` grows with every revision, and never goes back.
CREATE TABLE heads (
    repository TEXT PRIMARY KEY NOT NULL,
    revision TEXT NOT NULL,
    seq BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- One row a tenant: what it should be at, when it is due, how it is.
CREATE TABLE tenants (
    name TEXT PRIMARY KEY NOT NULL,
    wanted TEXT NOT NULL,             -- digest of the rendered configuration; '' where there is none that is valid
    applied TEXT NOT NULL,            -- the digest at the end of the last run that was in sync
    revision TEXT NOT NULL,           -- where `wanted` was rendered from
    enforced BIGINT NOT NULL,         -- 1 where genesync may write
    credentials TEXT NOT NULL,
    wave BIGINT NOT NULL,
    removed BIGINT NOT NULL,          -- 1 where git no longer holds it
    due_at BIGINT NOT NULL,
    cause TEXT NOT NULL,              -- why it is due
    failures BIGINT NOT NULL,         -- in a row
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    trouble TEXT NOT NULL,            -- what a notification is about; '' where all is well
    since BIGINT NOT NULL,            -- when it came into this status
    checked_at BIGINT NOT NULL,       -- when it was last looked at; 0 for never
    synced_at BIGINT NOT NULL,        -- when it was last seen in sync; 0 for never
    drifted_at BIGINT NOT NULL        -- when its drift was first seen; 0 for none
);
CREATE INDEX tenants_due ON tenants (due_at, name);
-- Whose change the higher waves wait for: asked with every claim.
CREATE INDEX tenants_pending ON tenants (wave) WHERE removed = 0 AND enforced = 1 AND applied <> wanted;

-- Who works on what. `token` grows with every holder; the journal refuses an older one.
CREATE TABLE leases (
    name TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The journal: an intent is here before its write leaves.
CREATE TABLE intents (
    tenant TEXT NOT NULL,
    id BIGINT NOT NULL,
    token BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,      -- by this database's clock, which every replica is measured by
    intent TEXT NOT NULL,
    reverting BIGINT NOT NULL,        -- how many fields it sets back
    resolved_at BIGINT,
    accepted BIGINT NOT NULL,         -- how many receipts it led to
    PRIMARY KEY (tenant, id)
);
CREATE INDEX intents_open ON intents (tenant) WHERE resolved_at IS NULL;

-- What was last applied, by organization.
CREATE TABLE bases (
    tenant TEXT NOT NULL,
    organization TEXT NOT NULL,
    version BIGINT NOT NULL,
    revision TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, organization)
);

-- Proof of accepted writes.
CREATE TABLE receipts (
    tenant TEXT NOT NULL,
    organization TEXT NOT NULL,
    version BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    intent BIGINT NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (tenant, organization, version, sent_at)
);

-- Proof of receipts: what the audit log says.
CREATE TABLE confirmations (
    tenant TEXT NOT NULL,
    organization TEXT NOT NULL,
    version BIGINT NOT NULL,
    entry TEXT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, organization, version)
);

-- Runs that did or found something; those that found all in sync leave `checked_at` alone behind.
CREATE TABLE runs (
    tenant TEXT NOT NULL,
    token BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    revision TEXT NOT NULL,
    cause TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    writes BIGINT NOT NULL,
    conflicts BIGINT NOT NULL,
    replica TEXT NOT NULL,
    PRIMARY KEY (tenant, started_at, token)
);

-- What happened to a tenant, told one line at a time.
CREATE TABLE history (
    tenant TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX history_tenant ON history (tenant, at);

-- Tenants that are watched and not written: a person's pause, or a hold that waits for a person.
CREATE TABLE pauses (
    tenant TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    paused_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT                      -- none: until it is resumed
);

-- Small things that the replicas share, such as which notifications are out.
CREATE TABLE notes (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
