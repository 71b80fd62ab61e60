//! The query of a URL, and two styles of paging.
//!
//! In: the query, and the entities in the order of their creation. Out: one page with its URIs.
//! Never: renders an entity that is not on the page. `audit` has the third style, a cursor in the body.

use crate::emulator::cloud::error::bad_request;
use crate::emulator::error::ApiError;
use crate::emulator::text::form_pairs;
use serde_json::{Map, Value, json};

/// A decoded query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

/// The sizes of a page, in entities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The default size.
    pub usual: u64,
    /// The maximum size that a client can request.
    pub max: u64,
    /// The maximum size of the emulator's setting; 0 is no limit.
    pub cap: u64,
}

impl Query {
    /// Decodes a query.
    pub fn new(text: &str) -> Query {
        Query { pairs: form_pairs(text) }
    }

    /// Returns the first value with this name that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.pairs.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.next().map(|(_, value)| value.as_str())
    }

    /// Returns all values with this name; commas also separate values.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let values = self.pairs.iter().filter(|(known, _)| known == name);
        values
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Returns whether the parameter `expand` has this value.
    pub fn expands(&self, what: &str) -> bool {
        self.list("expand").iter().any(|name| name.eq_ignore_ascii_case(what))
    }

    /// Parses a number from 1.
    pub fn number(&self, name: &str, usual: u64, max: u64) -> Result<u64, ApiError> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| {
            let message = format!(
                "Value [{text}] is not valid for field type [{name}]. Allowable values are: 1 to {max}"
            );
            crate::emulator::cloud::error::refusal(400, "invalid.value", message)
        })
    }

    fn page_size(&self, sizes: Sizes) -> Result<(u64, usize), ApiError> {
        let asked = self.number("pageSize", sizes.usual, sizes.max)?;
        let given = if sizes.cap == 0 { asked } else { asked.min(sizes.cap) };
        Ok((asked, usize::try_from(given).unwrap_or(usize::MAX)))
    }

    /// Returns the URI of the same listing with changed parameters.
    fn uri(&self, path: &str, changed: &[(&str, String)]) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (name, value) in &self.pairs {
            let moves = ["before", "after"].contains(&name.as_str());
            if !moves && !changed.iter().any(|(known, _)| known == name) {
                parts.push(format!("{}={}", escape(name), escape(value)));
            }
        }
        parts.extend(changed.iter().map(|(name, value)| format!("{name}={}", escape(value))));
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }

    /// Returns one page of a listing by page number.
    pub fn numbered<T>(
        &self,
        path: &str,
        sizes: Sizes,
        items: &[T],
        render: impl Fn(&T) -> Value,
    ) -> Result<Map<String, Value>, ApiError> {
        let (_, size) = self.page_size(sizes)?;
        let number = self.number("pageNumber", 1, u64::from(u32::MAX))?;
        let count = items.len().div_ceil(size);
        let pages = u64::try_from(count).unwrap_or(u64::MAX);
        let skipped = usize::try_from(number - 1).unwrap_or(usize::MAX).saturating_mul(size);
        let entities: Vec<Value> = items.iter().skip(skipped).take(size).map(render).collect();
        let page = |number: u64| {
            let changed = [("pageSize", size.to_string()), ("pageNumber", number.to_string())];
            Value::String(self.uri(path, &changed))
        };
        let mut body = Map::new();
        body.insert("entities".to_owned(), Value::Array(entities));
        body.insert("pageSize".to_owned(), json!(size));
        body.insert("pageNumber".to_owned(), json!(number));
        body.insert("total".to_owned(), json!(items.len()));
        body.insert("firstUri".to_owned(), page(1));
        if number > 1 {
            body.insert("previousUri".to_owned(), page(number - 1));
        }
        if number < pages {
            body.insert("nextUri".to_owned(), page(number + 1));
        }
        body.insert("lastUri".to_owned(), page(pages.max(1)));
        body.insert("selfUri".to_owned(), page(number));
        body.insert("pageCount".to_owned(), json!(count));
        Ok(body)
    }

    /// Returns one page of a listing by cursor. Each item has its place in the order of creation, so that a
    /// cursor stays valid after the deletion of its entity.
    pub fn by_cursor<T>(
        &self,
        path: &str,
        sizes: Sizes,
        items: &[(u64, T)],
        render: impl Fn(&T) -> Value,
    ) -> Result<Map<String, Value>, ApiError> {
        let (asked, size) = self.page_size(sizes)?;
        let after = self.get("after").map(place).transpose()?;
        let before = self.get("before").map(place).transpose()?;
        let inside: Vec<&(u64, T)> = items
            .iter()
            .filter(|(at, _)| {
                after.is_none_or(|after| *at > after) && before.is_none_or(|before| *at < before)
            })
            .collect();
        // Backwards, the page directly before the cursor.
        let skipped = if before.is_some() && after.is_none() { inside.len().saturating_sub(size) } else { 0 };
        let page: Vec<&(u64, T)> = inside.into_iter().skip(skipped).take(size).collect();
        let first = page.first().map(|(at, _)| *at);
        let last = page.last().map(|(at, _)| *at);
        let mut body = Map::new();
        body.insert("entities".to_owned(), page.iter().map(|(_, item)| render(item)).collect());
        let link = |name: &str, at: u64| {
            let changed = [("pageSize", asked.to_string()), (name, format!("{CURSOR}{at}"))];
            Value::String(self.uri(path, &changed))
        };
        if let Some(last) = last.filter(|last| items.iter().any(|(at, _)| at > last)) {
            body.insert("nextUri".to_owned(), link("after", last));
        }
        if let Some(first) = first.filter(|first| items.iter().any(|(at, _)| at < first)) {
            body.insert("previousUri".to_owned(), link("before", first));
        }
        let own = match (self.get("after"), self.get("before")) {
            (Some(cursor), _) => self.uri(path, &[("after", cursor.to_owned())]),
            (None, Some(cursor)) => self.uri(path, &[("before", cursor.to_owned())]),
            (None, None) => self.uri(path, &[]),
        };
        body.insert("selfUri".to_owned(), Value::String(own));
        Ok(body)
    }
}

