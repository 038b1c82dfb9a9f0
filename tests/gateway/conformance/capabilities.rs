//! What a provider declares, which everything else here is measured by.

use serde_json::json;

use crate::subject::Subject;

const STATUS: &str =
    "{ accounts { provider enabled health calls capabilities { filters sorts pageSize
    pagesBackwards reach externalId emailSearch emailMatches emailCaveat nativeUpsert writes } } }";

const CAVEAT: &str = "Usertour compares letter case: records that spell the address in other letter case may be missing";

pub(super) async fn what_it_declares_is_what_its_documents_allow(subject: Subject) {
    let world = subject.world(1).await;

    let data = world.data(STATUS).await;

    let capabilities = match subject {
        Subject::Ada => json!({
            "filters": [], "sorts": [], "pageSize": 100, "pagesBackwards": false, "reach": null,
            "externalId": true, "emailSearch": "SCAN", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": true,
            "writes": ["externalId", "email", "name", "firstName", "lastName", "avatarUrl", "locale", "attributes"],
        }),
        Subject::DigitalChalk => json!({
            "filters": ["EMAIL"], "sorts": [], "pageSize": 100, "pagesBackwards": true, "reach": null,
            "externalId": false, "emailSearch": "EXACT", "emailMatches": ["EXACT", "PREFIX", "SUBSTRING"], "emailCaveat": null, "nativeUpsert": false,
            "writes": ["email", "firstName", "lastName", "username", "locale", "tags", "attributes"],
        }),
        Subject::IntercomUsers { .. } => json!({
            "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "TAG_ID", "CREATED_SINCE"],
            "sorts": ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"],
            "pageSize": 60, "pagesBackwards": true, "reach": 10_000,
            "externalId": true, "emailSearch": "EXACT", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": true,
            "writes": ["externalId", "email", "name", "phone", "avatarUrl", "companies", "signedUpAt",
                "unsubscribedFromEmails", "attributes"],
        }),
        Subject::IntercomContacts { .. } => json!({
            "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "TAG_ID", "EMAIL_DOMAIN", "KIND",
                "CREATED_SINCE", "CREATED_BEFORE", "UPDATED_SINCE", "UPDATED_BEFORE",
                "LAST_SEEN_SINCE", "LAST_SEEN_BEFORE"],
            "sorts": ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"],
            "pageSize": 150, "pagesBackwards": false, "reach": null,
            "externalId": true, "emailSearch": "EXACT", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": false,
            "writes": ["externalId", "email", "name", "phone", "avatarUrl", "companies", "signedUpAt",
                "unsubscribedFromEmails", "attributes"],
        }),
        Subject::Usertour => json!({
            "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID"], "sorts": ["CREATED_AT"], "pageSize": 100,
            "pagesBackwards": false, "reach": null,
            "externalId": true, "emailSearch": "BY_CASE", "emailMatches": ["EXACT"],
            "emailCaveat": CAVEAT, "nativeUpsert": true,
            "writes": ["externalId", "email", "name", "companies", "attributes"],
        }),
        Subject::UsertourV2 => json!({
            "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "CREATED_SINCE", "CREATED_BEFORE"],
            "sorts": ["CREATED_AT"], "pageSize": 100, "pagesBackwards": false, "reach": null,
            "externalId": true, "emailSearch": "BY_CASE", "emailMatches": ["EXACT"],
            "emailCaveat": CAVEAT, "nativeUpsert": true,
            "writes": ["externalId", "email", "name", "attributes"],
        }),
    };
    let expected = json!({
        "provider": subject.word(), "enabled": true, "health": "UNKNOWN", "calls": 0,
        "capabilities": capabilities,
    });
    assert_eq!(data["accounts"][subject.provider() as usize], expected);
    assert_eq!(world.called().await, []);
}
