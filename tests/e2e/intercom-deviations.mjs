// Where the API is known to be, or where Roster knowingly goes, otherwise than Intercom's description
// says. An entry that nothing needs any more fails the tests as well.

const SEARCH_SORTS = "older official clients send it, and the description has it since 2.16";
const CURSOR = "the answer is declared with a cursor and a size, the request without";
const IN_LISTS_TOO = "declared of one contact, and not in lists";
const UNDECLARED = "answered and read by many clients, though not declared";

/** What Roster sends although the description, or the client's one of 2.14, does not have it. */
export const OF_REQUESTS = {
  "SearchRequest.sort": SEARCH_SORTS,
  "ListAttachedContactsRequest.per_page": CURSOR,
  "ListAttachedContactsRequest.starting_after": CURSOR,
};

/** What the sandbox answers as the provider does, and the description does not say. */
export const OF_ANSWERS = {
  "Contact.owner_id": "text since 2.16, a number in 2.14",
  "Contact.enabled_push_messaging": IN_LISTS_TOO,
  "Contact.formatted_phone": "declared in 2.11 and in the version to come, not in 2.14",
  "Contact.opted_in_subscription_types": UNDECLARED,
  "Contact.opted_out_subscription_types": UNDECLARED,
  "Contact.referrer": UNDECLARED,
  "Contact.sms_consent": UNDECLARED,
  "Contact.unsubscribed_from_sms": UNDECLARED,
  "Contact.utm_campaign": UNDECLARED,
  "Contact.utm_content": UNDECLARED,
  "Contact.utm_medium": UNDECLARED,
  "Contact.utm_source": UNDECLARED,
  "Contact.utm_term": UNDECLARED,
  "ContactLocation.continent_code": UNDECLARED,
  "ContactLocation.country_code": UNDECLARED,
  "ContactTags.type": UNDECLARED,
  "ContactNotes.type": UNDECLARED,
  "ContactCompanies.type": UNDECLARED,
  "ContactSocialProfiles.type": UNDECLARED,
  "StartingAfterPaging.page": "in the reference's guide to paging, beside the cursor",
  "ContactAttachedCompanies.data": "the list's key in the description's example, `companies` in its declaration",
};
