//! Rows P: the repository itself, with trees that git itself would not write.

use std::net::TcpListener;

use genesync::source::RemoteUrl;
use git2::{ObjectType, Oid, Repository};

use super::*;

const WEB: &str = "tenants/acme/web.yaml";

/// An entry of a tree.
#[derive(Clone)]
pub enum Entry {
    File(Vec<u8>),
    Executable(Vec<u8>),
    Link(&'static str),
    Submodule,
    /// A blob that is not in the object database.
    Lost,
    /// A tree that is already written.
    Written(Oid),
    /// A tree in git's order.
    Tree(Vec<(Vec<u8>, Entry)>),
    /// A tree in the order given.
    AsGiven(Vec<(Vec<u8>, Entry)>),
}

pub use Entry::{AsGiven, Executable, File, Link, Lost, Submodule, Tree, Written};

/// Returns a name and its entry.
pub fn at(name: impl AsRef<[u8]>, entry: Entry) -> (Vec<u8>, Entry) {
    (name.as_ref().to_vec(), entry)
}

/// Returns the entries of a sound tenant's folder.
pub fn files(name: &str, number: u32) -> Vec<(Vec<u8>, Entry)> {
    vec![
        at("tenant.yaml", File(tenant(name, number, "").into_bytes())),
        at("web.yaml", File(web(SOUND_SPEC).into_bytes())),
    ]
}

/// A repository whose trees are written byte by byte.
pub struct Git {
    dir: TempDir,
    repository: Repository,
}

impl Git {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository::init(dir.path()).unwrap();
        repository.set_head("refs/heads/main").unwrap();
        Self { dir, repository }
    }

    fn write(&self, entry: Entry) -> (&'static str, Oid) {
        let odb = self.repository.odb().unwrap();
        let blob = |bytes: &[u8]| odb.write(ObjectType::Blob, bytes).unwrap();
        match entry {
            File(bytes) => ("100644", blob(&bytes)),
            Executable(bytes) => ("100755", blob(&bytes)),
            Link(target) => ("120000", blob(target.as_bytes())),
            Submodule => ("160000", Oid::from_bytes(&[7; 20]).unwrap()),
            Lost => ("100644", Oid::from_bytes(&[9; 20]).unwrap()),
            Written(id) => ("40000", id),
            Tree(mut entries) => {
                let key = |(name, entry): &(Vec<u8>, Entry)| {
                    let folder = matches!(entry, Tree(_) | AsGiven(_) | Written(_));
                    [name.as_slice(), if folder { b"/" } else { b"" }].concat()
                };
                entries.sort_by_key(key);
                self.write(AsGiven(entries))
            }
            AsGiven(entries) => {
                let mut bytes = Vec::new();
                for (name, entry) in entries {
                    let (mode, id) = self.write(entry);
                    bytes.extend_from_slice(&[mode.as_bytes(), b" ", &name, b"\0", id.as_bytes()].concat());
                }
                ("40000", odb.write(ObjectType::Tree, &bytes).unwrap())
            }
        }
    }

    /// Commits a root tree to `main` on top of these parents.
    pub fn commit(&self, root: Entry, parents: &[Oid]) -> Oid {
        let (_, tree) = self.write(root);
        let mut text = format!("tree {tree}\n");
        for parent in parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        text.push_str("author A \u{1b}[31m <a@\u{202e}b> 1700000000 +0000\ncommitter A <a@b.example> 1700000000 +0000\n\n\u{1b}[2J @everyone\n");
        let id = self.repository.odb().unwrap().write(ObjectType::Commit, text.as_bytes()).unwrap();
        self.repository.reference("refs/heads/main", id, true, "test").unwrap();
        id
    }

    fn load(&self, revision: &str) -> Result<Fleet, SourceError> {
        fleet::load(&Source::repository(self.dir.path()).unwrap(), revision, &fleet::Options::on(TODAY))
    }

    pub fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }
}

/// Returns a root with this `acme` and the sound tenant.
fn root(acme: Entry) -> Entry {
    Tree(vec![at("tenants", Tree(vec![at("acme", acme), at("zebra", Tree(files("zebra", 99)))]))])
}

/// Returns a sound `acme` with more entries in its folder.
fn acme_and(more: Vec<(Vec<u8>, Entry)>) -> Entry {
    Tree([files("acme", 1), more].concat())
}

fn yaml() -> Entry {
    File(b"{}".to_vec())
}

