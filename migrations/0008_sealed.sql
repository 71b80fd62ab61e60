-- Whether the values that are confidential are digests in every row: rows of an earlier genesync hold the values themselves,
-- until a process of this one has rewritten them.
ALTER TABLE identity ADD COLUMN sealed BIGINT NOT NULL DEFAULT 0;
