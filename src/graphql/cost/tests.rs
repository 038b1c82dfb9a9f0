use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use super::super::{
    Accounts, Graph, document::cache::DocumentCache, prepare::Preparation, schema_rules,
    trace::TraceAccess,
};
use crate::{
    account::Provider,
    audit::AuditLog,
    client::cache::MemoryCache,
    context::MemoryPool,
    directory::{Directory, WriteContext, lease::Leases},
    graphql::RequestLimits,
    recent_writes::RecentWrites,
};

/// The directory of a provider without an account.
fn absent(provider: Provider) -> Directory {
    let writing = WriteContext {
        recent: RecentWrites::new(None),
        leases: Leases::new(None),
        tasks: TaskTracker::new(),
        audit: AuditLog::default(),
    };
    Directory::unconfigured(provider, writing)
}

/// The code of the first error of a request that is refused.
fn refused(query: &str) -> Option<String> {
    let graph = Graph {
        accounts: Accounts::new(Vec::new(), absent),
        writes: TaskTracker::new(),
        limits: RequestLimits {
            deadline: Duration::from_secs(1),
            ..RequestLimits::default()
        },
        trace_access: TraceAccess::Nobody,
        memory: MemoryPool::default(),
        cache: MemoryCache::with_max_bytes(0),
        audit: AuditLog::default(),
    };
    let preparation = Preparation {
        rules: Arc::new(schema_rules(&graph)),
        graph: Arc::new(graph),
        documents: DocumentCache::default(),
    };
    let refuse = || {
        let request = async_graphql::Request::new(query);
        let errors = preparation.prepare(request, None).err()?;
        Some(errors[0].message.clone())
    };
    let refused = refuse();
    // A document that is kept is counted with the costs that are kept with it.
    assert_eq!(refuse(), refused);
    refused
}

fn is_refused_for(query: &str, words: &str) -> bool {
    let message = refused(query);
    let is_it = message
        .as_ref()
        .is_some_and(|message| message.contains(words));
    assert!(
        is_it || message.is_none(),
        "{message:?} does not say {words:?}"
    );
    is_it
}

fn aliases(times: usize, of: &str) -> String {
    (0..times).map(|n| format!("a{n}: {of} ")).collect()
}

fn list(fields: &str) -> String {
    format!("{{ users(provider: ADA, first: 500) {{ nodes {{ {fields} }} }} }}")
}

#[test]
fn fragments_that_spread_each_other_are_counted_as_they_expand() {
    let spread = |to: usize| format!("...f{to} ").repeat(10);
    let mut bomb = "{ ...f0 } fragment f8 on Query { __typename }".to_owned();
    for of in 0..8 {
        bomb.push_str(&format!("fragment f{of} on Query {{ {} }}", spread(of + 1)));
    }

    assert!(is_refused_for(&bomb, "fields, fragments expanded"));
}

#[test]
fn rows_are_counted_by_what_a_field_can_return() {
    let users = "users(provider: ADA, first: 500) { totalCount }";
    assert_eq!(refused(&format!("{{ {} }}", aliases(20, users))), None);
    assert!(is_refused_for(
        &format!("{{ {} }}", aliases(21, users)),
        "users in all its lists"
    ));

    let part = "usersByEmail(email: \"example\", match: SUBSTRING, first: 500) { totalCount }";
    assert_eq!(refused(&format!("{{ {} }}", aliases(20, part))), None);
    assert!(is_refused_for(
        &format!("{{ {} }}", aliases(21, part)),
        "users in all its lists"
    ));

    let whole = "usersByEmail(email: \"a@b.test\") { totalCount }";
    assert_eq!(refused(&format!("{{ {} }}", aliases(300, whole))), None);
}

#[test]
fn an_everyday_query_passes() {
    let query =
        "{ usersByEmail(email: \"a@x.test\") { nodes { id ...f } } } fragment f on User { name }";
    assert_eq!(refused(query), None);
}

#[test]
fn a_tree_of_json_counts_for_many_values() {
    let all = "id name email attributes raw details { ... on AdaEndUser { profile { metadata systemProperties } } }";
    assert_eq!(refused(&list(all)), None);
    assert_eq!(refused(&list(&aliases(20, "name"))), None);
    for tree in [
        "raw",
        "attributes",
        "details { ... on AdaEndUser { externalId } }",
    ] {
        assert!(
            is_refused_for(&list(&aliases(60, tree)), "values in its answer"),
            "{tree}"
        );
    }
}

#[test]
fn lists_in_rows_are_counted_as_lists() {
    assert_eq!(refused(&list(&aliases(20, "tags"))), None);
    assert!(is_refused_for(
        &list(&aliases(300, "tags")),
        "values in its answer"
    ));
}

#[test]
fn response_names_are_counted_by_their_length_for_every_row() {
    let long = "a".repeat(40_000);
    let rows: String = (0..20)
        .map(|n| format!("u{n}: users(provider: ADA, first: 500) {{ nodes {{ ...f }} }} "))
        .collect();
    let query = format!("{{ {rows} }} fragment f on User {{ {long}: name }}");
    assert!(is_refused_for(&query, "bytes in its answer"));
}

#[test]
fn the_paths_of_errors_are_counted() {
    let long = "a".repeat(40_000);
    let tags = aliases(20, "tags");
    let query = format!("{{ {long}: users(provider: ADA, first: 500) {{ nodes {{ {tags} }} }} }}");
    assert!(is_refused_for(&query, "bytes in its answer"));
}

#[test]
fn introspection_is_counted_as_what_it_lists() {
    let fields = aliases(9_900, "description")
        .replace(' ', ",")
        .replace(":,", ":");
    let query = format!("{{__schema{{types{{fields{{{fields}}}}}}}}}");
    assert!(refused(&query).is_some());
    let fields = aliases(2_000, "description");
    let query = format!("{{ __schema {{ types {{ fields {{ {fields} }} }} }} }}");
    assert!(is_refused_for(&query, "values in its answer"));
}