type Row = (&'static str, Entry, &'static str, &'static str);

fn refuse(rows: Vec<Row>) {
    assert_all_refused(rows.into_iter().map(|(id, root, file, says)| {
        let git = Git::new();
        git.commit(root, &[]);
        let fleet = git.load("HEAD").unwrap_or_else(|error| panic!("{id}: {error}"));
        (fleet, Expected { id, file, place: "-", rule: "repository", says })
    }));
}

// Guarantee: links-are-not-followed
#[test]
fn only_regular_files_in_plain_places_are_read() {
    let one = |name: &str, entry: Entry| root(acme_and(vec![at(name, entry)]));
    let nested = |names: &[&str]| {
        let inner = names.iter().rev().fold(yaml(), |inner, name| Tree(vec![at(name, inner)]));
        let Tree(entries) = inner else { unreachable!() };
        root(acme_and(entries))
    };
    let instead = |entry: Entry| {
        let kept = files("acme", 1).into_iter().filter(|(name, _)| name == b"tenant.yaml");
        root(Tree(kept.chain([at("web.yaml", entry)]).collect()))
    };
    let beside = |name: &str, entry: Entry| {
        Tree(vec![at("tenants", Tree(vec![at(name, entry), at("zebra", Tree(files("zebra", 99)))]))])
    };
    let odd = "has another meaning on some systems";
    refuse(vec![
        ("P01 passwd", instead(Link("/etc/passwd")), WEB, "a symbolic link"),
        ("P01 other", instead(Link("../zebra/web.yaml")), WEB, "a symbolic link"),
        ("P01 itself", instead(Link("web.yaml")), WEB, "a symbolic link"),
        ("P01 folder", one("sub", Link("../zebra")), "tenants/acme/sub", "a symbolic link"),
        ("P01 note", one("README", Link("/etc/passwd")), "tenants/acme/README", "a symbolic link"),
        ("P01 tenant", beside("acme", Link("zebra")), "tenants/acme", "a symbolic link instead of a folder"),
        ("P02", one("vendor", Submodule), "tenants/acme/vendor", "a submodule"),
        ("P02 file", instead(Submodule), WEB, "a submodule"),
        ("P02 tenant", beside("acme", Submodule), "tenants/acme", "a submodule instead of a folder"),
        ("P03 up", one("..", yaml()), "tenants/acme/..", odd),
        ("P03 up folder", nested(&["..", "zebra", "x.yaml"]), "tenants/acme/../zebra/x.yaml", odd),
        ("P03 here", nested(&[".", "x.yaml"]), "tenants/acme/./x.yaml", odd),
        ("P03 .git", nested(&[".git", "x.yaml"]), "tenants/acme/.git/x.yaml", odd),
        ("P03 .GIT", nested(&[".GIT", "config"]), "tenants/acme/.GIT/config", odd),
        ("P03 git~1", nested(&["git~1", "x.yaml"]), "tenants/acme/git~1/x.yaml", odd),
        (
            "P03 slash",
            one("a/../../b.yaml", yaml()),
            "tenants/acme",
            "`a/../../b.yaml` is a duplicate, out of order, or a path",
        ),
        ("P03 backslash", one("..\\b.yaml", yaml()), "tenants/acme/..\\b.yaml", odd),
        ("P03 line", one("a\nb.yaml", yaml()), "tenants/acme/a\nb.yaml", odd),
        ("P03 escape", one("a\u{1b}[31m.yaml", yaml()), "tenants/acme/a\u{1b}[31m.yaml", odd),
        ("P03 c1", one("a\u{9b}31m.txt", yaml()), "tenants/acme/a\u{9b}31m.txt", odd),
        ("P03 turned", one("a\u{202e}lmay.yaml", yaml()), "tenants/acme/a\u{202e}lmay.yaml", odd),
        ("P03 width", one("web\u{200b}.yaml", yaml()), "tenants/acme/web\u{200b}.yaml", odd),
        ("P03 stream", one("a.yaml:x", yaml()), "tenants/acme/a.yaml:x", odd),
        ("P03 dot", one("a.yaml.", yaml()), "tenants/acme/a.yaml.", odd),
        ("P03 space", one("a.yaml ", yaml()), "tenants/acme/a.yaml ", odd),
        ("P03 device", one("CON", yaml()), "tenants/acme/CON", odd),
        ("P03 device file", one("aux.yaml", yaml()), "tenants/acme/aux.yaml", odd),
        ("P03 bytes", root(acme_and(vec![at(b"a\xff.yaml", yaml())])), "tenants/acme/a\u{fffd}.yaml", odd),
        ("P03 tenant", beside("..", Tree(files("acme", 1))), "tenants/..", "cannot be a tenant's"),
        ("P15 upper", beside("ACME", Tree(files("acme", 1))), "tenants/ACME", "cannot be a tenant's"),
        ("P15 space", beside("acme ", Tree(files("acme", 1))), "tenants/acme ", "cannot be a tenant's"),
        (
            "P15 letter",
            beside("\u{430}cme", Tree(files("acme", 1))),
            "tenants/\u{430}cme",
            "cannot be a tenant's",
        ),
        ("P15 file", beside("acme.yaml", yaml()), "tenants/acme.yaml", "outside of any tenant's folder"),
    ]);
}

#[test]
fn a_duplicate_name_in_a_folder_is_refused() {
    let both = |first: &str, second: &str| {
        let web = || File(web(SOUND_SPEC).into_bytes());
        let tenant = files("acme", 1).remove(0);
        root(AsGiven(vec![at(first, web()), tenant, at(second, web())]))
    };
    let says = "a duplicate, out of order, or a path";
    let fold = "differs from this one only in the case";
    let folded = root(acme_and(vec![at("Web.yaml", yaml())]));
    let deep = root(acme_and(vec![
        at("A", Tree(vec![at("x.yaml", yaml())])),
        at("a", Tree(vec![at("x.yaml", yaml())])),
    ]));
    refuse(vec![
        (
            "P04 twice",
            root(AsGiven([files("acme", 1), files("acme", 1)[1..].to_vec()].concat())),
            "tenants/acme",
            says,
        ),
        ("P04 unsorted", both("web.yaml", "a.yaml"), "tenants/acme", says),
        (
            "P04 file and folder",
            root(AsGiven(
                [files("acme", 1), vec![at("web.yaml", Tree(vec![at("x.yaml", yaml())]))]].concat(),
            )),
            "tenants/acme",
            says,
        ),
        ("N11 case", folded, WEB, fold),
        ("P04 case of a folder", deep, "tenants/acme/a/x.yaml", fold),
    ]);
}

/// A tree that all tenants share has no sound part: genesync refuses the whole repository.
#[test]
fn a_shared_tree_that_git_would_not_write_is_refused_whole() {
    let tenants = || at("tenants", Tree(vec![at("zebra", Tree(files("zebra", 99)))]));
    let project = |max: u32| {
        at("genesync.yaml", File(format!("apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: p}}\nspec: {{guards: {{run: {{tenantsMax: {max}}}}}}}\n").into_bytes()))
    };
    let zebra = || at("zebra", Tree(files("zebra", 99)));
    let rows: Vec<(&str, Entry, &str)> = vec![
        (
            "P04 project",
            AsGiven(vec![project(1), project(9_999), tenants()]),
            "`genesync.yaml` is a duplicate",
        ),
        ("P04 tenants", AsGiven(vec![tenants(), tenants()]), "`tenants` is a duplicate"),
        (
            "P04 tenant",
            Tree(vec![at("tenants", AsGiven(vec![zebra(), zebra()]))]),
            "the tree of `tenants` is malformed",
        ),
        ("P04 order", AsGiven(vec![tenants(), project(1)]), "`genesync.yaml` is a duplicate"),
        (
            "P03 slash",
            Tree(vec![at("tenants", Tree(vec![at("a/b", Tree(files("b", 1))), zebra()]))]),
            "`a/b` is a duplicate",
        ),
    ];
    for (id, root, says) in rows {
        let git = Git::new();
        git.commit(root, &[]);
        let error = git.load("HEAD").map(|fleet| fleet.findings).unwrap_err();
        assert!(matches!(error, SourceError::Malformed { .. }), "{id}: {error:?}");
        assert!(error.to_string().contains(says), "{id}: {error}");
    }
}

/// The project file and the layers must be regular files and folders.
#[test]
fn shared_files_are_regular_too() {
    let with = |name: &str, entry: Entry| {
        Tree(vec![at(name, entry), at("tenants", Tree(vec![at("zebra", Tree(files("zebra", 99)))]))])
    };
    let rows: Vec<(&str, Entry, &str, bool)> = vec![
        ("P01 project", with("genesync.yaml", Link("/etc/passwd")), "genesync.yaml", true),
        ("P02 project", with("genesync.yaml", Submodule), "genesync.yaml", true),
        ("P01 bases", with("bases", Link("/etc")), "bases", false),
        ("P01 layer", with("bases", Tree(vec![at("a.yaml", Link("/etc/passwd"))])), "bases/a.yaml", false),
        (
            "P03 layer",
            with("bases", Tree(vec![at("..", Tree(vec![at("a.yaml", yaml())]))])),
            "bases/../a.yaml",
            false,
        ),
    ];
    for (id, root, file, broken) in rows {
        let git = Git::new();
        git.commit(root, &[]);
        let fleet = git.load("HEAD").unwrap();
        let expected = Expected { id, file, place: "-", rule: "repository", says: "" };
        assert_refused(&fleet, &expected);
        assert_eq!(fleet.project_is_broken(), broken, "{id}");
    }
}

#[test]
fn large_repositories_are_limited() {
    let many = |count: usize, name: &str| -> Vec<(Vec<u8>, Entry)> {
        (0..count).map(|n| at(format!("{name}{n:06}.yaml"), yaml())).collect()
    };
    let longest = format!("{}.yaml", "n".repeat(70_000));
    refuse(vec![
        ("P16 files", root(acme_and(many(2_100, "a"))), "tenants/acme", "over 2000 files"),
        (
            "P16 name",
            root(acme_and(vec![at(longest, yaml())])),
            "tenants/acme",
            "git cannot read this folder",
        ),
    ]);
    let git = Git::new();
    let (_, mut deep) = git.write(Tree(vec![at("x.yaml", yaml())]));
    for _ in 0..4_000 {
        (_, deep) = git.write(Tree(vec![at("d", Written(deep))]));
    }
    git.commit(root(acme_and(vec![at("d", Written(deep))])), &[]);
    let file = "tenants/acme/d/d/d/d/d/d/d/d/d";
    let fleet = git.load("HEAD").unwrap();
    assert_refused(
        &fleet,
        &Expected { id: "P16 deep", file, place: "-", rule: "repository", says: "deeper than 8 levels" },
    );
    let git = Git::new();
    let long = format!("{}.yaml", "n".repeat(60_000));
    git.commit(root(acme_and(vec![at(&long, yaml()), at("big.yaml", File(vec![b'#'; 5_000_000]))])), &[]);
    let fleet = git.load("HEAD").unwrap();
    let file = format!("tenants/acme/{}", "n".repeat(1_024 - "tenants/acme/".len()));
    assert_refused(
        &fleet,
        &Expected { id: "P16 path", file: &file, place: "-", rule: "repository", says: "over 1024 bytes" },
    );
    let expected = Expected {
        id: "P09 blob",
        file: "tenants/acme/big.yaml",
        place: "-",
        rule: "yaml",
        says: "more than 524288 bytes",
    };
    assert_refused(&fleet, &expected);
    assert!(fleet.bytes_read < 600_000, "P09: {} bytes were read", fleet.bytes_read);

    let layers = Tree(vec![
        at("bases", Tree(many(1_200, "b"))),
        at("tenants", Tree(vec![at("zebra", Tree(files("zebra", 99)))])),
    ]);
    let git = Git::new();
    git.commit(layers, &[]);
    assert!(matches!(git.load("HEAD"), Err(SourceError::Limit { .. })), "P16 layers");

    let parent = git.commit(root(acme_and(Vec::new())), &[]);
    git.commit(root(acme_and(Vec::new())), &vec![parent; 20_000]);
    assert_accepted("P09 parents", &git.load("HEAD").unwrap());
    let notes = (0..20_000).map(|n| at(format!("n{n:05}.txt"), File(Vec::new()))).collect();
    git.commit(root(acme_and(notes)), &[]);
    let fleet = git.load("HEAD").unwrap();
    assert_accepted("P09 notes", &fleet);
    assert_eq!((fleet.files_read, fleet.ignored.len()), (4, 10_000), "P09 notes");
}

// Guarantee: nothing-is-followed
/// Hooks, filters, programs in the repository's configuration and submodules have no effect.
#[cfg(unix)]
#[test]
fn nothing_of_a_repository_is_run_or_followed() {
    use std::os::unix::fs::PermissionsExt as _;

    let git = Git::new();
    let dir = git.dir.path();
    let marker = dir.join("marker");
    let touch = format!("touch {}", marker.display());
    let attributes =
        File(b"*.yaml filter=evil diff=evil text eol=crlf working-tree-encoding=UTF-16\n".to_vec());
    let modules = File(format!("[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c '{touch}'\n").into_bytes());
    let pointer = File(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n".to_vec());
    let Tree(mut entries) = root(acme_and(vec![at("large.bin", pointer)])) else { unreachable!() };
    entries.extend([at(".gitattributes", attributes), at(".gitmodules", modules), at("x", Submodule)]);
    git.commit(Tree(entries), &[]);
    for hook in ["post-checkout", "pre-commit", "post-merge", "fsmonitor-watchman", "reference-transaction"] {
        let path = dir.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let other = dir.join("other");
    fs::write(&other, format!("[core]\n\tsshCommand = {touch}\n")).unwrap();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n\thooksPath = .git/hooks\n\tautocrlf = true\n[includeIf \"gitdir:{0}/\"]\n\tpath = {1}\n[filter \"evil\"]\n\tclean = {touch}\n\tsmudge = {touch}\n\trequired = true\n[diff \"evil\"]\n\ttextconv = {touch}\n[alias]\n\tlog = !{touch}\n",
        dir.display(),
        other.display()
    );
    fs::write(dir.join(".git/config"), config).unwrap();
    let fleet = git.load("HEAD").unwrap();
    let asked = assert_accepted("P05", &fleet);
    assert_eq!(asked.pointer("/greetings/messages/0").unwrap(), "Hello!", "P05: bytes changed");
    let state = tempfile::tempdir().unwrap();
    let output = genesync(state.path(), &["validate", "--rev", "HEAD", git.path()]);
    assert_eq!(output.status.code(), Some(0), "P05: {}", printed(&output));
    assert!(!marker.exists(), "P05: a program was run");
}

#[test]
fn urls_have_a_strict_grammar_and_hide_credentials() {
    let token = "tok3n-of-somebody";
    // Row, URL, a part of the reason; no reason for a valid URL.
    let rows: Vec<(&str, String, Option<&str>)> = vec![
        ("P06 option host", "ssh://-oProxyCommand=touch%20x/path".into(), Some("host name")),
        ("P06 option user", "ssh://-oProxyCommand=x@host.example/path".into(), Some("option")),
        ("P06 option scp", "-oProxyCommand=x@host.example:path".into(), Some("option")),
        (
            "P06 option path",
            "ssh://git@host.example/--upload-pack=x".into(),
            Some("read the path as an option"),
        ),
        (
            "P06 option scp path",
            "git@host.example:--upload-pack=x".into(),
            Some("read the path as an option"),
        ),
        ("P06 space", "https://host.example/x --upload-pack=y".into(), Some("white space")),
        ("P06 ext", "ext::sh -c touch% x".into(), Some("white space")),
        ("P06 ext short", "ext::sh".into(), Some("use https://")),
        ("P06 fd", "fd::17/foo".into(), Some("use https://")),
        ("P06 git", "git://host.example/x".into(), Some("use https://")),
        ("P06 http", "http://host.example/x".into(), Some("use https://")),
        ("P06 ftp", "ftp://host.example/x".into(), Some("use https://")),
        ("P06 upper", "HTTPS://host.example/x".into(), Some("use https://")),
        ("P06 share", "file://host.example/x".into(), Some("absolute path")),
        ("P06 port", "ssh://git@host.example:22;touch/x".into(), Some("port")),
        ("P06 no port", "https://host.example:/x".into(), Some("port")),
        ("P06 no host", "https:///x".into(), Some("host name")),
        ("P06 no path", "https://host.example".into(), Some("no path")),
        ("P06 idn", "https://h\u{43e}st.example/x".into(), Some("host name")),
        ("P06 escape", "https://host.example/\u{1b}[31m".into(), Some("control characters")),
        ("P20 password", format!("https://me:{token}@host.example/x"), Some("GENESYNC_GIT_TOKEN")),
        ("P20 token", format!("https://{token}@host.example/x"), Some("GENESYNC_GIT_TOKEN")),
        ("P20 ssh", format!("ssh://git:{token}@host.example/x"), Some("GENESYNC_GIT_TOKEN")),
        ("P20 at", format!("https://me:{token}@x@host.example/x"), Some("GENESYNC_GIT_TOKEN")),
        ("P20 other", format!("http://me:{token}@host.example/x"), Some("use https://")),
        ("P20 space", format!("https://me:{token}@host.example/x y"), Some("white space")),
        ("P06 good", "https://host.example:8443/team/x.git".into(), None),
        ("P06 good ssh", "ssh://git@host.example:22/team/x.git".into(), None),
        ("P06 good scp", "git@host.example:team/x.git".into(), None),
        ("P06 good file", "file:///srv/x.git".into(), None),
    ];
    for (id, url, reason) in &rows {
        assert!(RemoteUrl::looks_like(url), "{id}: taken for a path");
        match (RemoteUrl::parse(url), reason) {
            (Ok(_), None) => {}
            (Err(error), Some(reason)) => {
                let text = error.to_string();
                assert!(text.contains(reason), "{id}: {text}");
                assert!(!text.contains(token), "{id}: {text}");
            }
            (result, _) => panic!("{id}: {result:?}"),
        }
    }
}

/// A bad URL is refused before a connection is made.
#[test]
fn a_bad_url_makes_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let state = tempfile::tempdir().unwrap();
    for (id, url) in [
        ("P06", format!("http://127.0.0.1:{port}/x")),
        ("P20", format!("https://me:hunter2@127.0.0.1:{port}/x")),
        ("P06", format!("git://127.0.0.1:{port}/x\u{1b}[31m")),
    ] {
        for command in ["validate", "plan", "apply"] {
            for format in ["text", "json"] {
                let output = genesync(state.path(), &[command, "--format", format, &url]);
                let printed = printed(&output);
                assert_eq!(output.status.code(), Some(2), "{id} {command}: {printed}");
                assert!(
                    printed.contains("is not a URL that genesync fetches from"),
                    "{id} {command}: {printed}"
                );
                assert!(!printed.contains("hunter2"), "{id} {command}: {printed}");
                assert_shown_plainly(id, &printed);
            }
        }
    }
    let asked = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(std::io::ErrorKind::WouldBlock), "P06: a connection was made");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0, "P06: something was stored");
}

