//! The capabilities that a provider declares; the other tests of this suite rely on them.

use serde_json::json;

use crate::{subject::Subject, world::row_of};

const STATUS: &str =
    "{ accounts { provider enabled health calls capabilities { filters sorts pageSize
    pagesBackwards reach externalId emailSearch emailMatches emailCaveat nativeUpsert writes } } }";

pub(super) async fn declared_capabilities_are_those_that_its_documents_allow(subject: Subject) {
    let world = subject.world(1).await;

    let data = world.data(STATUS).await;

    let expected = json!({
        "provider": subject.word(), "enabled": true, "health": "UNKNOWN", "calls": 0,
        "capabilities": (subject.expected().capabilities)(),
    });
    assert_eq!(*row_of(&data["accounts"], subject.provider()), expected);
    assert_eq!(world.called().await, []);
}
