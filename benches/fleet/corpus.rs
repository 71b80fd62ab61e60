//! Generates a fleet's repository; the same number of tenants gives the same bytes.
//!
//! Every tenant has a `tenant.yaml` and a `web.yaml` of about 3 KB and extends one or two of the layers
//! under `bases/`. All files are valid. The only source of randomness is the seeded generator below.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// Layers under `bases/`.
pub const LAYERS: usize = 100;

/// The size of the written repository.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    /// Files that genesync reads.
    pub files: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Bytes of the `web.yaml` files only.
    pub web_bytes: usize,
    /// Bytes of comment lines and of comments after values, in all files.
    pub comment_bytes: usize,
}

impl Size {
    fn add(&mut self, text: &str) {
        self.files += 1;
        self.bytes += text.len();
        self.comment_bytes += text
            .lines()
            .map(|line| match (line.trim_start().starts_with('#'), line.find("   # ")) {
                (true, _) => line.len(),
                (false, Some(at)) => line.len() - at,
                (false, None) => 0,
            })
            .sum::<usize>();
    }
}

/// SplitMix64: a small seeded generator that makes files differ.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

const TRADES: &[&str] = &[
    "bank",
    "clinic",
    "airline",
    "market",
    "university",
    "insurer",
    "telecom",
    "council",
    "studio",
    "hotel",
];
const PLACES: &[&str] = &[
    "aarhus", "bilbao", "cork", "dresden", "evora", "fukuoka", "gdansk", "haifa", "izmir", "jaipur", "kobe",
    "leeds", "malmo", "nantes", "oaxaca", "porto", "quito", "riga", "sendai", "tartu",
];
const REGIONS: &[(&str, &str)] = &[
    ("eu-west-1", "Europe/Dublin"),
    ("eu-central-1", "Europe/Berlin"),
    ("ap-northeast-1", "Asia/Tokyo"),
    ("us-west-2", "America/Los_Angeles"),
];
/// Colours with a contrast of at least 7 on every background below.
const PRIMARIES: &[&str] =
    &["#0B3D91", "#4A2A6A", "#14532D", "#7F1D1D", "#1E3A5F", "#3B0764", "#134E4A", "#1F2937"];
const BACKGROUNDS: &[&str] = &["#FFFFFF", "#FFFDF8", "#FAFAFA", "#FFF"];
const FONTS: &[&str] =
    &["Inter, sans-serif", "Source Sans 3, sans-serif", "Noto Sans, Arial, sans-serif", "Georgia, serif"];
