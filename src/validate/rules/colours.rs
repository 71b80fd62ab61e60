//! Checks colours that are equal, and colours whose counterpart is not managed.

use crate::model::Severity;
use crate::model::colour::Colour;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "colours",
    summary: "Colours are hex colours, differ from each other, and are managed as a pair",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// Colours of a support center that are drawn on each other.
const PAIRS: &[(&str, &str, &str)] = &[
    ("heroStyle", "textColor", "backgroundColor"),
    ("globalStyle", "textColor", "backgroundColor"),
    ("globalStyle", "primaryColor", "backgroundColor"),
];

/// Reports a managed colour whose counterpart is not managed, so that another user can change it.
fn check_support_centers(context: &mut Context<'_>) {
    for spec in context.messengers() {
        let Some(styles) = spec.path("supportCenter.styleSetting") else { continue };
        for (section, text, background) in PAIRS {
            let at = |name: &str| styles.get(section).and_then(|section| section.get(name));
            let (lonely, partner) = match (at(text), at(background)) {
                (Some(node), None) => ((text, node), background),
                (None, Some(node)) => ((background, node), text),
                _ => continue,
            };
            context
                .find(
                    lonely.1.span,
                    format!("/spec/supportCenter/styleSetting/{section}/{}", lonely.0),
                    format!(
                        "`{}` is managed without `{partner}`, so the contrast cannot be checked",
                        lonely.0
                    ),
                )
                .help(format!("add `{partner}`"))
                .weigh(Severity::Warning);
        }
    }
}

fn check(context: &mut Context<'_>) {
    check_support_centers(context);
    let Some(spec) = context.web() else { return };
    let at = |name: &str| spec.path("widget.theme.colors").and_then(|colors| colors.get(name));
    let colour = |name: &str| at(name).and_then(|node| node.text()).and_then(Colour::parse);
    match (at("primary"), at("background")) {
        (Some(primary), Some(_))
            if colour("primary").is_some() && colour("primary") == colour("background") =>
        {
            context
                .find(
                    primary.span,
                    "/spec/widget/theme/colors/primary",
                    "the primary and the background colour are the same, so text would be invisible",
                )
                .help("choose two different colours");
        }
        (Some(primary), None) => {
            context
                .find(
                    primary.span,
                    "/spec/widget/theme/colors/primary",
                    "the background is not managed, so contrast was computed against the default #FFFFFF",
                )
                .help("add `background`, so that another user cannot change it")
                .weigh(Severity::Info);
        }
        (None, Some(background)) => {
            context
                .find(
                    background.span,
                    "/spec/widget/theme/colors/background",
                    "the background is managed without the primary colour, so the contrast cannot be checked",
                )
                .help("add `primary`")
                .weigh(Severity::Warning);
        }
        _ => {}
    }
}