#[test]
fn revisions_are_names_and_hashes_and_nothing_else() {
    let git = Git::new();
    let first = git.commit(root(acme_and(Vec::new())), &[]);
    let second = git.commit(root(acme_and(Vec::new())), &[first]);
    for name in ["-x", "ref{1}", "a.lock.x"] {
        let path = git.dir.path().join(".git/refs/heads").join(name);
        fs::write(path, format!("{second}\n")).unwrap();
    }
    let long = "a".repeat(70_000);
    for revision in [
        "HEAD^{/(a+)+$}",
        "HEAD^{tree}",
        ":/(a+)+$",
        "@{-1}",
        "main@{upstream}",
        "main@{1}",
        "-x",
        "ref{1}",
        "refs/heads/../../HEAD",
        "../../../../etc/passwd",
        "HEAD:tenants",
        "HEAD^2",
        "HEAD~1000000000",
        "HEAD~99999999999999999999999999",
        "HEAD~18446744073709551615~5",
        "HEAD~~~",
        "main..HEAD",
        "",
        "/main",
        "main/",
        "refs//heads//main",
        "main\u{e9}",
        "HEAD~\u{e9}",
        "\u{1b}[31m",
        "nowhere",
        &long,
        "0000000",
        "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    ] {
        let result = git.load(revision);
        let error = result.map(|fleet| fleet.revision).unwrap_err();
        assert!(matches!(error, SourceError::Revision { .. }), "P10 {revision:.80}: {error:?}");
        assert!(error.to_string().chars().count() < 250, "P10 {revision:.80}");
    }
    for (revision, expected) in [
        ("HEAD", second),
        ("main", second),
        ("refs/heads/main", second),
        ("HEAD~1", first),
        ("main^", first),
        (&second.to_string(), second),
        (&first.to_string()[..10], first),
    ] {
        assert_eq!(git.load(revision).unwrap().revision.as_str(), expected.to_string(), "P10 {revision}");
    }
    let state = tempfile::tempdir().unwrap();
    let output = genesync(state.path(), &["validate", "--rev", "\u{1b}]0;evil\u{7}\u{9b}31m", git.path()]);
    assert_eq!(output.status.code(), Some(7), "P10: {}", printed(&output));
    assert_shown_plainly("P10", &printed(&output));
}

