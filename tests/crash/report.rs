//! Writes docs/reliability.md: the faults, how often each really happened, and the results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kills::{self, Lane};
use crate::matrix::{self, Cell, Outcome};
use crate::mutants::MUTANTS;
use crate::points::{ABSENT, POINTS, impossible};
use crate::rig::Kind;
use crate::workload::Workload;
use crate::{git_faults as git, replicas, store_faults as store};

const PATH: &str = "docs/reliability.md";

/// A test that arranges one fault, and how often it does so.
struct Scenario {
    group: &'static str,
    fault: &'static str,
    holds: &'static str,
    times: u32,
    run: fn(),
}

const fn of(
    group: &'static str,
    fault: &'static str,
    holds: &'static str,
    times: u32,
    run: fn(),
) -> Scenario {
    Scenario { group, fault, holds, times, run }
}

const REPLICAS: &str = "Replicas";
const STORE: &str = "Store";
const GIT: &str = "Git";

const SCENARIOS: &[Scenario] = &[
    of(
        REPLICAS,
        "three replicas share twelve tenants, a fourth joins",
        "each has work, no two work on one tenant, 48 changes are 48 writes",
        1,
        replicas::replicas_share_the_tenants_and_never_work_on_one_at_once,
    ),
    of(
        REPLICAS,
        "one is killed while six writes are under way",
        "its tenants move when its leases end; nothing is written again",
        1,
        replicas::the_tenants_of_a_replica_that_is_killed_move_to_the_others,
    ),
    of(
        REPLICAS,
        "the holder of a lease is paused just before it sends, until its lease has expired",
        "it is fenced and sends nothing, neither a write nor a job",
        2,
        replicas::a_holder_that_is_paused_past_its_lease_is_fenced_and_sends_nothing,
    ),
    of(
        REPLICAS,
        "one is paused within a transaction that locks every row it needs",
        "the server ends that transaction; the others continue",
        1,
        replicas::a_replica_paused_in_a_transaction_does_not_block_the_others,
    ),
    of(
        REPLICAS,
        "four at once, one killed every few hundred ms",
        "no tenant is lost, then silence",
        25,
        replicas::replicas_that_come_and_are_killed_all_the_time_lose_no_tenant,
    ),
    of(
        REPLICAS,
        "`apply` by hand while the controller runs",
        "one of them writes",
        10,
        replicas::an_apply_by_hand_and_the_controller_do_not_both_write,
    ),
    of(
        REPLICAS,
        "`pause` while a write is under way",
        "the write ends and is recorded, nothing follows until `resume`",
        2,
        replicas::a_pause_during_a_write_lets_it_end_and_stops_the_next,
    ),
    of(
        REPLICAS,
        "one replica has an older head",
        "it asks git at once, and writes nothing before it knows the newest head",
        1,
        replicas::a_replica_with_an_older_head_asks_git_before_it_writes,
    ),
    of(
        STORE,
        "PostgreSQL is stopped while a write is under way, and started again",
        "no write while it is down; the same process continues",
        3,
        store::a_restarted_database_server_loses_nothing,
    ),
    of(
        STORE,
        "all connections are cut (`pg_terminate_backend`)",
        "they are opened again",
        36,
        store::cut_connections_are_opened_again,
    ),
    of(
        STORE,
        "a COMMIT arrives and its answer does not",
        "the journal is read again; nothing is repeated",
        14,
        store::a_lost_answer_to_a_database_commit_repeats_no_write,
    ),
    of(
        STORE,
        "every answer takes 10 s",
        "leases are given up before they end, another replica takes over",
        1,
        store::a_store_that_answers_after_ten_seconds_loses_leases_and_no_write,
    ),
    of(
        STORE,
        "replicas behind PgBouncer in transaction mode, one killed at each commit",
        "as without it",
        3,
        store::replicas_behind_a_pooler_in_transaction_mode_work_as_without,
    ),
    of(
        STORE,
        "the disk is full when an intent is to be saved (file size limit: EFBIG)",
        "the write does not leave; the fault is reported; the same process continues when there is room",
        1,
        store::a_full_disk_blocks_every_write_until_there_is_room,
    ),
    of(
        STORE,
        "yesterday's database is restored, with and without an open intent",
        "nothing is written back, then it continues from the live configuration",
        4,
        store::a_restored_older_database_sets_nothing_back,
    ),
    of(
        STORE,
        "the database is deleted",
        "it is created again from the live configuration; nothing is written",
        1,
        store::a_deleted_database_is_created_again_from_the_live_configuration,
    ),
    of(
        STORE,
        "a folder, another file or half of it instead of the database; or read-only",
        "the start is refused, nothing is written",
        4,
        store::an_unusable_database_is_reported_and_nothing_is_written,
    ),
    of(
        STORE,
        "a byte or a sector of the file is overwritten",
        "refused, or without effect",
        50,
        store::a_damaged_file_is_refused_or_does_no_harm,
    ),
    of(
        STORE,
        "the schema is a later version's",
        "the start is refused, nothing is written",
        2,
        store::a_database_of_a_later_version_is_refused_by_the_controller,
    ),
    of(
        STORE,
        "killed in the middle of a migration's statements (PostgreSQL)",
        "none of it remains; the next process runs it",
        1,
        store::a_killed_migration_runs_again,
    ),
    of(
        GIT,
        "the remote is down",
        "drift from the last good head is set back, nothing else is written",
        1,
        git::a_remote_that_is_down,
    ),
    of(GIT, "the remote is emptied", "the same", 1, git::a_remote_that_is_emptied),
    of(
        GIT,
        "the branch is rewound by force",
        "the same, until it holds the old head again",
        1,
        git::a_branch_that_is_rewound,
    ),
    of(
        GIT,
        "the history is replaced",
        "refused, by a process that starts then as well",
        1,
        git::a_history_that_is_replaced,
    ),
    of(GIT, "the branch is deleted", "the last good head stays", 1, git::a_branch_that_is_deleted),
    of(GIT, "a commit holds no tenant", "refused, nothing is deleted", 1, git::a_commit_without_any_tenant),
    of(
        GIT,
        "a commit breaks the project file",
        "refused, because its limits cannot be read",
        1,
        git::a_commit_that_breaks_the_project_file,
    ),
    of(
        GIT,
        "a mirror falls behind a head that was seen",
        "refused, by a process without a cache as well",
        2,
        git::a_mirror_that_falls_behind,
    ),
    of(
        GIT,
        "a commit and its revert between two reads",
        "nothing to do",
        2,
        git::a_commit_reverted_between_two_reads_writes_nothing,
    ),
    of(
        GIT,
        "200 commits in a row",
        "no more writes than fit one after the other",
        200,
        git::two_hundred_commits_in_a_row_cause_few_writes,
    ),
    of(
        GIT,
        "git was not read for longer than `git-stale-ms`",
        "drift is shown and not set back",
        1,
        git::drift_is_shown_and_not_set_back_while_git_is_stale,
    ),
    of(
        GIT,
        "killed 20 to 170 ms after its start, with 40 new files to fetch",
        "the next process fetches what is missing",
        12,
        git::a_killed_fetch_does_not_block_the_next_one,
    ),
    of(
        GIT,
        "locks of a killed fetch are left in the cache",
        "removed",
        1,
        git::locks_of_a_killed_fetch_are_removed,
    ),
];

