//! All tags and segments of a workspace, which tell an id that nobody has from one that does not exist
//! (`developers.intercom.com/docs/references/2.17/rest-api/tags/listtags`, `…/segments/listsegments`; the
//! same in 1.x).

use serde::Deserialize;

use crate::{
    client::{DecodedBody, Operation, Request, Response},
    connectors::{Filter, FilterField, decode, intercom::IntercomApi},
    context::RequestContext,
    error::{Error, Result},
};

struct IntercomLabelList(Vec<IntercomLabel>);

impl DecodedBody for IntercomLabelList {
    fn decode(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct LabelPage {
            #[serde(
                default,
                alias = "segments",
                alias = "tags",
                deserialize_with = "decode::records"
            )]
            data: Option<Vec<IntercomLabel>>,
        }
        let labels = response.object::<LabelPage>()?.data;
        let none = || Error::malformed("the provider answered a list without items");
        labels.ok_or_else(none).map(Self)
    }

    fn row_count(&self) -> usize {
        self.0.len()
    }
}

#[derive(Deserialize)]
struct IntercomLabel {
    #[serde(default, deserialize_with = "decode::text")]
    id: Option<String>,
}

/// Which of the tag and the segment of a filter do not exist: a call for each.
pub(super) async fn unknown(
    api: &IntercomApi,
    context: &RequestContext,
    filter: &Filter,
) -> Result<Vec<FilterField>> {
    let wanted = [
        (FilterField::TagId, Operation::Tags, "tags", &filter.tag_id),
        (
            FilterField::SegmentId,
            Operation::Segments,
            "segments",
            &filter.segment_id,
        ),
    ];
    let mut unknown = Vec::new();
    for (field, operation, path, id) in wanted {
        if let Some(id) = id
            && !has(api, context, Request::get(operation, &[path]), id).await?
        {
            unknown.push(field);
        }
    }
    Ok(unknown)
}

async fn has(api: &IntercomApi, context: &RequestContext, call: Request, id: &str) -> Result<bool> {
    let list = api.send::<IntercomLabelList>(context, call).await?;
    Ok(list
        .body
        .0
        .iter()
        .any(|label| label.id.as_deref() == Some(id)))
}