/// The author and the message of a commit are never printed; hostile names are printed as escapes.
#[test]
fn hostile_names_and_messages_reach_no_terminal() {
    let git = Git::new();
    let hostile = "a\u{1b}[31m\u{9b}2J\u{202e}\r\u{7f}";
    let more = vec![
        at(format!("{hostile}.yaml"), yaml()),
        at(format!(".{hostile}"), yaml()),
        at("clutter\u{1b}[31m~", yaml()),
        at("bad.yaml", File("\u{202e}x: \u{200b}\n".into())),
    ];
    let Tree(mut entries) = root(acme_and(more)) else { unreachable!() };
    entries.push(at(
        "bases",
        Tree(vec![at(format!("{hostile}.yaml"), yaml()), at(format!(".\u{9b}{}", "x"), yaml())]),
    ));
    git.commit(Tree(entries), &[]);
    let state = tempfile::tempdir().unwrap();
    for format in ["text", "json"] {
        let output =
            genesync(state.path(), &["-v", "validate", "--format", format, "--rev", "main", git.path()]);
        let printed = printed(&output);
        assert_eq!(output.status.code(), Some(1), "P11: {printed}");
        assert_shown_plainly("P11", &printed);
        assert!(!printed.contains("@everyone"), "P11: {printed}");
    }
    // The lost tree has a hostile name too.
    let git = Git::new();
    git.commit(root(acme_and(vec![at(format!("{hostile}.yaml"), Lost), at("b.yaml", Lost)])), &[]);
    let output = genesync(state.path(), &["validate", "--format", "json", "--rev", "main", git.path()]);
    assert_eq!(output.status.code(), Some(7), "P14: {}", printed(&output));
    assert_shown_plainly("P14", &printed(&output));
}

