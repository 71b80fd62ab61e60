-- Patience counts from the first run that could not reach a tenant, until one reaches it, whatever it waits for in
-- between; 0 for one that was reached.
ALTER TABLE tenants RENAME COLUMN standing_at TO unavailable_since;
UPDATE tenants SET unavailable_since = 0 WHERE standing <> 'unavailable';
-- Nobody waits for a tenant that git only watches, not even for one that is not valid.
UPDATE tenants SET standing = 'aside' WHERE enforced = 0;
