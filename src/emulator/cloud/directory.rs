//! Objects without states over time: flows, knowledge bases, integrations.
//!
//! In: objects of the world file, and queries. Out: listings and single objects. Never: changes an object. A
//! person can add or delete an object, and a client of the API can add or delete a knowledge base.

use crate::emulator::cloud::configuration::Stamp;
use crate::emulator::cloud::error::{invalid, not_found};
use crate::emulator::cloud::ids::{Counters, Kind};
use crate::emulator::cloud::query::{Query, Sizes};
use crate::emulator::cloud::{Done, Event, Object, Work, shape, text};
use crate::emulator::error::ApiError;
use crate::emulator::glob;
use crate::emulator::time::SEEDED_AT;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shelf {
    Flows,
    KnowledgeBases,
    Integrations,
}

/// The type of flows that a deployment can have.
pub(crate) const MESSAGE_FLOW: &str = "INBOUNDSHORTMESSAGE";
/// The type of integrations for authentication.
pub(crate) const OPEN_ID: &str = "openid-connect-messenger";

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub place: u64,
    pub id: String,
    /// The object in the API's format.
    pub shown: Object,
}

impl Item {
    /// Returns its name.
    pub fn name(&self) -> &str {
        text(&self.shown, "name")
    }

    fn render(&self) -> Value {
        Value::Object(self.shown.clone())
    }
}

/// The objects of one organization.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    shelves: BTreeMap<Shelf, Vec<Item>>,
}