/// A partial clone lacks objects. genesync does not take such a file for absent.
#[test]
fn a_missing_object_is_not_an_absent_file() {
    let lost = |path: &[&str]| {
        let git = Git::new();
        let kept = files("acme", 1).into_iter().filter(|(name, _)| name == b"tenant.yaml");
        let acme = Tree(kept.chain([at("web.yaml", File(web("  extends: [a]\n").into_bytes()))]).collect());
        let Tree(mut entries) = root(acme) else { unreachable!() };
        let layer = web(SOUND_SPEC).replace("{name: web}", "{name: a}");
        entries.push(at("bases", Tree(vec![at("a.yaml", File(layer.into_bytes()))])));
        let commit = git.commit(Tree(entries), &[]);
        let tree = git.repository.find_commit(commit).unwrap().tree().unwrap();
        let id = tree.get_path(Path::new(&path.join("/"))).unwrap().id().to_string();
        drop(tree);
        let (folder, file) = id.split_at(2);
        fs::remove_file(git.dir.path().join(".git/objects").join(folder).join(file)).unwrap();
        git
    };
    for path in [
        &["tenants"][..],
        &["tenants", "acme"],
        &["tenants", "acme", "web.yaml"],
        &["bases"],
        &["bases", "a.yaml"],
    ] {
        // Open a new handle: the one that wrote the objects may still hold them.
        let git = lost(path);
        let error = git.load("HEAD").map(|fleet| fleet.findings).unwrap_err();
        assert!(matches!(error, SourceError::Git { .. }), "P14 {path:?}: {error:?}");
        assert!(error.to_string().contains(&path.join("/")), "P14 {path:?}: {error}");
    }
}

