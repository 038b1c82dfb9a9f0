// What a newcomer finds: one tab for each of the main questions.
// GraphiQL leaves out the variables of the first, so it has none.

const findByEmail = `# Looks one person up in all vendors
# at the same time. Run it with the
# button or with Ctrl-Enter.
#
# "sources" says how each vendor did:
# when one fails, the others' answers
# still arrive.
#
# This address lives in "roster demo";
# elsewhere, put in one of your own.
query FindByEmail {
  usersByEmail(email: "ann@x.test") {
    nodes {
      provider
      vendorId
      email
      name
      kind
      tags
      lastSeenAt
    }
    sources {
      provider
      status
      calls
      notice
      error {
        code
        message
        retryAfter
      }
    }
  }
}
`;

const firstUsers = `# The users of one vendor, in its order.
# For the next page, give "endCursor"
# (or the cursor of any edge) to "after".
query FirstUsers($after: String) {
  users(
    provider: INTERCOM
    first: 5
    after: $after
  ) {
    totalCount
    pageInfo {
      hasNextPage
      endCursor
    }
    edges {
      cursor
      node {
        id
        name
        email
        createdAt
      }
    }
  }
}
`;

const onePerson = `# The records of all vendors that share
# an address, as one person.
query OnePerson($email: String!) {
  person(email: $email) {
    name
    avatarUrl
    firstSeenAt
    lastSeenAt
    users {
      id
      provider
      vendorId
      externalId
      companies {
        name
      }
      # What only one vendor knows: put
      # the cursor between these braces
      # and press Ctrl-Space.
      details {
        __typename
      }
    }
  }
}
`;

const providers = `# The vendors behind this graph: how
# they are, and what they can do.
query Providers {
  providers {
    provider
    enabled
    health
    calls
    capabilities {
      emailSearch
      pageSize
      writes
    }
  }
}
`;

export const examples = [
  { title: "Find a person by email in all vendors", query: findByEmail },
  { title: "Page through the users of one vendor", query: firstUsers, variables: '{\n  "after": null\n}' },
  { title: "One person over all vendors", query: onePerson, variables: '{\n  "email": "ann@x.test"\n}' },
  { title: "The vendors and how they are", query: providers },
];
