-- What the commit that was applied last said of an organization's guards, whichever tenant named it then: no commit lifts
-- a guard and uses that. JSON; a row is written when its organization was found as git says.
CREATE TABLE precedents (
  organization TEXT NOT NULL PRIMARY KEY,
  said TEXT NOT NULL
);
-- The limits of a run that the last head said which was not held by them, as JSON; '' where none is known.
ALTER TABLE heads ADD COLUMN limits TEXT NOT NULL DEFAULT '';

-- Whether a write switches off what visitors use: of two tenants in an hour the second one is asked about. Whoever writes
-- down such an intent takes the row below first, so that two processes do so one after the other.
ALTER TABLE intents ADD COLUMN off BIGINT NOT NULL DEFAULT 0;
CREATE INDEX intents_off ON intents (recorded_at) WHERE off = 1;
CREATE TABLE latches (
  name TEXT NOT NULL PRIMARY KEY,
  taken BIGINT NOT NULL
);
INSERT INTO latches (name, taken) VALUES ('run-off', 0);

-- The last head from which something was written, or that some base is of: one that never was may be replaced by a commit
-- beside it.
ALTER TABLE heads ADD COLUMN written TEXT NOT NULL DEFAULT '';
UPDATE heads SET written = revision;

-- Which store this is. The id is drawn once; the number grows with each renewal of leases and each process that opens the
-- store: a process that has seen a larger one is looking at a copy from earlier.
CREATE TABLE identity (
  one BIGINT NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  epoch BIGINT NOT NULL
);

-- Guards that a person opened for the next run of a tenant, whoever runs it.
CREATE TABLE openings (
  tenant TEXT NOT NULL,
  guard TEXT NOT NULL,
  opened_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (tenant, guard)
);

-- Fields that were ignored and differed when this was kept, as a JSON list; '' for none.
ALTER TABLE bases ADD COLUMN ignored TEXT NOT NULL DEFAULT '';
