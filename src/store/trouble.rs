//! What is wrong with the database, and what to do: in words for whoever runs genesync, from the codes of both engines.

use std::fmt;

/// What is wrong with the database as a whole, rather than with one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Its file, or the whole server, may not be written.
    ReadOnly,
    /// There is no room on its disk.
    Full,
    /// Another process holds it for longer than a query waits.
    Locked,
    /// Its file can't be opened or made.
    Unopenable,
    /// There is a file of its name that is something else.
    NotADatabase,
    /// What its file holds contradicts itself.
    Damaged,
    /// Nobody answers at its address, or not in time.
    Unreachable,
    /// It does not let this user in, or knows no such database.
    Login,
    /// It lets this user in, and not do what genesync has to.
    Rights,
}

impl StoreTrouble {
    /// Finds the trouble behind an error of the driver; none where the query itself is at fault. Numbers are result codes of
    /// SQLite (<https://www.sqlite.org/rescode.html>), five characters are PostgreSQL's SQLSTATE.
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

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "give the user that runs genesync the right to write there, or name another place with --state-dir or --store"
            }
            Self::Full => "make room on that disk and run this again; what the journal holds is not lost",
            Self::Locked => {
                "end whatever keeps the database open, such as a backup or a database browser; processes of genesync wait for each other"
            }
            Self::Unopenable => {
                "check that the folder exists and that the user that runs genesync may enter and write it, or name another one with --state-dir"
            }
            Self::NotADatabase => "move the file away, or name another folder with --state-dir",
            Self::Damaged => "put the copy of the state back that was made last, with genesync stopped",
            Self::Rights => {
                "grant the user of --store or GENESYNC_STORE the right to connect and to create in the schema: GRANT CREATE ON SCHEMA public TO …"
            }
            Self::Unreachable => {
                "check host and port of --store or GENESYNC_STORE, and that the database takes connections"
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
            Self::Locked => "another process keeps it locked",
            Self::Unopenable => "it can't be opened",
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
    fn both_engines_codes_mean_the_same_troubles() {
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
            // A row that is there twice is a query's own matter.
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