const LIMITS: &[&str] = &[
    "The platform is the emulator, on this machine. It does what its documents say; if they say nothing, docs/emulator.md says what was chosen.",
    "A process is ended by `abort` at a named point, or by SIGKILL. The machine stays up, so nothing that reached the kernel is lost: power cuts are not tested. SQLite syncs every commit; the tests trust the disk to do so.",
    "Half a request is cut by a proxy that forwards the head and half of the body, or half of the head if there is no body, and then kills the process.",
    "The faults of the environment are tested in the `webchat` dialect: nothing below the core knows the dialect. The `cloud` dialect has the crash points, the kills at random times, and one of the removed guards.",
    "A disk is full by a limit on file sizes (EFBIG), which needs no right to mount anything; ENOSPC takes the same path in SQLite.",
    "Each of SQLite's migrations is one transaction inside the driver; a kill between its statements is tested on PostgreSQL only, and a kill before and after it (C19) on both.",
    "The tests do not move the wall clock. Every query uses the database's clock for leases and for the age of an intent, and a deadline is converted to the reader's clock (src/store/journal.rs has that test); the clocks of two replicas need not agree. The database's clock has to run evenly: a clock that leaps forward ends leases early and makes genesync wait too short a time for late writes. Then, in the `webchat` dialect, the version that a write names still keeps it from overwriting another change; a replication job and every write of the `cloud` dialect name no version, may overwrite a change, and then report it.",
    "The store's own suite shows on both engines that a fenced append stores nothing; it is not a mutant here, because its version refuses a write that gets past it, so that there is no visible effect.",
    "Every figure is a count of what really happened in one run of `make reliability`. None of n means fewer than 3/n at 95 % confidence, not never.",
];

