//! Several pictures on one sheet, each with its caption, and a word on what it is.

use std::collections::BTreeSet;

use super::font::{Type, Weight};
use super::look::Appearance;
use super::scene::{Align, Area, Scene, Stroke};
use super::views::{Panel, Screen};
use super::{panels, svg};
use crate::model::colour::Colour;

/// What every sheet says of itself.
pub const LIKENESS: &str = "A likeness drawn by genesync, not a screenshot of the messenger; what visitor and agent write is made up";

const GAP: f32 = 32.0;
const CAPTION: f32 = 30.0;
const INK: Colour = Colour { rgb: [0x1F, 0x24, 0x30] };
const LINE: Colour = Colour { rgb: [0x8A, 0x92, 0xA0] };
const GROUND: Colour = Colour { rgb: [0xF3, 0xF4, 0xF7] };

/// A sheet: its SVG, and what a person has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The file.
    pub svg: String,
    /// What is cut, what no font has, what can't be told apart.
    pub told: BTreeSet<String>,
}

/// Which screens are drawn.
pub type Shown = dyn Fn(Screen) -> bool;

/// A sheet of every look's screens, one row a screen. `title` says whose they are, and of when.
pub fn sheet(title: &str, looks: &[Appearance], shown: &Shown) -> Sheet {
    let mut rows: Vec<(String, Vec<Panel>)> = Vec::new();
    let mut told = BTreeSet::new();
    for look in looks {
        let language = look.language.as_deref().map(|tag| format!("{tag}: ")).unwrap_or_default();
        let mut all = panels(look);
        // What is the same in another language is there already.
        let drawn = |panel: &Panel| {
            let mut known = rows.iter().flat_map(|(_, row)| row);
            known.any(|known| known.view == panel.view && known.scene == panel.scene)
        };
        all.retain(|panel| shown(panel.view.screen) && !drawn(panel));
        for row in all.chunk_by(|one, other| one.view.screen == other.view.screen) {
            told.extend(row.iter().flat_map(|panel| panel.told.iter().cloned()));
            rows.push((language.clone(), row.to_vec()));
        }
    }
    let width = |row: &[Panel]| row.iter().map(|panel| panel.scene.width + GAP).sum::<f32>() + GAP;
    let height =
        |row: &[Panel]| row.iter().map(|panel| panel.scene.height).fold(0.0, f32::max) + CAPTION + GAP;
    let total = rows.iter().map(|(_, row)| width(row)).fold(640.0, f32::max);
    let head = 84.0;
    let tall = head + rows.iter().map(|(_, row)| height(row)).sum::<f32>();
    let mut sheet = Scene::new(total, tall, false);
    sheet.fill(Area { x: 0.0, y: 0.0, w: total, h: tall }, 0.0, GROUND);
    let write = |sheet: &mut Scene, text: &str, size_px: f32, weight: Weight, x: f32, y: f32, w: f32| {
        let kind = Type { size_px, weight };
        let block = kind.layout(text, w, 1, Some(false));
        sheet.text(&block, kind, Area { x, y, w, h: kind.line_px() }, Align::Start, INK);
    };
    write(&mut sheet, title, 20.0, Weight::Semibold, GAP, 18.0, total - 2.0 * GAP);
    write(&mut sheet, LIKENESS, 14.0, Weight::Regular, GAP, 48.0, total - 2.0 * GAP);
    let mut y = head;
    for (language, row) in &rows {
        let mut x = GAP;
        for panel in row {
            let caption = format!("{language}{}", panel.view.name());
            write(&mut sheet, &caption, 14.0, Weight::Regular, x, y, panel.scene.width);
            sheet.put(&panel.scene, x, y + CAPTION);
            let (w, h) = (panel.scene.width, panel.scene.height);
            let around = Area { x, y: y + CAPTION, w, h };
            sheet.outline(around, 0.0, Stroke { colour: LINE, px: 1.0, is_dashed: false });
            x += w + GAP;
        }
        y += height(row);
    }
    let mut description = LIKENESS.to_owned();
    for word in &told {
        description.push_str("; ");
        description.push_str(word);
    }
    Sheet { svg: svg::file(&sheet, title, &description), told }
}
