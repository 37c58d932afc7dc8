//! What an entry of the vocabulary is made of: the shapes of fields, and the macros that make of one entry a struct, a list of its fields,
//! and a variant of [`super::Operation`].

use indexmap::IndexMap;

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A name: an identifier as it is, never SQL (O2).
    Name,
    /// A list of names, in order.
    Names,
    /// A type; may be a map from engine to type (O1).
    Type,
    /// An expression; may be a map from engine to expression (O1).
    Expression,
    /// Text; may be a map from engine to text (O1).
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number above 0.
    Count,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A map from key to text, or to nothing, which unsets it.
    Properties,
    /// A map from column to expression.
    Set,
    /// A map with these fields.
    Map(&'static [FieldSpec]),
    /// A list of maps with these fields.
    List(&'static [FieldSpec]),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Its key.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it may hold.
    pub shape: Shape,
    /// What it is for.
    pub doc: &'static str,
}

/// Whether an engine has an operation.
#[derive(Clone, Copy, Debug)]
pub enum Support {
    /// It has.
    Yes,
    /// This version has not; handlers are the way round.
    Later,
    /// It never can: why, and the way round.
    No(&'static str, &'static str),
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its key in a step.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Its fields, in order.
    pub fields: &'static [FieldSpec],
    /// Whether Delta has it.
    pub delta: Support,
    /// Whether SQL engines have it.
    pub sql: Support,
}

/// Declares a struct of fields and the list that it is read by.
macro_rules! fields {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $fdoc:literal])+ $need:ident $field:ident : $type:ty = $shape:expr),* $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $fdoc])+ #[serde(default = "Unset::unset", skip_serializing_if = "Unset::is_unset")] pub $field: $type),*
        }

        impl $name {
            /// Its fields, in order.
            pub const FIELDS: &'static [FieldSpec] = &[$(FieldSpec {
                name: bare(stringify!($field)),
                required: fields!(@ $need),
                shape: $shape,
                doc: concat!($($fdoc),+),
            }),*];
        }
    };
    (@ must) => { true };
    (@ may) => { false };
}

/// Declares the operations.
macro_rules! ops {
    ($($(#[doc = $doc:literal])+ $key:literal $name:ident $fields:tt delta $delta:expr; sql $sql:expr;)+) => {
        $(fields! { $(#[doc = $doc])+ $name $fields })+

        /// A declarative operation as a step has it, the texts of one engine chosen.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation { $($(#[doc = $doc])+ $name(Box<$name>)),+ }

        /// Every operation, in the order of the documentation.
        pub const OPERATIONS: &[Spec] = &[$(Spec {
            name: $key,
            doc: concat!($($doc),+),
            fields: $name::FIELDS,
            delta: $delta,
            sql: $sql,
        }),+];

        impl Operation {
            /// The operation of that name with these fields, which a reader has held against [`Spec::fields`].
            ///
            /// # Errors
            /// Where they are not.
            pub fn new(name: &str, fields: serde_json::Value) -> serde_json::Result<Self> {
                match name {
                    $($key => serde_json::from_value(fields).map(|fields| Self::$name(Box::new(fields))),)+
                    name => Err(serde::de::Error::custom(format!("`{name}` is no operation"))),
                }
            }

            /// Its key in a step.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $key),+ }
            }

            /// Its fields as JSON: what its checksum is over. What was left out is left out.
            pub fn fields(&self) -> serde_json::Value {
                match self { $(Self::$name(fields) => serde_json::to_value(fields)),+ }.unwrap_or_default()
            }
        }
    };
}

/// A value that stands for "left out".
pub(super) trait Unset {
    fn unset() -> Self;
    fn is_unset(&self) -> bool;
}

impl Unset for String {
    fn unset() -> Self {
        Self::new()
    }
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Unset for Option<T> {
    fn unset() -> Self {
        None
    }
    fn is_unset(&self) -> bool {
        self.is_none()
    }
}

impl<T> Unset for Vec<T> {
    fn unset() -> Self {
        Self::new()
    }
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

impl<K: std::hash::Hash + Eq, V> Unset for IndexMap<K, V> {
    fn unset() -> Self {
        Self::new()
    }
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

impl Unset for bool {
    fn unset() -> Self {
        false
    }
    fn is_unset(&self) -> bool {
        !self
    }
}

/// A field's name without the mark that lets Rust take a keyword for one.
pub(super) const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

pub(super) use {fields, ops};