impl Directory {
    /// Returns the objects of a kind.
    pub fn items(&self, shelf: Shelf) -> &[Item] {
        self.shelves.get(&shelf).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns an object by its id.
    pub fn find(&self, shelf: Shelf, id: &str) -> Option<&Item> {
        self.items(shelf).iter().find(|item| item.id == id)
    }

    /// Returns an object by its id or its name.
    pub fn named(&self, shelf: Shelf, name: &str) -> Option<&Item> {
        self.find(shelf, name).or_else(|| self.items(shelf).iter().find(|item| item.name() == name))
    }

    /// Adds an object and sets the fields that the API always shows for its kind.
    pub fn add(&mut self, shelf: Shelf, id: String, given: Object, counters: &mut Counters) {
        let mut shown = Object::new();
        shown.insert("id".to_owned(), json!(id));
        shown.insert("name".to_owned(), given.get("name").cloned().unwrap_or_else(|| json!(id)));
        for (name, value) in usual(shelf) {
            shown.insert(name.to_owned(), value);
        }
        shown.extend(given.into_iter().filter(|(name, _)| name != "id"));
        if shelf == Shelf::Flows {
            complete_flow(&mut shown);
        }
        shown.insert("selfUri".to_owned(), json!(format!("{}/{id}", uri(shelf))));
        counters.take(&id);
        let item = Item { place: counters.place(), id, shown };
        self.shelves.entry(shelf).or_default().push(item);
    }

    /// Deletes an object.
    pub fn delete(&mut self, shelf: Shelf, id: &str) {
        self.shelves.entry(shelf).or_default().retain(|item| item.id != id);
    }

    /// Creates a knowledge base for a client; it is not published yet.
    pub fn create_knowledge_base(
        &mut self,
        counters: &mut Counters,
        work: &Work,
        mut body: Object,
    ) -> Result<Done, ApiError> {
        let wrong = shape::violations(&body, &shape::bodies::KNOWLEDGE_BASE);
        if !wrong.is_empty() {
            return Err(invalid(&wrong));
        }
        body.retain(|name, value| name != "selfUri" && !value.is_null());
        let date = Stamp::of(work).date();
        let own = [("dateCreated", date.clone()), ("dateModified", date), ("published", json!(false))];
        body.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let id = counters.next(Kind::KnowledgeBase);
        let event = knowledge("Create", &id, (None, Some(body.clone())));
        self.add(Shelf::KnowledgeBases, id.clone(), body, counters);
        let shown = self.read(Shelf::KnowledgeBases, &id).ok_or_else(|| not_found(&id))?;
        Ok(Done { shown, event })
    }

    /// Deletes a knowledge base for a client and returns it.
    pub fn delete_knowledge_base(&mut self, id: &str) -> Result<Done, ApiError> {
        let old = self.find(Shelf::KnowledgeBases, id).ok_or_else(|| not_found(id))?.shown.clone();
        self.delete(Shelf::KnowledgeBases, id);
        let event = knowledge("Delete", id, (Some(old.clone()), None));
        Ok(Done { shown: Value::Object(old), event })
    }

    /// Renders one object.
    pub fn read(&self, shelf: Shelf, id: &str) -> Option<Value> {
        self.find(shelf, id).map(Item::render)
    }

    /// Answers a listing.
    pub fn list(&self, shelf: Shelf, path: &str, query: &Query, cap: u64) -> Result<Object, ApiError> {
        let chosen: Vec<&Item> = self.items(shelf).iter().filter(|item| wanted(shelf, item, query)).collect();
        if shelf == Shelf::KnowledgeBases {
            let sizes = Sizes { usual: 25, max: 100, cap };
            let placed: Vec<(u64, &Item)> = chosen.into_iter().map(|item| (item.place, item)).collect();
            return query.by_cursor(path, sizes, &placed, |item| item.render());
        }
        query.numbered(path, Sizes { usual: 25, max: 100, cap }, &chosen, |item| item.render())
    }
}

fn wanted(shelf: Shelf, item: &Item, query: &Query) -> bool {
    let is = |name: &str, value: &str| text(&item.shown, name).eq_ignore_ascii_case(value);
    let id = |name: &str| {
        let ids = query.list(name);
        ids.is_empty() || ids.contains(&item.id.as_str())
    };
    let name = || {
        query.get("name").is_none_or(|name| glob::matches(&name.to_lowercase(), &item.name().to_lowercase()))
    };
    match shelf {
        Shelf::Flows => {
            let types = query.list("type");
            id("id") && name() && (types.is_empty() || types.iter().any(|kind| is("type", kind)))
        }
        Shelf::KnowledgeBases => {
            let published = item.shown.get("published") == Some(&Value::Bool(true));
            name() && query.get("published").is_none_or(|asked| asked == published.to_string())
        }
        Shelf::Integrations => {
            let kind = item.shown.get("integrationType").and_then(Value::as_object);
            let kind = kind.map(|kind| text(kind, "id")).unwrap_or_default();
            id("ids") && query.get("integrationType").is_none_or(|asked| asked == kind)
        }
    }
}

fn knowledge(action: &'static str, id: &str, (old, new): (Option<Object>, Option<Object>)) -> Event {
    let name = new.as_ref().or(old.as_ref()).map(|body| text(body, "name")).unwrap_or_default().to_owned();
    Event { service: "Knowledge", entity_type: "KnowledgeBase", action, id: id.to_owned(), name, old, new }
}

fn uri(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Flows => "/api/v2/flows",
        Shelf::KnowledgeBases => "/api/v2/knowledge/knowledgebases",
        Shelf::Integrations => "/api/v2/integrations",
    }
}

fn usual(shelf: Shelf) -> Vec<(&'static str, Value)> {
    let dates = [("dateCreated", json!(SEEDED_AT)), ("dateModified", json!(SEEDED_AT))];
    match shelf {
        Shelf::Flows => vec![
            ("type", json!(MESSAGE_FLOW)),
            ("active", json!(true)),
            ("system", json!(false)),
            ("deleted", json!(false)),
        ],
        Shelf::KnowledgeBases => {
            let own = [("coreLanguage", json!("en-US")), ("published", json!(true))];
            own.into_iter().chain(dates).collect()
        }
        Shelf::Integrations => vec![
            ("intendedState", json!("ENABLED")),
            ("integrationType", json!({"id": OPEN_ID, "name": OPEN_ID})),
            ("reportedState", json!({"code": "ACTIVE"})),
        ],
    }
}

/// Converts `published` of the world file to the API's fields, and the type to upper case.
fn complete_flow(shown: &mut Object) {
    let kind = text(shown, "type").to_uppercase();
    shown.insert("type".to_owned(), Value::String(kind));
    let saved = json!({"id": "1.0", "type": "SAVE"});
    shown.entry("savedVersion").or_insert(saved);
    if shown.shift_remove("published") != Some(Value::Bool(false)) {
        let version = json!({"id": "1.0", "type": "PUBLISH", "datePublished": SEEDED_AT});
        shown.entry("publishedVersion").or_insert(version);
    }
}
