//! Problems of the database as a whole: their texts and hints for the operator, from the error codes of both
//! engines.

use std::fmt;

/// A problem of the database as a whole, not of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Its file or the whole server is read-only.
    ReadOnly,
    /// Its disk is full.
    Full,
    /// Another process locks it for longer than a query waits.
    Locked,
    /// Its file cannot be opened or created.
    Unopenable,
    /// Its file is not a database.
    NotADatabase,
    /// Its file is damaged.
    Damaged,
    /// Its address does not answer, or not in time.
    Unreachable,
    /// It rejects this user, or has no such database.
    Login,
    /// It accepts this user, but denies what genesync needs.
    Rights,
}

impl StoreTrouble {
    /// Returns the problem behind an error of the driver; none if the query itself failed. Numbers are result
    /// codes of SQLite (<https://www.sqlite.org/rescode.html>), five characters are PostgreSQL's SQLSTATE.
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        if let sqlx::Error::Migrate(error) = error
            && let sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) = &**error
        {
            return Self::of(error);
        }
        if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_)) {
            return Some(Self::Unreachable);
        }
        Self::of_code(&error.as_database_error()?.code()?)
    }

    fn of_code(code: &str) -> Option<Self> {
        match code {
            "25006" => Some(Self::ReadOnly),
            "53100" => Some(Self::Full),
            "55P03" => Some(Self::Locked),
            "3D000" | "28000" | "28P01" => Some(Self::Login),
            "42501" => Some(Self::Rights),
            "53300" | "57P01" | "57P02" | "57P03" => Some(Self::Unreachable),
            // The low byte is the primary code.
            number if number.len() < 5 => match number.parse::<u32>().ok()? & 0xff {
                5 | 6 => Some(Self::Locked),
                8 => Some(Self::ReadOnly),
                11 => Some(Self::Damaged),
                13 => Some(Self::Full),
                14 => Some(Self::Unopenable),
                26 => Some(Self::NotADatabase),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns what the operator can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "allow the user that runs genesync to write there, or set another place with --state-dir or --store"
            }
            Self::Full => "free space on that disk and run this again: the journal is not lost",
            Self::Locked => {
                "close the program that keeps the database open, such as a backup or a database browser: genesync processes wait for each other"
            }
            Self::Unopenable => {
                "check that the folder exists and that the user that runs genesync may enter and write it, or set another one with --state-dir"
            }
            Self::NotADatabase => "move the file away, or set another folder with --state-dir",
            Self::Damaged => "stop genesync and restore the last backup of the state",
            Self::Rights => {
                "grant the user of --store or GENESYNC_STORE the right to connect and to create in the schema: GRANT CREATE ON SCHEMA public TO …"
            }
            Self::Unreachable => {
                "check host and port of --store or GENESYNC_STORE, and that the database accepts connections"
            }
            Self::Login => "check user, password and database name of --store or GENESYNC_STORE",
        }
    }
}

impl fmt::Display for StoreTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "it is read-only",
            Self::Full => "its disk is full",
            Self::Locked => "another process locks it",
            Self::Unopenable => "it cannot be opened",
            Self::NotADatabase => "the file is not a database",
            Self::Damaged => "its file is damaged",
            Self::Rights => "this user may not create or change what genesync needs",
            Self::Unreachable => "it does not answer",
            Self::Login => "it rejects this user",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_of_both_engines_map_to_the_same_problems() {
        let table = [
            ("8", Some(StoreTrouble::ReadOnly)),
            ("264", Some(StoreTrouble::ReadOnly)),
            ("1032", Some(StoreTrouble::ReadOnly)),
            ("25006", Some(StoreTrouble::ReadOnly)),
            ("13", Some(StoreTrouble::Full)),
            ("53100", Some(StoreTrouble::Full)),
            ("5", Some(StoreTrouble::Locked)),
            ("517", Some(StoreTrouble::Locked)),
            ("55P03", Some(StoreTrouble::Locked)),
            ("14", Some(StoreTrouble::Unopenable)),
            ("26", Some(StoreTrouble::NotADatabase)),
            ("11", Some(StoreTrouble::Damaged)),
            ("779", Some(StoreTrouble::Damaged)),
            ("42501", Some(StoreTrouble::Rights)),
            ("28P01", Some(StoreTrouble::Login)),
            ("57P03", Some(StoreTrouble::Unreachable)),
            // A duplicate row is a problem of one query.
            ("2067", None),
            ("23505", None),
            ("x", None),
        ];
        for (code, expected) in table {
            assert_eq!(StoreTrouble::of_code(code), expected, "{code}");
        }
        assert_eq!(StoreTrouble::of(&sqlx::Error::PoolTimedOut), Some(StoreTrouble::Unreachable));
        assert_eq!(StoreTrouble::of(&sqlx::Error::RowNotFound), None);
    }
}
