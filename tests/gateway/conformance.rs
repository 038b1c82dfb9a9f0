//! Each behaviour against each provider, by name: a declared feature works, an undeclared one is refused
//! with a helpful message, and both make exactly the calls that they must.

mod capabilities;
mod disabled;
mod failing;
mod intercom_versions;
mod narrowing;
mod odd_shapes;
mod people_held;
mod reading;
mod records;

pub(crate) use people_held::USERS;

use roster::account::Provider;

use crate::{
    subject::{expected, for_each_subject},
    world,
};

macro_rules! behaviours {
    ($subject:expr => $($file:ident::$behaviour:ident)+) => {
        use crate::subject::Subject;

        const SUBJECT: Subject = $subject;

        $(#[tokio::test]
        async fn $behaviour() {
            super::$file::$behaviour(SUBJECT).await;
        })+
    };
}

macro_rules! provider {
    ($provider:ident, $subject:expr) => {
        mod $provider {
            behaviours! { $subject =>
                capabilities::declared_capabilities_are_those_that_its_documents_allow
                disabled::reads_report_that_the_account_is_disabled_and_make_no_call
                disabled::writes_are_skipped_without_an_error_and_make_no_call
                failing::a_failure_has_its_code_and_none_of_the_providers_text
                failing::a_provider_that_hangs_fails_at_the_deadline
                failing::an_open_circuit_makes_no_call
                narrowing::a_declared_filter_is_exact
                narrowing::a_declared_sort_is_exact
                narrowing::a_filter_without_matches_finds_no_user
                narrowing::a_narrowed_list_pages_like_the_whole
                narrowing::an_undeclared_filter_or_sort_is_refused_without_a_call
                odd_shapes::an_answer_in_another_documented_shape_is_the_same_answer
                reading::a_provider_id_is_one_call
                reading::an_email_costs_as_few_calls_as_its_search_allows
                reading::an_external_id_is_one_call_or_refused_without_one
                reading::an_id_from_the_list_finds_the_same_user_everywhere
                reading::emails_asked_together_share_what_can_be_shared
                reading::leads_are_listed_where_the_provider_lists_them
                reading::an_unknown_user_is_null_and_no_error
                reading::the_list_is_in_the_providers_order
                records::a_known_record_is_complete_in_every_field
                records::an_empty_record_has_nulls_and_no_empty_texts
                records::attributes_keep_numbers_beyond_doubles
                records::raw_is_the_record_that_the_provider_sends
            }
        }
    };
}

for_each_subject!(provider);

#[test]
fn every_provider_has_a_subject_and_a_sandbox() {
    for provider in Provider::ALL {
        assert_eq!(expected(provider).provider, provider);
        assert!(!world::token(provider).is_empty(), "{provider:?}");
    }
}

mod intercom_users_alone {
    behaviours! { Subject::IntercomUsers { version: "1.1" } =>
        odd_shapes::a_field_that_a_shape_omits_is_null_and_the_others_are_equal
    }
}

/// Only contacts have filters that can be combined.
mod intercom_contacts_alone {
    behaviours! { Subject::IntercomContacts { version: "2.17" } =>
        narrowing::a_range_with_other_filters_and_an_order_is_exact
        narrowing::a_range_within_days_is_exact
        narrowing::an_email_with_another_filter_is_exact
        odd_shapes::a_field_that_a_shape_omits_is_null_and_the_others_are_equal
    }
}

/// Before version 2.17 a search of contacts compares days of a time zone that nobody here knows.
mod intercom_contacts_by_days {
    behaviours! { Subject::IntercomContacts { version: "2.16" } =>
        narrowing::a_declared_filter_is_exact
        narrowing::a_declared_sort_is_exact
        narrowing::a_filter_without_matches_finds_no_user
        narrowing::a_narrowed_list_pages_like_the_whole
        narrowing::a_range_with_other_filters_and_an_order_is_exact
        narrowing::a_range_within_days_is_exact
    }
}