#[test]
fn other_files_are_skipped_and_reported() {
    let names = [".hidden.yaml", ".web.yaml.swp", "notes.md", "web.yaml.orig", "web.yaml~"];
    let more = names.iter().map(|name| at(name, File(b"\0 not: [yaml".to_vec()))).collect();
    let git = Git::new();
    git.commit(root(acme_and(more)), &[]);
    let fleet = git.load("HEAD").unwrap();
    assert_accepted("P17", &fleet);
    let ignored: Vec<&str> = fleet.ignored.iter().map(|path| &**path).collect();
    assert_eq!(ignored, names.map(|name| format!("tenants/acme/{name}")), "P17");
    let state = tempfile::tempdir().unwrap();
    let output = genesync(state.path(), &["-v", "validate", "--rev", "HEAD", git.path()]);
    assert!(printed(&output).contains("skipped: tenants/acme/web.yaml~"), "P17: {}", printed(&output));
}

#[test]
fn executables_are_read_with_a_warning() {
    let git = Git::new();
    let kept = files("acme", 1).into_iter().filter(|(name, _)| name == b"tenant.yaml");
    git.commit(
        root(Tree(kept.chain([at("web.yaml", Executable(web(SOUND_SPEC).into_bytes()))]).collect())),
        &[],
    );
    let fleet = git.load("HEAD").unwrap();
    assert_accepted("P03 mode", &fleet);
    let warned: Vec<_> =
        fleet.findings.iter().map(|finding| (finding.severity, &*finding.location.file)).collect();
    assert_eq!(warned, [(Severity::Warning, WEB)], "P03 mode");
}