fn quick(scenario: &Scenario) -> bool {
    std::panic::catch_unwind(AssertUnwindSafe(scenario.run)).is_ok()
}

fn table_head(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()))
}

/// Returns `2/2`: how many of the cells fired, or why there are none.
fn fired_of(done: &[(Cell, Outcome)], point: &str, workload: Workload, kind: Kind) -> String {
    let of =
        |(cell, _): &&(Cell, Outcome)| cell.point == point && cell.workload == workload && cell.kind == kind;
    let cells: Vec<_> = done.iter().filter(of).collect();
    if cells.is_empty() {
        return "-".into();
    }
    let fired = cells.iter().filter(|(_, outcome)| outcome.fired).count();
    if fired == cells.len() {
        format!("{fired}/{}", cells.len())
    } else {
        format!("**{fired}/{}**", cells.len())
    }
}

fn crash_points(text: &mut String, done: &[(Cell, Outcome)]) {
    let fired = done.iter().filter(|(_, outcome)| outcome.fired).count();
    let again = done.iter().filter(|(_, outcome)| outcome.again).count();
    let wrong = done.iter().filter(|(_, outcome)| !outcome.wrong.is_empty()).count();
    let mut recovery: Vec<u64> = done.iter().map(|(_, outcome)| outcome.recovery_ms).collect();
    recovery.sort_unstable();
    let at = |percent: usize| recovery.get((recovery.len() - 1) * percent / 100).copied().unwrap_or_default();
    let _ = write!(
        text,
        "## Crash points\n\n\
         A process of `genesync run` is ended at a point, the first or the second time that it gets there, in the middle of a\n\
         workload; in the `cloud` dialect, where a change is three requests, and the first of profiles four, at each of them; where six pairs are written side by side, within each of their three batches. The one after it is ended as well: at the same point, or at the next one in the table. The third brings\n\
         everything to an end, and is then watched while it looks at every tenant twice more. A cell shows how often the\n\
         process really ended there, of how often it was to: SQLite, PostgreSQL; in the `cloud` dialect they take turns.\n\n\
         **{wrong} violations in {} runs; {fired} of them fired, {again} fired again during the recovery.** From the start of the\n\
         last process to everything settled: {} ms in the median, {} ms at 95 %, with leases of 600 ms to wait out.\n\n",
        done.len(),
        at(50),
        at(95)
    );
    let mut columns = vec!["point", "moment"];
    columns.extend(Workload::ALL.iter().map(|workload| workload.name()));
    columns.extend(["again", "violations"]);
    text.push_str(&table_head(&columns));
    for point in POINTS {
        let _ = write!(text, "| {} | {} |", point.name, point.moment);
        for workload in Workload::ALL {
            let each = Kind::ALL.map(|kind| fired_of(done, point.name, workload, kind));
            let none = each.iter().all(|one| one == "-");
            let shown = if none { "-".to_owned() } else { each.join(", ") };
            let _ = write!(text, " {shown} |");
        }
        let mine = || done.iter().filter(|(cell, _)| cell.point == point.name);
        let again = mine().filter(|(_, outcome)| outcome.again).count();
        let wrong = mine().filter(|(_, outcome)| !outcome.wrong.is_empty()).count();
        let _ = writeln!(text, " {again} | {wrong} |");
    }
    text.push_str("\nPoints without a cell, or with one cell instead of two:\n\n");
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for point in POINTS {
        for hit in [1, 2] {
            for workload in Workload::ALL {
                if let Some(reason) = impossible(point.name, hit, workload) {
                    let named = reasons.entry(reason).or_default();
                    let name = point.name.to_owned();
                    if !named.contains(&name) {
                        named.push(name);
                    }
                }
            }
        }
    }
    for (reason, points) in reasons {
        let _ = writeln!(text, "* {}: {reason}.", points.join(", "));
    }
    text.push_str("\nPoints that other controllers have and this one does not:\n\n");
    for (points, reason) in ABSENT {
        let _ = writeln!(text, "* {points}: {reason}.");
    }
}

fn random_kills(text: &mut String, lanes: &[Lane], took: Duration) {
    let killed: u64 = lanes.iter().map(|lane| lane.kills).sum();
    let wrong: usize = lanes.iter().map(|lane| lane.wrong.len()).sum();
    let _ = write!(
        text,
        "\n## Kills at random times\n\n\
         SIGKILL after 0 to 700 ms, up to four in a row, then judged; seed {:#x}, {} s. `make kills` does 10,000.\n\n\
         **{wrong} violations after {killed} kills.**\n\n",
        kills::seed(),
        took.as_secs()
    );
    text.push_str(&table_head(&["workload", "store", "kills", "while work was left", "violations"]));
    for lane in lanes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            lane.workload.name(),
            lane.kind.name(),
            lane.kills,
            lane.in_work,
            lane.wrong.len()
        );
    }
}

