//! A private PostgreSQL for one test: on loopback, in its own folder, removed after the test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Returns the path of a server program. Debian keeps these programs outside of `PATH`.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

/// A cluster that stops when this is dropped, and also when this process dies.
pub struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
    guard: Option<Child>,
}

impl Postgres {
    /// Creates and starts a cluster.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("genesync-pg").tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            // PostgreSQL refuses to run as root, so it runs as the unprivileged system user, in a folder of
            // that user.
            for path in [folder.path(), &data] {
                run(Command::new("chown").arg("nobody").arg(path));
            }
        }
        run(as_no_one(&program("initdb"))
            .args([
                "--auth=trust",
                "--username=genesync",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(&data));
        let port = free_port();
        let mut cluster = Self { folder, port, guard: None };
        cluster.launch();
        cluster
    }

    /// Starts the server through a shell. The shell stops the server when its standard input ends, also when
    /// this process is killed.
    pub fn launch(&mut self) {
        let server = program("postgres");
        let script = "\"$@\" & server=$!; cat >/dev/null; kill -INT $server; wait $server";
        let mut command = as_no_one(Path::new("sh"));
        command
            .args(["-c", script, "sh"])
            .arg(server)
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "unix_socket_directories=", "-c", "max_connections=200"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap());
        self.guard = Some(command.spawn().unwrap());
        let asked = || {
            Command::new(program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .is_ok_and(|status| status.success())
        };
        for _ in 0..600 {
            if asked() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start:\n{log}");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops the server: connections are cut, nothing is finished.
    pub fn stop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }

    /// Creates an empty database, and returns its URL.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    pub fn url(&self, name: &str) -> String {
        format!("postgres://genesync@127.0.0.1:{}/{name}", self.port)
    }

    pub fn session(&self, database: &str) -> Session {
        let mut psql = Command::new(program("psql"));
        psql.args(["-qtAX", "-d", &self.url(database)]).stdin(Stdio::piped()).stdout(Stdio::null());
        Session(psql.spawn().unwrap())
    }

    /// Runs a statement, and returns its output.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(program("psql"))
            .args(["-qtAX", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin.take().unwrap().write_all(statement.as_bytes()).unwrap();
        let output = psql.wait_with_output().unwrap();
        assert!(output.status.success(), "{statement}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A connection that lasts longer than a statement.
pub struct Session(Child);

impl Session {
    pub fn say(&mut self, statement: &str) {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{statement}").unwrap();
        input.flush().unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A pooler in transaction mode before a cluster. It stops when this is dropped or this process dies.
pub struct Bouncer {
    folder: tempfile::TempDir,
    port: u16,
    guard: Child,
}

impl Bouncer {
    /// Starts a pooler with this many connections to each database, which all clients share.
    pub fn before(cluster: &Postgres, connections: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("genesync-pgb").tempdir().unwrap();
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host={} port={} user=genesync\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
             listen_port={port}\nunix_socket_dir=\nauth_type=any\npool_mode=transaction\n\
             default_pool_size={connections}\nmax_client_conn=200\nignore_startup_parameters=extra_float_digits\n",
            cluster.address().0,
            cluster.address().1
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        if is_root() {
            run(Command::new("chown").arg("-R").arg("nobody").arg(folder.path()));
        }
        let sbin = Path::new("/usr/sbin/pgbouncer");
        let program = if sbin.exists() { sbin } else { Path::new("pgbouncer") };
        let script = "\"$@\" & pooler=$!; cat >/dev/null; kill -INT $pooler; wait $pooler";
        let mut command = as_no_one(Path::new("sh"));
        command.args(["-c", script, "sh"]).arg(program).arg("-q").arg(&file);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(folder.path().join("log")).unwrap());
        let bouncer = Self { folder, port, guard: command.spawn().unwrap() };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return bouncer;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(bouncer.folder.path().join("log")).unwrap_or_default();
        panic!("pgbouncer did not start; `make test-tools` installs what the tests need:\n{log}");
    }

    /// Returns a database's URL through the pooler, in the form of docs/settings.md.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://genesync@127.0.0.1:{}/{name}?statement-cache-capacity=0", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }
}

pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Returns a command that runs as the unprivileged system user if this process is root.
pub fn as_no_one(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `make test-tools` installs what the tests need")
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
