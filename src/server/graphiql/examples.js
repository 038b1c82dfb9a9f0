// What a newcomer finds: one tab for each of the main questions.
// GraphiQL leaves out the variables of the first, so it has none.

const findByEmail = `# Looks one person up at all providers
# at the same time. Run it with the
# button or with Ctrl-Enter.
#
# "sources" says how each one did:
# when one fails, the others' answers
# still arrive.
#
# This address lives in "roster demo";
# elsewhere, put in one of your own.
query FindByEmail {
  usersByEmail(email: "ann@x.test") {
    nodes {
      provider
      remoteId
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
      notices {
        code
        message
      }
      error {
        code
        message
        retryAfter
      }
    }
  }
}
`;

const asTheyAnswer = `# One event as each account answers, the
# fastest first: a page can show those
# that are there already.
subscription AsTheyAnswer {
  usersByEmail(email: "ann@x.test") {
    source {
      account
      status
      calls
    }
    users {
      remoteId
      name
      tags
    }
  }
}
`;

const firstUsers = `# The users of one provider, in its order.
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

const onePerson = `# The records of all providers that
# share an address, as one person.
query OnePerson($email: String!) {
  person(email: $email) {
    name
    avatarUrl
    firstSeenAt
    lastSeenAt
    users {
      id
      provider
      remoteId
      externalId
      companies {
        name
      }
      # What only one provider knows is
      # behind "... on": press Ctrl-Space
      # after "role" for more fields, or
      # add another provider's record.
      details {
        ... on IntercomUser {
          role
          segments {
            name
          }
        }
        ... on DigitalChalkUser {
          lastLoginDate
        }
      }
    }
  }
}
`;

const filtered = `# Some users of one provider, the last
# seen first. What a provider cannot do
# is an error that says what it can; see
# "capabilities" in the last tab.
query Filtered($filter: UserFilter) {
  users(
    provider: INTERCOM
    first: 5
    filter: $filter
  ) {
    totalCount
    nodes {
      name
      email
      kind
      lastSeenAt
    }
    sources {
      status
      notices {
        code
        message
      }
    }
  }
}
`;

const filter = `{
  "filter": {
    "emailDomain": "x.test",
    "kind": "USER",
    "sort": {
      "field": "LAST_SEEN_AT",
      "direction": "DESCENDING"
    }
  }
}`;

const raw = `# The records as the providers sent them,
# for what no typed field holds.
query Raw($email: String!) {
  usersByEmail(email: $email) {
    nodes {
      provider
      attributes
      raw
    }
    sources {
      provider
      status
    }
  }
}
`;

const exported = `# All that is known of one person: for
# an answer to a request for access.
# Look at "sources": only where none is
# FAILED or PARTIAL is this everything.
query ExportPerson($email: String!) {
  person(email: $email) {
    email
    users {
      provider
      remoteId
      externalId
      kind
      createdAt
      updatedAt
      lastSeenAt
      tags
      companies {
        remoteId
        externalId
        name
      }
      attributes
      raw
    }
    sources {
      provider
      status
      asOf
      calls
      notices {
        code
        message
      }
      error {
        code
        message
      }
    }
  }
}
`;

const write = `# Creates or changes a user. This writes:
# in "roster demo" to a sandbox, elsewhere
# to the provider's own records.
#
# A field that is left out stays as it is,
# null clears it.
mutation Write($input: UpsertUserInput!) {
  upsertUser(input: $input) {
    outcome
    user {
      id
      provider
      name
      email
    }
    userErrors {
      field
      message
      code
    }
  }
}
`;

const written = `{
  "input": {
    "provider": "USERTOUR",
    "externalId": "graphiql-example",
    "email": "graphiql@x.test",
    "name": "Graphi Quell"
  }
}`;

const accounts = `# The accounts behind this graph: how
# they are, and what they can do.
query Accounts {
  accounts {
    name
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

const ann = '{\n  "email": "ann@x.test"\n}';

export const examples = [
  { title: "Find a person by email at all providers", query: findByEmail },
  { title: "Find a person as each account answers", query: asTheyAnswer },
  { title: "Page through the users of one provider", query: firstUsers, variables: '{\n  "after": null\n}' },
  { title: "One person over all providers", query: onePerson, variables: ann },
  { title: "Filter and sort a list", query: filtered, variables: filter },
  { title: "Records as the providers sent them", query: raw, variables: ann },
  { title: "Export all that is known of a person", query: exported, variables: ann },
  { title: "Create or change a user", query: write, variables: written },
  { title: "The accounts and how they are", query: accounts },
];

/** What a new tab starts with. */
export const started = `# Press Ctrl-Space for what can stand at
# the cursor, Ctrl-Enter to run it.
query Search {
  usersByEmail(email: "ann@x.test") {
    nodes {
      provider
      name
      email
    }
    sources {
      provider
      status
    }
  }
}
`;
