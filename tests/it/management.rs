//! What a commit removes from git although no live value changes.

use crate::fixing::{read, write};
use crate::support::{Stage, commit_all, delay, tenant};

/// A field that git no longer manages stays live, so that no change shows it: the plan of a commit reports
/// it.
#[test]
#[expect(clippy::too_many_lines, reason = "each commit of the story begins where the last one ended")]
fn a_plan_lists_what_git_stops_managing() {
    let web = |spec: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n{spec}")
    };
    let both = web(
        "  greetings: {enabled: true, delayMs: 1500}\n  availability: {schedule: always, timeZone: Europe/Dublin}\n",
    );
    let files = |name: &str, number: u32, spec: &str| {
        let mut files = tenant(name, &[number], &delay(1));
        files[1].1 = spec.to_owned();
        files
    };
    let stage = Stage::applied(&[files("acme", 1, &both), files("beta", 2, &both)]);
    let folder = stage.repository();
    let plan = || {
        commit_all(&folder);
        stage.genesync(&["plan", "--since", "HEAD~1", "--out", "../p.md", "--out", "../p.html"]).expect(0);
        let text = stage.genesync(&["plan", "--since", "HEAD~1"]).expect(0).stdout;
        let page = std::fs::read_to_string(stage.path("p.html")).unwrap();
        assert!(page.contains("<h2>What git manages</h2>"), "{page}");
        (std::fs::read_to_string(stage.path("p.md")).unwrap(), text)
    };
    let reported = |part: &str| {
        let (comment, text) = plan();
        assert!(comment.starts_with("### genesync plan: changes to what git manages"), "{comment}");
        assert!(comment.contains(part), "{part}: {comment}");
        let plain = part.replace('`', "");
        assert!(text.replace(['“', '”'], "").contains(plain.trim_start_matches("- ")), "{part}: {text}");
    };
    write(&folder, "tenants/acme/web.yaml", &both.replace("enabled: true, ", ""));
    for arguments in [&["plan", "--since", "HEAD"][..], &["apply"]] {
        let ran = stage.genesync(arguments).expect(0);
        assert!(
            ran.stderr.contains("1 file is not committed, and genesync reads only the commit"),
            "{}",
            ran.stderr
        );
    }
    for arguments in [&["plan"][..], &["apply", "--rev", "HEAD"]] {
        assert!(!stage.genesync(arguments).expect(0).stderr.contains("committed"), "{arguments:?}");
    }
    reported("- `acme`: no longer managed and left unchanged: `greetings.enabled`");
    write(&folder, "tenants/acme/web.yaml", &both.replace("Dublin", "Paris").replace("enabled: true, ", ""));
    reported(
        "- `acme`: the time zone of its hours changes from `Europe/Dublin` to `Europe/Paris`: genesync does not send it",
    );
    // git can also stop managing a value that was invalid before.
    let ill = both.replace("delayMs: 1500", "messages: [\" \"]").replace("enabled: true, ", "");
    write(&folder, "tenants/acme/web.yaml", &ill);
    commit_all(&folder);
    write(
        &folder,
        "tenants/acme/web.yaml",
        &web("  availability: {schedule: always, timeZone: Europe/Paris}\n"),
    );
    reported("- `acme`: no longer managed and left unchanged: `greetings.messages`");
    write(&folder, "tenants/acme/web.yaml", &web("  availability: {schedule: always}\n"));
    reported(
        "- `acme`: the time zone of its hours changes from `Europe/Paris` to `none`: genesync does not send it",
    );
    let settings = read(&folder, "tenants/acme/tenant.yaml");
    write(&folder, "tenants/acme/tenant.yaml", &format!("{settings}oops: [\n"));
    commit_all(&folder);
    write(&folder, "tenants/acme/tenant.yaml", &settings);
    reported("- `acme`: could not be read before, so its changes are unknown");
    write(&folder, "tenants/acme/tenant.yaml", &settings.replace("mode: enforce", "mode: watch"));
    reported("- `acme`: only watched from now on: genesync writes nothing");
    write(
        &folder,
        "genesync.yaml",
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {rules: {severity: {contrast: ignore}}}\n",
    );
    reported("- `genesync.yaml`: `rules.severity.contrast`: `(absent)` becomes `\"ignore\"`");
    std::fs::rename(folder.join("tenants/beta"), folder.join("tenants/gamma")).unwrap();
    let renamed = read(&folder, "tenants/gamma/tenant.yaml").replace("name: beta", "name: gamma");
    write(&folder, "tenants/gamma/tenant.yaml", &renamed);
    reported("- `beta`: its organization now belongs to tenant `gamma`");
    std::fs::remove_dir_all(folder.join("tenants/gamma")).unwrap();
    reported("- `gamma`: no longer in git: genesync stops managing it and leaves it unchanged");
    std::fs::remove_file(folder.join("tenants/acme/web.yaml")).unwrap();
    reported("- `acme`: no longer managed and left unchanged:");
    let ran = stage.genesync(&["validate"]).expect(0);
    assert!(
        ran.stderr.contains(
            "genesync manages nothing of acme, because there is a tenant.yaml but no configuration"
        ),
        "{}",
        ran.stderr
    );
    let nothing = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(
        nothing.contains("No changes: 0 tenants are in sync with folder, 1 without a configuration in git"),
        "{nothing}"
    );
}
