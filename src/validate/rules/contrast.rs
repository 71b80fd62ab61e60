//! Checks the contrast between a colour and its background: WCAG 2.2, success criteria 1.4.3, 1.4.6 and
//! 1.4.11.

use serde::Deserialize as _;

use crate::manifest::kinds::text::FontSize;
use crate::manifest::yaml::Node;
use crate::model::colour::{Colour, NON_TEXT_RATIO, is_large, shown_ratio, text_ratio};
use crate::model::{Finding, Severity};
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "contrast",
    summary: "Every colour that the widget draws has the contrast to its background that WCAG 2.2 requires",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// How far a declared ratio may be from the computed one.
const DECLARED_TOLERANCE: f64 = 0.05;

/// What the widget draws with the two colours of the theme.
const PAIRS: &[(&str, bool)] = &[
    ("message text and links (primary on background)", true),
    ("button labels (background on primary)", true),
    ("the launcher and the focus ring (primary beside background)", false),
];

fn check(context: &mut Context<'_>) {
    check_messengers(context);
    let Some(spec) = context.web() else { return };
    let Some(primary_node) = spec.path("widget.theme.colors.primary") else { return };
    let Some(primary) = primary_node.text().and_then(Colour::parse) else { return };
    let background_node = spec.path("widget.theme.colors.background").filter(|node| node.text().is_some());
    let background = match background_node.and_then(|node| node.text()) {
        Some(text) => match Colour::parse(text) {
            Some(colour) => colour,
            None => return,
        },
        None => Colour::WHITE,
    };
    let level = spec.path("widget.accessibility.wcagLevel").and_then(|node| node.text()).unwrap_or("AA");
    // An invalid size may become a large one, so the text gets the lower requirement of large text.
    let size = spec.path("widget.theme.typography.fontSize");
    let valid = size.map(|node| FontSize::deserialize(node).ok());
    let is_sized = valid != Some(None);
    let large = match valid.flatten() {
        Some(size) => size.0.strip_suffix("px").and_then(|px| px.parse().ok()).is_some_and(is_large),
        None => !is_sized,
    };
    let needed = text_ratio(level, large);
    let ratio = primary.contrast(background);

    let failing: Vec<&str> = PAIRS
        .iter()
        .filter(|(_, text)| ratio < if *text { needed } else { NON_TEXT_RATIO })
        .map(|(what, _)| *what)
        .collect();
    if !failing.is_empty() {
        let at = if large { "large text" } else { "text" };
        let message = format!(
            "{} on {} has a contrast of {}, but {level} requires {needed} for {at}",
            primary.hex(),
            background.hex(),
            shown_ratio(ratio)
        );
        let finding = context.find(primary_node.span, "/spec/widget/theme/colors/primary", message);
        propose(finding, primary, background, needed, &failing.join(", "));
        if !is_sized {
            finding.help("fix the font size first: the required contrast depends on it").fix = None;
        }
    }
    check_declared(context, ratio);
}

/// Adds what is hard to see, and the nearest colour that passes.
fn propose(finding: &mut Finding, colour: Colour, other: Colour, needed: f64, what: &str) {
    match colour.nearest_passing(other, needed) {
        Some(passing) => {
            let title = format!(
                "use {}, the nearest colour that passes ({})",
                passing.hex(),
                shown_ratio(passing.contrast(other))
            );
            finding.help(format!("hard to see now: {what}")).fix(title, format!("\"{}\"", passing.hex()));
        }
        None => {
            finding.help(format!("change the background: no colour of this hue passes on {}", other.hex()));
        }
    }
}

/// What a messenger draws: the path of a colour, the path of the colour that it is drawn with (none for
/// white, which cannot be changed), and what it is used for.
const DRAWN: &[(&str, Option<&str>, &str)] = &[
    (
        "messenger.styles.primaryColor",
        None,
        "the header, the launcher and the visitor's messages (white on this colour)",
    ),
    (
        "supportCenter.styleSetting.heroStyle.textColor",
        Some("supportCenter.styleSetting.heroStyle.backgroundColor"),
        "the text at the head of the support center",
    ),
    (
        "supportCenter.styleSetting.globalStyle.textColor",
        Some("supportCenter.styleSetting.globalStyle.backgroundColor"),
        "the text of the support center",
    ),
    (
        "supportCenter.styleSetting.globalStyle.primaryColor",
        Some("supportCenter.styleSetting.globalStyle.backgroundColor"),
        "links and controls of the support center",
    ),
];

fn check_messengers(context: &mut Context<'_>) {
    let needed = text_ratio("AA", false);
    for spec in context.messengers() {
        let is_headless = spec.path("headlessMode.enabled").and_then(Node::bool) == Some(true);
        for (path, other, what) in DRAWN {
            // In headless mode the page draws the messenger in its own colours; the support center is another
            // page.
            if is_headless && path.starts_with("messenger.") {
                continue;
            }
            let read =
                |path: &str| spec.path(path).and_then(|node| Some((node, Colour::parse(node.text()?)?)));
            let Some((node, colour)) = read(path) else { continue };
            let Some(background) =
                other.map_or(Some(Colour::WHITE), |path| read(path).map(|(_, colour)| colour))
            else {
                continue;
            };
            let ratio = colour.contrast(background);
            if ratio >= needed {
                continue;
            }
            let (text, under) = if other.is_some() { (colour, background) } else { (background, colour) };
            let message = format!(
                "{} on {} has a contrast of {}, but AA requires {needed} for text",
                text.hex(),
                under.hex(),
                shown_ratio(ratio)
            );
            let finding = context.find(node.span, format!("/spec/{}", path.replace('.', "/")), message);
            propose(finding, colour, background, needed, what);
        }
    }
}

fn check_declared(context: &mut Context<'_>, ratio: f64) {
    let Some(node) = context.web().and_then(|spec| spec.path("widget.accessibility.contrastRatio")) else {
        return;
    };
    let Some(declared) = node.to_json().as_f64() else { return };
    if (declared - ratio).abs() > DECLARED_TOLERANCE {
        let finding = context.find(
            node.span,
            "/spec/widget/accessibility/contrastRatio",
            format!("the declared contrast is {declared}, but the colours have {}", shown_ratio(ratio)),
        );
        finding.help("remove `contrastRatio`: genesync computes it from the colours");
        // The platform stores no ratio below 4.5, so such a ratio is not proposed.
        if ratio >= 4.5 {
            finding.fix("write the computed ratio", format!("{ratio:.2}"));
        }
    }
}
