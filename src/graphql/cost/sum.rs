//! The cost of a part of a document, and how the costs of parts add up.

use std::collections::BTreeMap;

use apollo_compiler::ast;

use super::{ERROR_BYTES, TREE};
use crate::account::Account;

/// The cost of a part of a document. It adds up, so that a fragment is counted once.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Fields in the document, at whatever depth.
    pub(super) fields: u64,
    /// Fields of the outermost set.
    pub(super) top: u64,
    /// Rows of users in all lists.
    pub(super) rows: u64,
    /// Values in the answer.
    pub(super) values: u64,
    /// Bytes in the answer.
    pub(super) bytes: u64,
    /// Errors that the answer can hold.
    pub(super) errors: u64,
    /// Bytes of the paths of those errors, as far as they lead through this part.
    pub(super) path_bytes: u64,
    /// How deep fields are nested.
    pub(super) depth: u64,
    /// How deep sets are nested.
    pub(super) levels: usize,
    /// Values in the arguments.
    pub(super) inputs: u64,
    /// Bytes of the answer that are not counted while they are built: introspection and the like.
    pub(super) uncounted: u64,
    /// Calls that the lists of each account need.
    pub(super) calls: BTreeMap<Account, u64>,
}

impl Cost {
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.fields = self.fields.saturating_add(other.fields);
        self.top = self.top.saturating_add(other.top);
        self.rows = self.rows.saturating_add(other.rows);
        self.values = self.values.saturating_add(other.values);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.errors = self.errors.saturating_add(other.errors);
        self.path_bytes = self.path_bytes.saturating_add(other.path_bytes);
        self.inputs = self.inputs.saturating_add(other.inputs);
        self.uncounted = self.uncounted.saturating_add(other.uncounted);
        self.depth = self.depth.max(other.depth);
        self.levels = self.levels.max(other.levels);
        for (account, more) in &other.calls {
            let calls = self.calls.entry(*account).or_default();
            *calls = calls.saturating_add(*more);
        }
        self
    }

    /// The cost of what is below a field that returns a number of items.
    pub(super) fn times(mut self, items: u64) -> Self {
        let items = items.max(1);
        for count in [
            &mut self.rows,
            &mut self.values,
            &mut self.bytes,
            &mut self.errors,
            &mut self.path_bytes,
            &mut self.uncounted,
        ] {
            *count = count.saturating_mul(items);
        }
        self
    }

    /// Adds what the field itself writes out: its name, its values, and the error that may stand for it.
    pub(super) fn write(&mut self, ty: Option<&ast::Type>, (items, size): (u64, u64), key: u64) {
        let is_leaf = self.values == 0;
        let weight = match ty.map(|ty| ty.inner_named_type().as_str()) {
            Some("JSON" | "UserDetails") => TREE,
            _ => 1,
        };
        let values = if is_leaf { items.max(1) } else { 1 };
        let values = values.saturating_mul(weight);
        self.values = self.values.saturating_add(values);
        let bytes = values.saturating_mul(size).saturating_add(key);
        self.bytes = self.bytes.saturating_add(bytes);
        // Scalars of a record that was read cannot fail.
        let may_fail =
            ty.is_some_and(|ty| !ty.is_non_null() && (!is_leaf || ty.is_list() || weight > 1));
        self.errors = self.errors.saturating_add(u64::from(may_fail));
        // The path of every error below leads through this field, and through an item of its list.
        let paths = self.errors.saturating_mul(key + 8);
        self.path_bytes = self.path_bytes.saturating_add(paths);
    }

    /// All bytes of the answer: its values, and its errors with their paths.
    pub(super) fn written(&self) -> u64 {
        let errors = self.errors.saturating_mul(ERROR_BYTES);
        self.bytes
            .saturating_add(errors)
            .saturating_add(self.path_bytes)
    }
}