const AUDIENCES: &[&str] = &[
    "premium_customers",
    "business_banking",
    "new_visitors",
    "returning_visitors",
    "applicants",
    "partners",
    "loyalty_gold",
];
const FLAGS: &[&str] = &[
    "enableFileUpload",
    "enableRichText",
    "enableTypingIndicator",
    "enableReadReceipts",
    "enableQuickReplies",
    "enableEmoji",
];
const DAYS: &[&str] = &["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
/// Three greetings in each language; `{}` is the tenant's name.
const GREETINGS: &[[&str; 3]] = &[
    [
        "Welcome to {}. How can we help you today?",
        "For your security, never share your PIN, password or one-time codes in this chat.",
        "Our team usually replies within a few minutes during opening hours.",
    ],
    [
        "Willkommen bei {}. Wie können wir Ihnen heute weiterhelfen?",
        "Bitte teilen Sie hier keine Passwörter, PINs oder Einmalcodes mit.",
        "Während der Öffnungszeiten antworten wir meist innerhalb weniger Minuten.",
    ],
    [
        "Bienvenue chez {}. Comment pouvons-nous vous aider aujourd'hui ?",
        "Pour votre sécurité, ne communiquez jamais vos codes ni vos mots de passe ici.",
        "Pendant les heures d'ouverture, nous répondons en quelques minutes.",
    ],
    [
        "Le damos la bienvenida a {}. ¿En qué podemos ayudarle hoy?",
        "Por su seguridad, no comparta aquí contraseñas ni códigos de un solo uso.",
        "En horario de atención solemos responder en pocos minutos.",
    ],
    [
        "{}へようこそ。ご用件をお気軽にお聞かせください。",
        "安全のため、暗証番号やパスワードはこのチャットに入力しないでください。",
        "受付時間内は、通常数分以内に担当者がお答えします。",
    ],
    [
        "مرحبًا بكم في {}. كيف يمكننا مساعدتكم اليوم؟",
        "حفاظًا على أمانكم، لا تشاركوا كلمات المرور أو الرموز في هذه المحادثة.",
        "نرد عادةً خلال دقائق قليلة أثناء ساعات العمل.",
    ],
];
const REMARKS: &[&str] = &[
    "Agreed with the accessibility team in March; the brand book has a darker shade for the web.",
    "Wording checked by legal. Ask them before changing it, also for a typo.",
    "The contact centre opens half an hour earlier than the branches; keep both in mind.",
    "Marketing would like the launcher in orange: it fails the contrast rule, so it stays as it is.",
    "Öffnungszeiten wie auf der Website; an Feiertagen entscheidet die Organisation selbst.",
    "Les horaires d'été sont les mêmes : ne pas les changer en juin.",
    "This was switched off during the migration and is on again since ticket 4711 was closed.",
    "Visitors on slow connections see this first, so it is short and without markup.",
    "問い合わせ窓口の担当者と相談して決めました。",
    "Reviewed every quarter by the people named as owners in tenant.yaml.",
];

fn remark(out: &mut String, draw: &mut Draw, indent: usize) {
    let _ = writeln!(out, "{:indent$}# {}", "", draw.of(REMARKS));
}

/// Returns the name of the tenant with this number.
pub fn tenant_name(number: usize) -> String {
    let mut draw = Draw(number as u64);
    format!("{}-{}-{number:05}", draw.of(PLACES), draw.of(TRADES))
}

/// Returns the organization of the tenant with this number.
pub fn organization(number: usize) -> String {
    let mut draw = Draw(0x6f72_6721 ^ (number as u64) << 20);
    let (high, low) = (draw.next(), draw.next());
    // A version 4 UUID, like the platform's ids.
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

fn region(number: usize) -> (&'static str, &'static str) {
    REGIONS[number % REGIONS.len()]
}

/// Returns the regions of all tenants.
pub fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(region, _)| *region)
}

fn tenant_yaml(number: usize) -> String {
    let mut draw = Draw(0x7465_6e61 ^ (number as u64) << 24);
    let (name, (region, _)) = (tenant_name(number), region(number));
    let mut out = String::with_capacity(1024);
    out.push_str("# yaml-language-server: $schema=../../schemas/tenant.json\n");
    remark(&mut out, &mut draw, 0);
    let _ = write!(
        out,
        "apiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata:\n  name: {name}\n  labels: {{sector: {}, cohort: \"{}\"}}\n\
         spec:\n  organizationId: {}\n  region: {region}\n  api: webchat\n\
         \x20 credentials: fleet   # a name only; the operator's settings say where the secret is\n\
         \x20 sync:\n    mode: enforce\n    wave: {}\n  owners: [web-platform@{name}.example, chat@{name}.example]\n",
        draw.of(TRADES),
        number % 12,
        organization(number),
        number % 3,
    );
    out
}

fn layer_name(number: usize) -> String {
    format!("layer-{number:03}")
}

fn layer_yaml(number: usize) -> String {
    let mut draw = Draw(0x6c61_7965 ^ (number as u64) << 24);
    let mut out = String::with_capacity(1024);
    out.push_str("# yaml-language-server: $schema=../schemas/web-messaging.json\n");
    remark(&mut out, &mut draw, 0);
    let _ = write!(
        out,
        "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata:\n  name: {}\nspec:\n  widget:\n    theme:\n\
         \x20     colors: {{background: \"{}\"}}\n      typography: {{fontSize: 16px, fontFamily: \"{}\"}}\n\
         \x20   accessibility: {{wcagLevel: {}, ariaLiveRegion: polite}}\n  greetings:\n    enabled: true\n    delayMs: {}\n\
         \x20 availability:\n    schedule: custom\n  features:\n    flags:\n",
        layer_name(number),
        draw.of(BACKGROUNDS),
        draw.of(FONTS),
        draw.of(&["AA", "AAA"]),
        1000 + 500 * draw.below(6),
    );
    for flag in FLAGS {
        let _ = writeln!(out, "      {flag}: {}", draw.below(2) == 0);
    }
    out.push_str("    dynamicRouting: true\n");
    out
}