/// A commit without tenants deletes nothing, sends no request and keeps nothing.
#[test]
fn an_emptied_repository_writes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("eu-west-1=http://{}", listener.local_addr().unwrap());
    let emptied: Vec<(&str, Entry)> = vec![
        ("N13 nothing", Tree(Vec::new())),
        ("N13 note", Tree(vec![at("tenants", Tree(vec![at("README.md", yaml())]))])),
        ("N13 empty", Tree(vec![at("tenants", Tree(Vec::new()))])),
        ("N13 moved", Tree(vec![at("Tenants", Tree(vec![at("zebra", Tree(files("zebra", 99)))]))])),
    ];
    for (id, emptied) in emptied {
        let git = Git::new();
        let first = git.commit(root(acme_and(Vec::new())), &[]);
        git.commit(emptied, &[first]);
        assert!(matches!(git.load("HEAD"), Err(SourceError::NoTenants { .. })), "{id}");
        let state = tempfile::tempdir().unwrap();
        for format in ["text", "json"] {
            let output =
                genesync(state.path(), &["--endpoint", &endpoint, "apply", "--format", format, git.path()]);
            assert_eq!(output.status.code(), Some(1), "{id}: {}", printed(&output));
            assert!(printed(&output).contains("genesync plans and writes nothing"), "{id}");
        }
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0, "{id}: something was stored");
    }
    assert!(listener.accept().is_err(), "N13: a connection was made");
}

