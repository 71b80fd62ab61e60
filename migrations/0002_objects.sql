-- An organization may hold several managed objects: what was kept by organization is kept by object. Of the `webchat`
-- dialect, which has one, the object's key is the organization's id, as it was.
ALTER TABLE bases RENAME COLUMN organization TO object;
ALTER TABLE receipts RENAME COLUMN organization TO object;
ALTER TABLE confirmations RENAME COLUMN organization TO object;

-- What goes by an object's name may come to be another object: its id tells. The `webchat` dialect knows none.
ALTER TABLE bases ADD COLUMN id TEXT NOT NULL DEFAULT '';

-- Which version was the newest when a draft of ours was stored: what came after it, the draft does not know.
ALTER TABLE bases ADD COLUMN onto BIGINT NOT NULL DEFAULT 0;

-- What became of its write: written, not executed, unknown; empty while it has no end, and for those of before.
ALTER TABLE intents ADD COLUMN ending TEXT NOT NULL DEFAULT '';