/// The prefix of a cursor, which distinguishes it from a page number.
const CURSOR: &str = "at_";

fn place(cursor: &str) -> Result<u64, ApiError> {
    let number = cursor.strip_prefix(CURSOR).and_then(|number| number.parse().ok());
    number.ok_or_else(|| bad_request(format!("Cursor [{cursor}] is not valid.")))
}

fn escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::query::{Query, Sizes};
    use serde_json::{Value, json};

    const SIZES: Sizes = Sizes { usual: 2, max: 3, cap: 0 };

    #[test]
    fn pages_by_number() {
        let items = [1, 2, 3, 4, 5];
        for (query, expected, next) in [
            ("", Some(json!([1, 2])), Some("/p?pageSize=2&pageNumber=2")),
            ("pageNumber=3&name=a+b", Some(json!([5])), None),
            ("pageSize=3&name=a+b", Some(json!([1, 2, 3])), Some("/p?name=a+b&pageSize=3&pageNumber=2")),
            ("pageNumber=9", Some(json!([])), None),
            ("pageSize=4", None, None),
            ("pageNumber=0", None, None),
        ] {
            let page = Query::new(query).numbered("/p", SIZES, &items, |item| json!(item)).ok();
            assert_eq!(page.as_ref().map(|page| page["entities"].clone()), expected, "{query}");
            let uri = page.as_ref().and_then(|page| page.get("nextUri")).and_then(Value::as_str);
            assert_eq!(uri, next, "{query}");
            if let Some(page) = page {
                assert_eq!((&page["total"], page["pageCount"].is_number()), (&json!(5), true));
            }
        }
        let capped = Query::new("pageSize=3").numbered("/p", Sizes { cap: 1, ..SIZES }, &items, |i| json!(i));
        assert_eq!(capped.unwrap()["entities"], json!([1]));
    }

    #[test]
    fn pages_by_cursor_also_when_entities_come_and_go() {
        let items: Vec<(u64, u64)> = [10, 20, 30, 50].map(|at| (at, at)).to_vec();
        for (query, expected, next, previous) in [
            ("", Some(json!([10, 20])), Some("/p?pageSize=2&after=at_20"), None),
            ("after=at_20", Some(json!([30, 50])), None, Some("/p?pageSize=2&before=at_30")),
            ("after=at_25", Some(json!([30, 50])), None, Some("/p?pageSize=2&before=at_30")),
            (
                "before=at_50",
                Some(json!([20, 30])),
                Some("/p?pageSize=2&after=at_30"),
                Some("/p?pageSize=2&before=at_20"),
            ),
            ("after=at_50", Some(json!([])), None, None),
            ("after=7", None, None, None),
        ] {
            let page = Query::new(query).by_cursor("/p", SIZES, &items, |item| json!(item)).ok();
            assert_eq!(page.as_ref().map(|page| page["entities"].clone()), expected, "{query}");
            let uri = |name: &str| page.as_ref().and_then(|page| page.get(name)).and_then(Value::as_str);
            assert_eq!((uri("nextUri"), uri("previousUri")), (next, previous), "{query}");
        }
    }
}
