//! Listings: whole or page by page, in both of the platform's styles.
//!
//! In: a path and its content as text. Out: entities, each once. Never: accepts an incomplete listing, or one
//! whose pages repeat.

use std::collections::BTreeSet;

use super::super::caller::Caller;
use super::super::kinds::{Listing, Paging};
use super::super::{get, wire};
use super::{Entity, Reader};
use crate::model::{Fault, FaultKind, Target};

/// Entities on a page: the platform's documented maximum.
pub(in crate::api::cloud) const PAGE_SIZE: u32 = 100;
/// Entities on a page of configurations, or of deployments with their configurations: the platform's default.
pub(in crate::api::cloud) const LARGE_PAGE_SIZE: u32 = 300;
/// A page size that no API refuses.
const SMALL_PAGE_SIZE: u32 = 25;
/// The maximum number of pages of one listing.
const PAGES_MAX: u32 = 500;

impl<C: Caller> Reader<'_, C> {
    /// Returns a listing with a cursor, page by page, with as many entities as an answer can have.
    pub(in crate::api::cloud) fn pages<'a>(&'a self, path: &'a str, what: &'a str) -> Pages<'a, C> {
        self.pages_of(LARGE_PAGE_SIZE, path, what)
    }

    fn pages_of<'a>(&'a self, size: u32, path: &'a str, what: &'a str) -> Pages<'a, C> {
        Pages { reader: self, path, what, size, after: None, read: 0, done: false }
    }

    /// Reads a whole listing.
    pub(in crate::api::cloud) async fn whole(&self, listing: &Listing) -> Result<Vec<Entity>, Fault> {
        match listing.paging {
            Paging::Cursor => self.by_cursor(listing.path, listing.what).await,
            Paging::Numbers => self.by_page(listing.path, listing.what).await,
        }
    }

    /// Reads a whole listing with a cursor.
    async fn by_cursor(&self, path: &str, what: &str) -> Result<Vec<Entity>, Fault> {
        let mut all = Vec::new();
        let mut pages = self.pages_of(PAGE_SIZE, path, what);
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        Ok(distinct(all))
    }

    /// Reads a whole listing with numbered pages.
    pub(in crate::api::cloud) async fn by_page(&self, path: &str, what: &str) -> Result<Vec<Entity>, Fault> {
        let mut all = Vec::new();
        for number in 1..=PAGES_MAX {
            let path = format!("{path}{}pageSize={PAGE_SIZE}&pageNumber={number}", joint(path));
            let page = self.page(path, what).await?;
            let count = page.entities.len();
            all.extend(page.entities);
            let last = match page.page_count {
                Some(pages) => u64::from(number) >= pages,
                None => count < PAGE_SIZE as usize,
            };
            if last {
                return Ok(distinct(all));
            }
            if count == 0 {
                let message = format!(
                    "page {number} of {what} of organization {} is empty, but is not the last page",
                    self.target.organization
                );
                return Err(Fault::new(FaultKind::Transient, message));
            }
        }
        Err(endless(self.target, what))
    }

    async fn page(&self, path: String, what: &str) -> Result<wire::ListingPage, Fault> {
        let subject = format!("{what} of organization {}", self.target.organization);
        wire::parse(&self.ask(&get(path, subject)).await?)
    }
}

/// A listing that is read page by page.
pub(in crate::api::cloud) struct Pages<'a, C> {
    reader: &'a Reader<'a, C>,
    path: &'a str,
    what: &'a str,
    /// Entities on a page. Answers that are too large halve it.
    size: u32,
    after: Option<String>,
    read: u32,
    done: bool,
}

impl<C: Caller> Pages<'_, C> {
    /// Returns the next page; none after the last.
    pub(in crate::api::cloud) async fn next(&mut self) -> Result<Option<Vec<Entity>>, Fault> {
        if self.done {
            return Ok(None);
        }
        let encoded = |after: &str| {
            let encoded: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
            format!("&after={encoded}")
        };
        let cursor = self.after.as_deref().map(encoded).unwrap_or_default();
        let page = loop {
            let path = format!("{}{}pageSize={}{cursor}", self.path, joint(self.path), self.size);
            match self.reader.page(path, self.what).await {
                Err(fault) if self.asks_for_less(&fault) => self.size /= 2,
                page => break page?,
            }
        };
        let uri = page.next_uri.as_deref().filter(|uri| !uri.is_empty());
        let next = uri.and_then(cursor_of);
        let target = self.reader.target;
        if let (Some(_), None) = (uri, &next) {
            // The objects of an unread page may exist, so the listing is incomplete.
            let message = format!(
                "{} of organization {} continue on a page that cannot be read",
                self.what, target.organization
            );
            return Err(Fault::new(FaultKind::Rejected, message));
        }
        self.read += 1;
        self.done = next.is_none();
        // The same cursor again would repeat the pages for ever.
        if next.is_some() && (next == self.after || self.read >= PAGES_MAX) {
            return Err(endless(target, self.what));
        }
        self.after = next;
        Ok(Some(page.entities))
    }

    /// Whether a smaller page may succeed. Only a refusal shows the maximum size of a page.
    fn asks_for_less(&self, fault: &Fault) -> bool {
        let may_be_refused = self.read == 0 && self.size > SMALL_PAGE_SIZE;
        self.size > 1 && fault.too_large || may_be_refused && fault.kind == FaultKind::Rejected
    }
}

/// The character between a path and one more parameter.
fn joint(path: &str) -> char {
    if path.contains('?') { '&' } else { '?' }
}

/// Removes duplicates: an insertion or a deletion during the listing may repeat an entity.
pub(super) fn distinct(entities: Vec<Entity>) -> Vec<Entity> {
    let mut seen = BTreeSet::new();
    let id = |entity: &Entity| wire::text(entity, "id").map(str::to_owned);
    let version = |entity: &Entity| wire::text(entity, "version").map(str::to_owned);
    entities.into_iter().filter(|entity| seen.insert((id(entity), version(entity)))).collect()
}

/// The cursor within the link to the next page.
fn cursor_of(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let pair = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "after")?;
    Some(pair.1.into_owned()).filter(|cursor| !cursor.is_empty())
}

fn endless(target: &Target, what: &str) -> Fault {
    let message = format!("the list of {what} of organization {} does not end", target.organization);
    Fault::new(FaultKind::Transient, message)
}
