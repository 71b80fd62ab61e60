-- What an object held when we last wrote it, saw it adopted, or a person accepted it, in fields that git does not name:
-- a row only where its base does not say the same, and for what is watched and has no base.
CREATE TABLE baselines (
  tenant TEXT NOT NULL,
  object TEXT NOT NULL,
  version BIGINT NOT NULL,
  body TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (tenant, object)
);

-- What differs from that, as it was seen last, and since when: a JSON list; '' for nothing.
ALTER TABLE tenants ADD COLUMN unmanaged TEXT NOT NULL DEFAULT '';

-- A folder may be renamed: what was applied belongs to the object.
CREATE INDEX bases_object ON bases (object);