/// Returns a tenant's `web.yaml`; a change sets another `delay_ms`.
pub fn web_yaml(number: usize, delay_ms: usize) -> String {
    let mut draw = Draw(0x7765_6221 ^ (number as u64) << 24);
    let (name, (_, zone)) = (tenant_name(number), region(number));
    let mut out = String::with_capacity(4096);
    out.push_str("# yaml-language-server: $schema=../../schemas/web-messaging.json\n");
    remark(&mut out, &mut draw, 0);
    let _ = writeln!(out, "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata:\n  name: web\nspec:");
    let (first, second) = (number % LAYERS, (number * 7 + 13) % LAYERS);
    match (number.is_multiple_of(2), first == second) {
        (true, false) => {
            let _ = writeln!(out, "  extends: [{}, {}]", layer_name(first), layer_name(second));
        }
        _ => {
            let _ = writeln!(out, "  extends: [{}]", layer_name(first));
        }
    }
    widget(&mut out, &mut draw);
    greetings(&mut out, &mut draw, &name, delay_ms);
    availability(&mut out, &mut draw, zone);
    features(&mut out, &mut draw);
    out
}

fn widget(out: &mut String, draw: &mut Draw) {
    remark(out, draw, 2);
    out.push_str("  widget:\n    theme:\n");
    remark(out, draw, 6);
    let _ = writeln!(
        out,
        "      colors:\n        primary: \"{}\"\n        background: \"{}\"\n      typography:\n        fontSize: {}px\n        fontFamily: \"{}\"",
        draw.of(PRIMARIES),
        draw.of(BACKGROUNDS),
        14 + draw.below(6),
        draw.of(FONTS)
    );
    out.push_str("    accessibility:\n");
    remark(out, draw, 6);
    let _ = writeln!(
        out,
        "      wcagLevel: {}   # the ratio is computed from the colours\n      ariaLiveRegion: {}",
        draw.of(&["AA", "AAA"]),
        draw.of(&["polite", "assertive"])
    );
}

fn greetings(out: &mut String, draw: &mut Draw, name: &str, delay_ms: usize) {
    out.push_str("  greetings:\n    enabled: true\n");
    remark(out, draw, 4);
    out.push_str("    messages:\n");
    // The first two in one language and the last in another, because real fleets use several languages.
    let (language, other) = (draw.below(GREETINGS.len()), draw.below(GREETINGS.len()));
    let [hello, safety, _] = GREETINGS[language];
    let [_, _, hours] = GREETINGS[other];
    let _ = writeln!(out, "      - \"{}\"", hello.replace("{}", name));
    remark(out, draw, 6);
    let _ = writeln!(out, "      - \"{safety}\"\n      - \"{hours}\"\n    delayMs: {delay_ms}");
}

fn availability(out: &mut String, draw: &mut Draw, zone: &str) {
    let _ = writeln!(out, "  availability:\n    schedule: custom\n    timeZone: {zone}");
    remark(out, draw, 4);
    out.push_str("    rules:\n");
    for day in DAYS {
        let (open, close) = (7 + draw.below(3), 16 + draw.below(5));
        match draw.below(4) {
            0 | 2 => {
                let _ = writeln!(
                    out,
                    "      - dayOfWeek: {day}\n        startTime: \"{open:02}:30\"\n        endTime: \"{close:02}:00\""
                );
            }
            1 => {
                let _ = writeln!(
                    out,
                    "      - {{dayOfWeek: {day}, startTime: \"{open:02}:00\", endTime: \"12:30\"}}\n\
                     \x20     - {{dayOfWeek: {day}, startTime: \"13:30\", endTime: \"{close:02}:00\"}}   # closed at noon"
                );
            }
            _ => {
                let _ = writeln!(
                    out,
                    "      - {{dayOfWeek: {day}, startTime: \"{open:02}:00\", endTime: \"{close:02}:30\"}}"
                );
            }
        }
    }
}

