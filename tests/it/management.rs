//! What a commit takes out of git, which no live value shows.

use crate::mending::{read, write};
use crate::support::{Stage, commit_all, delay, tenant};

/// What nobody manages any more stays live, so that no change shows it: the plan of a commit says it all the same.
#[test]
#[expect(clippy::too_many_lines, reason = "each commit of the story begins where the last one ended")]
fn a_plan_says_what_git_gives_up() {
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
    let told = |part: &str| {
        let (comment, text) = plan();
        assert!(comment.starts_with("### genesync plan: what git manages changes"), "{comment}");
        assert!(comment.contains(part), "{part}: {comment}");
        let plain = part.replace('`', "");
        assert!(text.replace(['“', '”'], "").contains(plain.trim_start_matches("- ")), "{part}: {text}");
    };
    write(&folder, "tenants/acme/web.yaml", &both.replace("enabled: true, ", ""));
    for arguments in [&["plan", "--since", "HEAD"][..], &["apply"]] {
        let ran = stage.genesync(arguments).expect(0);
        assert!(ran.stderr.contains("1 file is not committed, and is not looked at"), "{}", ran.stderr);
    }
    for arguments in [&["plan"][..], &["apply", "--rev", "HEAD"]] {
        assert!(!stage.genesync(arguments).expect(0).stderr.contains("committed"), "{arguments:?}");
    }
    told("- `acme`: no longer managed, and stays as it is: `greetings.enabled`");
    write(&folder, "tenants/acme/web.yaml", &both.replace("Dublin", "Paris").replace("enabled: true, ", ""));
    told("- `acme`: the time zone of its hours: `Europe/Dublin` becomes `Europe/Paris`; it is not sent");
    // What was not valid before can be given up all the same.
    let ill = both.replace("delayMs: 1500", "messages: [\" \"]").replace("enabled: true, ", "");
    write(&folder, "tenants/acme/web.yaml", &ill);
    commit_all(&folder);
    write(
        &folder,
        "tenants/acme/web.yaml",
        &web("  availability: {schedule: always, timeZone: Europe/Paris}\n"),
    );
    told("- `acme`: no longer managed, and stays as it is: `greetings.messages`");
    write(&folder, "tenants/acme/web.yaml", &web("  availability: {schedule: always}\n"));
    told("- `acme`: the time zone of its hours: `Europe/Paris` becomes `none`; it is not sent");
    let settings = read(&folder, "tenants/acme/tenant.yaml");
    write(&folder, "tenants/acme/tenant.yaml", &format!("{settings}oops: [\n"));
    commit_all(&folder);
    write(&folder, "tenants/acme/tenant.yaml", &settings);
    told("- `acme`: could not be read before: what changed in it can't be told");
    write(&folder, "tenants/acme/tenant.yaml", &settings.replace("mode: enforce", "mode: watch"));
    told("- `acme`: only watched from now on: nothing is written any more");
    write(
        &folder,
        "genesync.yaml",
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {rules: {severity: {contrast: ignore}}}\n",
    );
    told("- `genesync.yaml`: `rules.severity.contrast`: `(absent)` becomes `\"ignore\"`");
    std::fs::rename(folder.join("tenants/beta"), folder.join("tenants/gamma")).unwrap();
    let renamed = read(&folder, "tenants/gamma/tenant.yaml").replace("name: beta", "name: gamma");
    write(&folder, "tenants/gamma/tenant.yaml", &renamed);
    told("- `beta`: its organization belongs to another tenant now: `gamma`");
    std::fs::remove_dir_all(folder.join("tenants/gamma")).unwrap();
    told("- `gamma`: no longer in git: what is live stays as it is, and nobody looks at it");
    std::fs::remove_file(folder.join("tenants/acme/web.yaml")).unwrap();
    told("- `acme`: no longer managed, and stays as it is:");
    let ran = stage.genesync(&["validate"]).expect(0);
    assert!(
        ran.stderr.contains("nothing is managed of acme: there is a tenant.yaml, and no configuration"),
        "{}",
        ran.stderr
    );
    let nothing = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(
        nothing.contains("No changes: 0 tenants are in sync with folder, 1 with nothing to manage"),
        "{nothing}"
    );
}
