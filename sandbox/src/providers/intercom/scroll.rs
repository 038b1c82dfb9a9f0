//! The scroll through all users: one per workspace, with one parameter for all pages. It expires
//! after a minute without a call.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::IntercomError;
use super::lists::ReadRequest;
use super::seed::generated;
use super::store::IntercomStore;

const PAGE: usize = 100;
const IDLE: Duration = Duration::from_secs(60);

/// The scroll of a workspace, if one is open.
#[derive(Debug, Default)]
pub(super) struct Scrolls {
    open: Option<Scroll>,
    opened: u64,
}

#[derive(Debug)]
struct Scroll {
    param: String,
    lead: bool,
    serials: Vec<u64>,
    told: usize,
    touched: Instant,
}

impl Scrolls {
    /// The next page: of a new scroll without the parameter, of the open one with it.
    pub(super) fn page(
        &mut self,
        reading: &ReadRequest<'_>,
        lead: bool,
    ) -> Result<Value, IntercomError> {
        if self.open.as_ref().is_some_and(Scroll::is_expired) {
            self.open = None;
        }
        let param = reading
            .params
            .get("scroll_param")
            .filter(|param| !param.is_empty());
        let scroll = match (param, &mut self.open) {
            (None, Some(_)) => return Err(IntercomError::scroll_exists()),
            (None, none) => {
                self.opened += 1;
                none.insert(Scroll::open(reading.store, lead, self.opened))
            }
            (Some(param), Some(open)) if open.param == param && open.lead == lead => open,
            (Some(_), _) => return Err(IntercomError::not_found("scroll parameter not found")),
        };
        let (page, ended) = scroll.turn(reading);
        if ended {
            self.open = None;
            if reading.behaviour.is("scroll_end", "404") {
                return Err(IntercomError::not_found("scroll parameter not found"));
            }
        }
        Ok(page)
    }
}

impl Scroll {
    fn open(store: &IntercomStore, lead: bool, number: u64) -> Self {
        let rows = store.table(lead).newest_first();
        Self {
            param: generated(number),
            lead,
            serials: rows.map(|(serial, _)| serial).collect(),
            told: 0,
            touched: Instant::now(),
        }
    }

    fn is_expired(&self) -> bool {
        self.touched.elapsed() > IDLE
    }

    /// The page, and whether it is the empty one at the end.
    fn turn(&mut self, reading: &ReadRequest<'_>) -> (Value, bool) {
        self.touched = Instant::now();
        let shape = reading.shape();
        let left = &self.serials[self.told.min(self.serials.len())..];
        let page = &left[..left.len().min(PAGE)];
        let table = reading.store.table(self.lead);
        let contacts: Vec<Value> = page
            .iter()
            .filter_map(|serial| table.get(*serial))
            .map(|contact| shape.contact(contact))
            .collect();
        self.told += page.len();
        let kind = if self.lead { "contact" } else { "user" };
        let mut envelope = json!({
            "type": format!("{kind}.list"),
            "scroll_param": self.param,
        });
        envelope[format!("{kind}s")] = json!(contacts);
        (envelope, page.is_empty())
    }
}
