-- How a tenant stands towards later waves: `pending` until its change was tried, then `has`, `failed`, `unavailable` or
-- `aside`. Queries compare it and never work it out.
ALTER TABLE tenants ADD COLUMN standing TEXT NOT NULL DEFAULT 'pending';
-- Since when it stands so; for `unavailable`, the first run that could not reach it.
ALTER TABLE tenants ADD COLUMN standing_at BIGINT NOT NULL DEFAULT 0;
-- The wave that its change waited for when it was last looked at; -1 for none.
ALTER TABLE tenants ADD COLUMN waits_for BIGINT NOT NULL DEFAULT -1;
-- The digest for which a person ended a guard's hold; '' for none. The guard does not count it again.
ALTER TABLE tenants ADD COLUMN released TEXT NOT NULL DEFAULT '';
UPDATE tenants SET standing = CASE WHEN wanted = '' THEN 'failed' WHEN enforced = 0 THEN 'aside'
                                   WHEN applied = wanted THEN 'has' ELSE 'pending' END;

-- Whose change the higher waves wait for: asked with every claim.
DROP INDEX tenants_pending;
CREATE INDEX tenants_pending ON tenants (wave) WHERE removed = 0 AND (applied <> wanted OR wanted = '');
CREATE INDEX tenants_waiting ON tenants (wave) WHERE waits_for >= 0;

-- Who ran a run by hand, as the process says, and why; '' for the controller.
ALTER TABLE runs ADD COLUMN asked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN asked_why TEXT NOT NULL DEFAULT '';
