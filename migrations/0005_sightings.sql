-- When the draft of a configuration was changed last, where it held what was in force: as long as a listing shows the
-- same moment, the versions of the configuration are not asked for. 0 where it is not known.
ALTER TABLE bases ADD COLUMN drafted_at BIGINT NOT NULL DEFAULT 0;