fn features(out: &mut String, draw: &mut Draw) {
    out.push_str("  features:\n");
    remark(out, draw, 4);
    out.push_str("    flags:\n");
    for flag in FLAGS {
        let note = if draw.below(3) == 0 { "   # as agreed with the owners" } else { "" };
        let _ = writeln!(out, "      {flag}: {}{note}", draw.below(2) == 0);
    }
    remark(out, draw, 4);
    let start = draw.below(AUDIENCES.len());
    let audiences: Vec<&str> =
        AUDIENCES.iter().cycle().skip(start).take(2 + draw.below(3)).copied().collect();
    let _ = writeln!(out, "    audiences: [{}]\n    dynamicRouting: true", audiences.join(", "));
}

const PROJECT: &str = "\
# Settings for the whole fleet.
apiVersion: genesync/v1alpha1
kind: Project
metadata:
  name: benchmark-fleet
spec:
  guards:
    tenant: {changesMax: 40}
";

/// Writes a fleet's files and commits them, packed as in a clone.
pub fn write(root: &Path, tenants: usize) -> io::Result<Size> {
    let mut size = Size::default();
    let mut put = |path: &Path, text: &str| {
        size.add(text);
        if path.ends_with("web.yaml") {
            size.web_bytes += text.len();
        }
        fs::write(path, text)
    };
    fs::create_dir_all(root.join("bases"))?;
    put(&root.join("genesync.yaml"), PROJECT)?;
    for number in 0..LAYERS {
        put(&root.join("bases").join(format!("{}.yaml", layer_name(number))), &layer_yaml(number))?;
    }
    for number in 0..tenants {
        let folder = root.join("tenants").join(tenant_name(number));
        fs::create_dir_all(&folder)?;
        put(&folder.join("tenant.yaml"), &tenant_yaml(number))?;
        put(&folder.join("web.yaml"), &web_yaml(number, 2000))?;
    }
    git(root, &["init", "--quiet", "--initial-branch", "main"])?;
    commit(root, "fleet: all tenants")?;
    git(root, &["gc", "--quiet"])?;
    Ok(size)
}

/// Changes one field of one tenant and commits the change.
pub fn change(root: &Path, number: usize) -> io::Result<()> {
    change_to(root, number, 3_500)
}

/// Changes one field of one tenant to a given value and commits the change.
pub fn change_to(root: &Path, number: usize, delay_ms: usize) -> io::Result<()> {
    let path = root.join("tenants").join(tenant_name(number)).join("web.yaml");
    fs::write(path, web_yaml(number, delay_ms))?;
    commit(root, "one tenant: greet later")
}

/// Returns the URL of one tenant's configuration.
pub fn read_url(emulator: &str, number: usize) -> String {
    format!("{emulator}/api/v2/webchat/organizations/{}/configurations", organization(number))
}

/// Commits all changes.
pub fn commit(root: &Path, message: &str) -> io::Result<()> {
    git(root, &["add", "--all"])?;
    // Fixed names and dates, so that the same tree gives the same commit.
    let identity =
        ["-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
    git(root, &[&identity[..], &["commit", "--quiet", "--no-verify", "--message", message]].concat())
}

/// Runs git in a folder, without the user's own git settings.
pub fn git(root: &Path, arguments: &[&str]) -> io::Result<()> {
    let date = "2026-01-01T00:00:00Z";
    let mut command = Command::new("git");
    // No background process of git may run during a measurement.
    command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
    command.arg("-C").arg(root).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("git {arguments:?} failed: {status}")))
    }
}