/// A branch that lost the last applied commit is held until a person confirms the rewind.
#[test]
fn a_rewound_branch_is_held() {
    let only = |name: &str, number: u32| {
        let tenant = File(tenant(name, number, "").into_bytes());
        Tree(vec![at("tenants", Tree(vec![at(name, Tree(vec![at("tenant.yaml", tenant)]))]))])
    };
    let git = Git::new();
    let state = tempfile::tempdir().unwrap();
    let apply = |more: &[&str]| {
        let output = genesync(state.path(), &[&["apply"], more, &[git.path()]].concat());
        (output.status.code(), printed(&output))
    };
    let first = git.commit(only("acme", 1), &[]);
    let second = git.commit(only("acme", 2), &[first]);
    assert_eq!(apply(&[]).0, Some(0), "P13");
    let source = Source::repository(git.dir.path()).unwrap();
    let holds = |newer: Oid, older: Oid| {
        let revision = |id: Oid| genesync::model::Revision::new(id.to_string());
        source.holds(&revision(newer), &revision(older)).unwrap()
    };
    let orphan = git.commit(only("acme", 3), &[]);
    let forked = git.commit(only("acme", 4), &[first]);
    let to = |tip: Oid| git.repository.reference("refs/heads/main", tip, true, "test").map(drop).unwrap();
    assert!(!holds(first, second));
    to(first);
    let (code, printed) = apply(&[]);
    assert_eq!(code, Some(5), "P13 rewind: {printed}");
    assert!(printed.contains("refused by guard `rewind`"), "P13 rewind: {printed}");
    assert_eq!(apply(&["--allow", "rewind", "--reason", "meant"]).0, Some(0), "P13 allowed");
    let next = git.commit(only("acme", 5), &[first]);
    assert!(holds(next, first) && apply(&[]).0 == Some(0), "P13 on");
    // Nothing is managed here, so none of these commits caused a write: one may replace another, but its own
    // ancestor may not. `trust.rs` tests commits that caused a write.
    for (id, tip) in [("P13 orphan", orphan), ("P13 fork", forked)] {
        assert!(!holds(tip, next), "{id}");
        to(tip);
        let (code, printed) = apply(&[]);
        assert_eq!(code, Some(0), "{id}: {printed}");
    }
}

/// The same rules apply to a plain folder.
#[cfg(unix)]
#[test]
fn plain_folders_follow_no_links() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    let acme = |make: &dyn Fn(&Path)| {
        let dir = folder(&sound("acme", 1));
        make(&dir.path().join("tenants/acme"));
        load(dir.path()).unwrap()
    };
    let replace = |target: &'static str| {
        move |acme: &Path| {
            fs::remove_file(acme.join("web.yaml")).unwrap();
            symlink(target, acme.join("web.yaml")).unwrap();
        }
    };
    let mut deep = String::from("d");
    for _ in 0..20 {
        deep.push_str("/d");
    }
    type Make = Box<dyn Fn(&Path)>;
    let rows: Vec<(&str, Make, &str, &str)> = vec![
        ("P01 passwd", Box::new(replace("/etc/passwd")), WEB, "a symbolic link"),
        ("P01 other", Box::new(replace("../zebra/web.yaml")), WEB, "a symbolic link"),
        ("P01 itself", Box::new(replace("web.yaml")), WEB, "a symbolic link"),
        (
            "P01 folder",
            Box::new(|acme| symlink("../zebra", acme.join("sub")).unwrap()),
            "tenants/acme/sub",
            "a symbolic link",
        ),
        (
            "P03 bytes",
            Box::new(|acme| fs::write(acme.join(OsStr::from_bytes(b"a\xff.yaml")), "{}").unwrap()),
            "tenants/acme/a\u{fffd}.yaml",
            "has another meaning",
        ),
        (
            "P03 line",
            Box::new(|acme| fs::write(acme.join("a\nb.yaml"), "{}").unwrap()),
            "tenants/acme/a\nb.yaml",
            "has another meaning",
        ),
        (
            "P16 files",
            Box::new(|acme| {
                (0..2_050).for_each(|n| fs::write(acme.join(format!("a{n}.yaml")), "{}").unwrap())
            }),
            "tenants/acme",
            "over 2000 files",
        ),
        (
            "P16 deep",
            Box::new(move |acme| {
                fs::create_dir_all(acme.join(&deep)).unwrap();
                fs::write(acme.join(&deep).join("x.yaml"), "{}").unwrap();
            }),
            "tenants/acme/d/d/d/d/d/d/d/d/d",
            "deeper than 8 levels",
        ),
    ];
    for (id, make, file, says) in rows {
        let expected = Expected { id, file, place: "-", rule: "repository", says };
        assert_refused(&acme(&make), &expected);
    }
}

#[cfg(unix)]
#[test]
fn a_tenant_folder_that_is_a_link_is_refused() {
    use std::os::unix::fs::symlink;

    let dir = folder(&[]);
    symlink("zebra", dir.path().join("tenants/acme")).unwrap();
    let expected = Expected {
        id: "P01 tenant",
        file: "tenants/acme",
        place: "-",
        rule: "repository",
        says: "a symbolic link instead of a folder",
    };
    assert_refused(&load(dir.path()).unwrap(), &expected);
    let away = tempfile::tempdir().unwrap();
    symlink(dir.path().join("tenants"), away.path().join("tenants")).unwrap();
    let fleet = load(away.path()).unwrap();
    assert_eq!(fleet.tenants.len(), 0, "P01 tenants");
    assert!(
        fleet.findings.iter().any(|finding| finding.message.contains("`tenants` is a symbolic link")),
        "P01 tenants"
    );
}
