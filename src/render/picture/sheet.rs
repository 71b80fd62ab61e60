//! Several pictures on one sheet, each with a caption, below a title and a note.
//!
//! In: appearances. Out: one SVG file and remarks.

use std::collections::BTreeSet;

use super::font::{Type, Weight};
use super::look::Appearance;
use super::scene::{Align, Area, Scene, Stroke};
use super::views::{Panel, Screen};
use super::{panels, svg};
use crate::model::colour::Colour;

/// The note on every sheet.
pub const LIKENESS: &str = "A likeness drawn by genesync, not a screenshot of the messenger; the messages of visitor and agent are samples";

const GAP: f32 = 32.0;
const CAPTION: f32 = 30.0;
const INK: Colour = Colour { rgb: [0x1F, 0x24, 0x30] };
const LINE: Colour = Colour { rgb: [0x8A, 0x92, 0xA0] };
const GROUND: Colour = Colour { rgb: [0xF3, 0xF4, 0xF7] };

/// A sheet: its SVG and its remarks.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The SVG file.
    pub svg: String,
    /// Remarks on cut texts, missing glyphs, and low contrast.
    pub reported: BTreeSet<String>,
}

/// Returns whether a screen is drawn.
pub type Shown = dyn Fn(Screen) -> bool;

/// Returns a sheet with one row for each screen of each appearance. `title` names the object and the time.
pub fn sheet(title: &str, looks: &[Appearance], shown: &Shown) -> Sheet {
    let mut rows: Vec<(String, Vec<Panel>)> = Vec::new();
    let mut reported = BTreeSet::new();
    for look in looks {
        let language = look.language.as_deref().map(|tag| format!("{tag}: ")).unwrap_or_default();
        let mut all = panels(look);
        // A picture that is the same in another language is already on the sheet.
        let drawn = |panel: &Panel| {
            let mut known = rows.iter().flat_map(|(_, row)| row);
            known.any(|known| known.view == panel.view && known.scene == panel.scene)
        };
        all.retain(|panel| shown(panel.view.screen) && !drawn(panel));
        for row in all.chunk_by(|one, other| one.view.screen == other.view.screen) {
            reported.extend(row.iter().flat_map(|panel| panel.reported.iter().cloned()));
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
    for word in &reported {
        description.push_str("; ");
        description.push_str(word);
    }
    Sheet { svg: svg::file(&sheet, title, &description), reported }
}
