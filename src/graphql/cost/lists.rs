//! How many items the lists of an answer have, as far as that can be known before it is made.

use apollo_compiler::{
    Schema,
    schema::{ExtendedType, FieldDefinition},
};

/// For how many records an email address counts at each account.
pub(super) const RECORDS_AT_ACCOUNT: u64 = 4;
/// For how many items a list in a record counts, such as tags or companies.
const IN_A_RECORD: u64 = 5;

/// The sizes of lists: of introspection by the schema itself, of others by what they hold.
pub(in crate::graphql) struct Lists {
    accounts: u64,
    types: u64,
    directives: u64,
    fields: u64,
    /// For all types together, of which most have few.
    average_fields: u64,
    arguments: u64,
    enum_values: u64,
    input_fields: u64,
    members: u64,
    sdl_bytes: u64,
}

impl Lists {
    /// The sizes for a schema, over so many accounts.
    #[must_use]
    pub(in crate::graphql) fn new(schema: &Schema, accounts: usize) -> Self {
        let types = || schema.types.values();
        let fields: Vec<_> = types().flat_map(fields).collect();
        let largest =
            |size: fn(&ExtendedType) -> usize| types().map(size).max().unwrap_or(0) as u64;
        let objects = types().filter(|ty| !self::fields(ty).is_empty()).count() as u64;
        Self {
            accounts: accounts as u64,
            types: schema.types.len() as u64,
            directives: schema.directive_definitions.len() as u64,
            fields: types().map(|ty| self::fields(ty).len()).max().unwrap_or(0) as u64,
            average_fields: (fields.len() as u64).div_ceil(objects.max(1)),
            arguments: fields
                .iter()
                .map(|field| field.arguments.len())
                .max()
                .unwrap_or(0) as u64,
            enum_values: largest(enum_values),
            input_fields: largest(input_fields),
            members: largest(members),
            sdl_bytes: schema.to_string().len() as u64,
        }
    }

    /// How many accounts there are: each sends an event.
    pub(super) fn accounts(&self) -> u64 {
        self.accounts.max(1)
    }

    /// For how many records an email address counts: a few at each account.
    pub(super) fn of_an_address(&self) -> u64 {
        RECORDS_AT_ACCOUNT * self.accounts.max(1)
    }

    /// How many bytes the schema has in its own language, about.
    pub(super) fn sdl_bytes(&self) -> u64 {
        self.sdl_bytes
    }

    /// For how many items a list counts; `is_average` where the fields of every type are listed.
    pub(super) fn size(&self, parent: &str, field: &str, is_average: bool) -> u64 {
        match (parent, field) {
            // Their number is that of the rows that the field above asks for.
            ("UserConnection", "edges" | "nodes") => 1,
            ("Query", "accounts") | (_, "sources") => self.accounts,
            ("__Schema", "types") => self.types,
            ("__Schema", "directives") => self.directives,
            ("__Type", "fields") if is_average => self.average_fields,
            ("__Type", "fields") => self.fields,
            ("__Type", "inputFields") => self.input_fields,
            ("__Type", "enumValues") => self.enum_values,
            ("__Type", "possibleTypes" | "interfaces") => self.members,
            ("__Field" | "__Directive", "args") => self.arguments,
            _ => IN_A_RECORD,
        }
    }
}

fn fields(ty: &ExtendedType) -> Vec<&FieldDefinition> {
    let fields = match ty {
        ExtendedType::Object(of) => of.fields.values(),
        ExtendedType::Interface(of) => of.fields.values(),
        _ => return Vec::new(),
    };
    fields.map(|field| field.as_ref()).collect()
}

fn enum_values(ty: &ExtendedType) -> usize {
    match ty {
        ExtendedType::Enum(of) => of.values.len(),
        _ => 0,
    }
}

fn input_fields(ty: &ExtendedType) -> usize {
    match ty {
        ExtendedType::InputObject(of) => of.fields.len(),
        _ => 0,
    }
}

fn members(ty: &ExtendedType) -> usize {
    match ty {
        ExtendedType::Union(of) => of.members.len(),
        ExtendedType::Interface(_) => 8,
        _ => 0,
    }
}