/// Runs everything and writes the report if the variable is set. Otherwise it checks that the committed
/// report covers every point, workload and scenario.
#[test]
fn the_report_has_a_row_for_everything() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if std::env::var_os("GENESYNC_RELIABILITY").is_some() {
        write(&path);
        return;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let missing =
        |what: &str| assert!(text.contains(what), "{PATH} has no row {what}; run `make reliability`");
    for point in POINTS {
        missing(&format!("| {} | {} |", point.name, point.moment));
    }
    for (points, reason) in ABSENT {
        missing(&format!("* {points}: {reason}."));
    }
    for scenario in SCENARIOS {
        missing(&format!("| {} | {} | {} |", scenario.group, scenario.fault, scenario.holds));
    }
    for mutant in MUTANTS {
        missing(&format!("| {} | {} |", mutant.guard, mutant.how));
    }
    for limit in LIMITS {
        missing(limit);
    }
}

fn write(path: &Path) {
    let begun = Instant::now();
    let mut text = String::from(
        "# Reliability\n\n\
         Written by `make reliability` from what it did; do not edit. Everything here is done to the real binary over real\n\
         sockets: an emulator of the platform, a git repository, SQLite or PostgreSQL. After each run the same judge looks:\n\n\
         * the live configuration equals git, in every region; in the `cloud` dialect it is the version that the deployment pins;\n\
         * every organization, in the `cloud` dialect every configuration, has exactly the versions that a run without faults\n\
        \x20 makes: no effect is missing, none is repeated. There each version of ours was stored as a draft once, published\n\
        \x20 once and pinned once, no object is there twice, and no draft is left over; profiles are there once, and the\n\
        \x20 defaults point to them;\n\
         * every version of ours, and every change of a deployment or a profile, has one audit record, one receipt and one confirmation;\n\
         * no version of ours overwrote one that its write had not seen;\n\
         * unmanaged values are as people left them, and once everything is settled nothing is written any more.\n\n",
    );
    let cluster = crate::rig::cluster();
    let done = matrix::go(matrix::cells());
    crash_points(&mut text, &done);
    let kills: u64 = std::env::var("GENESYNC_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let killing = Instant::now();
    let lanes = kills::go(kills.div_ceil(10), kills::seed());
    random_kills(&mut text, &lanes, killing.elapsed());
    text.push_str("\n## Faults of the environment\n\n");
    text.push_str(&table_head(&["of", "fault", "what holds", "times arranged", "violations"]));
    let mut failed = 0;
    for scenario in SCENARIOS {
        let wrong = u32::from(!quick(scenario));
        failed += wrong;
        let Scenario { group, fault, holds, times, .. } = scenario;
        let _ = writeln!(text, "| {group} | {fault} | {holds} | {times} | {wrong} |");
    }
    text.push_str(
        "\n## Whether the judge notices a missing guard\n\nA guard is removed from outside, and the judge has to find a violation. Guards of the\ncore itself are removed in the model (`tests/model`), each with a counterexample.\n\n",
    );
    text.push_str(&table_head(&["guard", "how it is removed", "found"]));
    for mutant in MUTANTS {
        let found = (mutant.run)();
        failed += u32::from(found.is_empty());
        let shown =
            found.first().map_or("**nothing**".to_owned(), |one| one.replace('|', "\\|").replace('"', ""));
        let _ = writeln!(text, "| {} | {} | {shown} |", mutant.guard, mutant.how);
    }
    drop(cluster);
    text.push_str("\n## Limits\n\n");
    for limit in LIMITS {
        let _ = writeln!(text, "* {limit}");
    }
    let commit =
        std::process::Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().unwrap();
    let _ = writeln!(
        text,
        "\nAt commit {} in {} s on {} cores.",
        String::from_utf8_lossy(&commit.stdout).trim(),
        begun.elapsed().as_secs(),
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    std::fs::write(path, text).unwrap();
    let wrong: Vec<String> = done
        .iter()
        .filter(|(_, outcome)| !outcome.fired || !outcome.wrong.is_empty())
        .map(|(cell, outcome)| format!("{cell:?}: {:?}", outcome.wrong))
        .chain(lanes.iter().flat_map(|lane| lane.wrong.clone()))
        .collect();
    assert!(wrong.is_empty() && failed == 0, "{failed} scenarios failed; {wrong:#?}");
}
