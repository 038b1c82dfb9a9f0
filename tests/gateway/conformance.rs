//! Each behaviour against each vendor, by name: what a vendor declares works, what it does not declare
//! is refused in words that help, and both cost exactly the calls that they must.

mod capabilities;
mod disabled;
mod intercom_versions;
mod narrowing;
mod odd_shapes;
mod people_held;
mod reading;
mod records;

macro_rules! behaviours {
    ($provider:ident: $($file:ident::$behaviour:ident)+) => {
        $(#[tokio::test]
        async fn $behaviour() {
            super::$file::$behaviour(roster::user::Provider::$provider).await;
        })+
    };
}

macro_rules! vendor {
    ($vendor:ident, $provider:ident) => {
        mod $vendor {
            behaviours! { $provider:
                capabilities::what_it_declares_is_what_its_documents_allow
                disabled::reads_say_that_it_is_disabled_and_call_nobody
                disabled::writes_are_skipped_without_an_error_and_call_nobody
                narrowing::a_declared_filter_is_exact
                narrowing::a_declared_sort_is_exact
                narrowing::a_narrowed_list_pages_like_the_whole
                narrowing::an_undeclared_filter_or_sort_is_refused_without_a_call
                odd_shapes::an_answer_in_another_documented_shape_is_the_same_answer
                reading::a_vendor_id_is_one_call
                reading::an_email_costs_as_few_calls_as_its_search_allows
                reading::an_external_id_is_one_call_or_refused_without_one
                reading::an_id_from_the_list_finds_the_same_user_everywhere
                reading::emails_asked_together_share_what_can_be_shared
                reading::nobody_is_null_and_no_error
                reading::the_list_is_in_the_vendors_order
                records::a_known_record_is_complete_in_every_field
                records::a_record_of_nobody_in_particular_has_nulls_and_no_empty_texts
                records::attributes_keep_numbers_beyond_doubles
                records::raw_is_the_record_as_the_vendor_holds_it
            }
        }
    };
}

vendor!(ada, Ada);
vendor!(digital_chalk, DigitalChalk);
vendor!(intercom, Intercom);
vendor!(usertour, Usertour);
