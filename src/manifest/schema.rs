//! The JSON Schemas of the kinds, and what they have to say of a document.
//!
//! In: the Rust types; a document. Out: the committed schema files; findings without a place yet.
//! Schemas are draft 2020-12, compiled once per kind, and never fetch anything.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, ValidationError, ValidationOptions, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize as _;
use serde_json::Value;

use super::in_place::Tree;
use super::kinds::Kind;
use super::kinds::deployment::MessengerDeployment;
use super::kinds::integration::OpenMessagingIntegration;
use super::kinds::messenger::MessengerConfiguration;
use super::kinds::platform::LongHexColour;
use super::kinds::project::Project;
use super::kinds::tenant::TenantDocument;
use super::kinds::text::{FontSize, Form as _, HexColour, TimeOfDay};
use super::kinds::web_messaging::WebMessaging;
use super::yaml::{Node, Yaml, compose, shown};
use crate::model::secret::is_telling;
use crate::model::{Dialect, ObjectKind};

/// Most violations of one document that are explained; a document seldom has more to say.
const VIOLATIONS_MAX: usize = 50;
/// The platform's field that no manifest has, because its value is a secret.
const SECRET_TOKEN: &str = "outboundNotificationWebhookSignatureSecretToken";
/// Longest word for which a similar one is looked for: comparing takes time and memory by its length.
const WORD_CHARS_MAX: usize = 100;

/// The schema of a kind, as committed under `schemas/`.
pub fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Project => generate::<Project>(kind),
        Kind::Tenant => generate::<TenantDocument>(kind),
        Kind::Object(ObjectKind::WebMessaging) => generate::<WebMessaging>(kind),
        Kind::Object(ObjectKind::OpenMessagingIntegration) => generate::<OpenMessagingIntegration>(kind),
        Kind::Object(ObjectKind::MessengerConfiguration) => generate::<MessengerConfiguration>(kind),
        Kind::Object(ObjectKind::MessengerDeployment) => generate::<MessengerDeployment>(kind),
    }
}

fn generate<T: JsonSchema>(kind: Kind) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    let id = format!("https://genesync.example/schemas/{}", kind.schema_file());
    schema.insert("$id".into(), Value::String(id));
    // `kind` alone is a constant; as an `enum` of one word the type can't tell which document it is.
    if let Some(word) = schema.pointer_mut("/properties/kind").and_then(Value::as_object_mut) {
        word.remove("enum");
        word.insert("const".into(), kind.name().into());
    }
    schema.to_value()
}

pub(super) fn validator(kind: Kind) -> Option<&'static Validator<Tree>> {
    // Each on its first use: a repository seldom has documents of every kind.
    static COMPILED: [OnceLock<Option<Validator<Tree>>>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    let compile = || {
        ValidationOptions::<'_, _, Tree>::default()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .build(&schema(kind))
            .ok()
    };
    let index = Kind::ALL.iter().position(|candidate| *candidate == kind)?;
    COMPILED.get(index)?.get_or_init(compile).as_ref()
}

/// What a schema says against one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// JSON pointer of the value, or of the map that lacks or has too much of something.
    pub pointer: String,
    /// The key that is too much, where that is what is wrong.
    pub key: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The word that was probably meant, where there is one.
    pub suggestion: Option<String>,
}

/// Whether the schema of a kind accepts a document: cheaper than [`check`].
pub fn accepts(kind: Kind, document: &Node) -> bool {
    validator(kind).is_some_and(|validator| validator.is_valid(document))
}

/// Whether the Rust type of a kind takes a document. It takes what the schema accepts and nothing else; a
/// test mutates documents and holds the two against each other.
pub fn reads(kind: Kind, document: &Node) -> bool {
    match kind {
        Kind::Project => Project::deserialize(document).is_ok(),
        Kind::Tenant => TenantDocument::deserialize(document).is_ok(),
        Kind::Object(ObjectKind::WebMessaging) => WebMessaging::deserialize(document).is_ok(),
        Kind::Object(ObjectKind::OpenMessagingIntegration) => {
            OpenMessagingIntegration::deserialize(document).is_ok()
        }
        Kind::Object(ObjectKind::MessengerConfiguration) => {
            MessengerConfiguration::deserialize(document).is_ok()
        }
        Kind::Object(ObjectKind::MessengerDeployment) => MessengerDeployment::deserialize(document).is_ok(),
    }
}

/// Dotted paths of every section and field that objects of a dialect have, as the platform stores them; one
/// that ends in `.*` stands for any name.
pub fn fields(dialect: Dialect) -> &'static [String] {
    /// Ours alone: nothing live has them.
    const NEVER_SENT: &[&str] = &["extends", "exclusive", "name", "signatureSecret", "availability.timeZone"];
    fn walk(section: &Value, path: &str, all: &mut Vec<String>) {
        for (key, below) in section.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if NEVER_SENT.contains(&path.as_str()) {
                continue;
            }
            walk(below, &path, all);
            if below.get("additionalProperties").is_some_and(Value::is_object) {
                all.push(format!("{path}.*"));
            }
            all.push(path);
        }
    }
    let of = |dialect: Dialect| {
        let mut all = Vec::new();
        for kind in ObjectKind::ALL.iter().filter(|kind| kind.dialect() == dialect) {
            if let Some(spec) = schema(Kind::Object(*kind)).pointer("/properties/spec") {
                walk(spec, "", &mut all);
            }
        }
        all
    };
    static WEBCHAT: OnceLock<Vec<String>> = OnceLock::new();
    static CLOUD: OnceLock<Vec<String>> = OnceLock::new();
    match dialect {
        Dialect::Webchat => WEBCHAT.get_or_init(|| of(dialect)),
        Dialect::Cloud => CLOUD.get_or_init(|| of(dialect)),
    }
}

/// What the schema of a kind says of a section or a field, by its keys from the document on; items of lists and entries
/// of open maps have no key of their own.
pub fn section<'a>(kind: Kind, keys: impl Iterator<Item = &'a str>) -> Option<Value> {
    fn inside(mut section: &Value) -> &Value {
        while let Some(items) = section.get("items") {
            section = items;
        }
        section
    }
    let whole = schema(kind);
    let mut found = &whole;
    for key in keys {
        let section = inside(found);
        let named = section.get("properties").and_then(|properties| properties.get(key));
        found = named.or_else(|| section.get("additionalProperties").filter(|open| open.is_object()))?;
    }
    Some(inside(found).clone())
}

/// Whether objects of a dialect have a section or a field of this dotted path.
pub fn has_field(dialect: Dialect, path: &str) -> bool {
    fields(dialect).iter().any(|field| match field.strip_suffix('*') {
        Some(section) => path.strip_prefix(section).is_some_and(|name| !name.is_empty()),
        None => field == path,
    })
}

/// Everything that the schema of a kind has to say against a document.
pub fn check(kind: Kind, document: &Node) -> Vec<Violation> {
    let Some(validator) = validator(kind) else { return Vec::new() };
    let errors: Vec<_> = validator.iter_errors(document).take(VIOLATIONS_MAX).collect();
    let is_pattern =
        |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Pattern { .. });
    let is_length =
        |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::MaxLength { .. });
    // A text that has not its form is seldom of its length, and one mistake is told of once.
    let malformed: BTreeSet<String> = errors
        .iter()
        .filter(|error| is_pattern(error))
        .map(|error| error.instance_path().to_string())
        .collect();
    let told = errors
        .iter()
        .filter(|error| !is_length(error) || !malformed.contains(error.instance_path().as_str()));
    told.flat_map(|error| explain(kind, document, error)).take(VIOLATIONS_MAX).collect()
}

fn explain(kind: Kind, document: &Node, error: &ValidationError<'_>) -> Vec<Violation> {
    let pointer = error.instance_path().to_string();
    let one = |message: String, help: Option<String>| {
        vec![Violation { pointer: pointer.clone(), key: None, message, help, suggestion: None }]
    };
    let malformed = |message: String, otherwise: Option<String>| {
        let suggestion = document.pointer(&pointer).and_then(|node| mended(kind, error, node));
        let help = otherwise.filter(|_| suggestion.is_none());
        vec![Violation { pointer: pointer.clone(), key: None, message, help, suggestion }]
    };
    let value = error.instance();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = siblings(kind, error);
            unexpected.iter().take(VIOLATIONS_MAX).map(|key| unknown(&pointer, key, &known)).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            one(format!("`{name}` is missing"), Some(format!("add `{name}:` here")))
        }
        ValidationErrorKind::Type { kind } => {
            let expected = expected(kind);
            let help = (expected == "text" && value.is_object())
                .then(|| "put text with a colon in quotes".to_owned());
            malformed(format!("this must be {expected}, not {}", found(value)), help)
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            choose(&pointer, value, &words)
        }
        ValidationErrorKind::Constant { expected_value } => {
            let word = expected_value.as_str().unwrap_or_default();
            one(format!("this must be `{word}`"), None)
        }
        ValidationErrorKind::Pattern { .. } => {
            let section = parent(kind, error).unwrap_or_default();
            let form =
                section.get("title").and_then(Value::as_str).unwrap_or("of the form that is asked for");
            let is_secret = is_telling(pointer.rsplit('/').next().unwrap_or_default());
            let message = match value.as_str().unwrap_or_default() {
                // Where the name of a secret belongs, people paste the secret.
                _ if is_secret => format!("this is not {form}"),
                "" => format!("this is empty, and not {form}"),
                text => format!("`{}` is not {form}", shown(text)),
            };
            malformed(message, described(&section))
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let key = inner.instance().as_str().unwrap_or_default().to_owned();
            vec![Violation {
                pointer,
                message: format!("`{}` can't be a name here", shown(&key)),
                key: Some(key),
                help: Some(
                    "use letters, digits, dashes, dots and underscores, starting with a letter".into(),
                ),
                suggestion: None,
            }]
        }
        ValidationErrorKind::MaxLength { limit } => {
            let length = value.as_str().map_or(0, |text| text.chars().count());
            one(format!("this has {length} characters, {limit} are allowed"), None)
        }
        ValidationErrorKind::MinItems { limit } => {
            one(format!("this list needs at least {limit} item(s)"), None)
        }
        ValidationErrorKind::MaxItems { limit } => {
            let length = value.as_array().map_or(0, Vec::len);
            one(format!("this list has {length} items, {limit} are allowed"), None)
        }
        ValidationErrorKind::MaxProperties { limit } => {
            one(format!("this has more than {limit} entries"), None)
        }
        ValidationErrorKind::Minimum { limit } => {
            one(format!("{} is less than {limit}", shown(&value.to_string())), None)
        }
        ValidationErrorKind::Maximum { limit } => {
            one(format!("{} is more than {limit}", shown(&value.to_string())), None)
        }
        other => one(format!("this breaks the schema's `{}`", other.keyword()), None),
    }
}

/// A word as YAML, in quotes where some readers take it for something else than text.
fn plain(word: &str) -> String {
    match compose(&format!("- {word}"), 0).problems.is_empty() {
        true => word.to_owned(),
        false => Value::String(word.to_owned()).to_string(),
    }
}

fn unknown(pointer: &str, key: &str, known: &[String]) -> Violation {
    let suggestion = nearest(key, known.iter().map(String::as_str));
    let help = match &suggestion {
        Some(word) => format!("did you mean `{word}`?"),
        None if key == "id" && known.iter().any(|field| field == "name") => {
            "references are by `name`: ids differ from one organization to the next".into()
        }
        None if key == SECRET_TOKEN => {
            "write `signatureSecret`, the name under which the operator keeps it: a repository holds no secret".into()
        }
        None => format!("fields here: {}", known.join(", ")),
    };
    Violation {
        pointer: pointer.to_owned(),
        key: Some(key.to_owned()),
        message: format!("there is no field `{}` here", shown(key)),
        help: Some(help),
        suggestion,
    }
}

fn choose(pointer: &str, value: &Value, words: &[&str]) -> Vec<Violation> {
    let Some(text) = value.as_str() else { return Vec::new() };
    // Of two or three letters any other word is near.
    let suggestion =
        nearest(text, words.iter().copied()).filter(|word| text.len() > 3 || is_surely(text, word));
    let help = match &suggestion {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("one of: {}", words.join(", ")),
    };
    vec![Violation {
        pointer: pointer.to_owned(),
        key: None,
        message: format!("`{}` is not one of the words that are allowed here", shown(text)),
        help: Some(help),
        suggestion: suggestion.filter(|word| is_surely(text, word)).map(|word| plain(&word)),
    }]
}

/// Whether two words are the same but for capitals, blanks and dashes.
pub fn is_spelling_of(word: &str, known: &str) -> bool {
    let letters = |text: &str| text.replace([' ', '-', '_'], "").to_lowercase();
    letters(word) == letters(known)
}

/// Whether a word can have been meant for no other: in short ones one letter decides, `Light` is as near to `Right` as to
/// nothing, and `A` to `AA`.
fn is_surely(word: &str, known: &str) -> bool {
    const LETTERS_MIN: usize = 6;
    let is_word =
        |text: &str| text.len() >= LETTERS_MIN && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (lower, known_lower) = (word.to_lowercase(), known.to_lowercase());
    let is_slip = || strsim::damerau_levenshtein(&lower, &known_lower) == 1;
    is_spelling_of(word, known) || (is_word(word) && is_word(known) && is_slip())
}

/// The known word that is close enough to be what was meant; none where two are equally close.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if word.chars().nth(WORD_CHARS_MAX).is_some() {
        return None;
    }
    let lower = word.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5)
        .collect();
    near.sort_unstable();
    near.dedup();
    match near.as_slice() {
        [(one, _), (other, _), ..] if one == other => None,
        [(_, nearest), ..] => Some((*nearest).to_owned()),
        [] => None,
    }
}

/// Names of the properties that the schema knows where the error stands.
fn siblings(kind: Kind, error: &ValidationError<'_>) -> Vec<String> {
    parent(kind, error)
        .and_then(|schema| schema.get("properties").and_then(Value::as_object).cloned())
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// What the schema says of a value.
fn described(section: &Value) -> Option<String> {
    let description = section.get("description").and_then(Value::as_str).unwrap_or_default();
    let examples: Vec<String> = section
        .get("examples")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|example| format!("`{}`", example.as_str().unwrap_or_default()))
        .collect();
    let text = match examples.as_slice() {
        [] => description.to_owned(),
        examples => format!("{description} For example: {}", examples.join(", ")),
    };
    (!text.is_empty()).then_some(text)
}

/// The YAML of what was surely meant by a value that has the wrong type or form: the same characters in quotes or out of
/// them, and what people leave out of a colour, a size or a time. Whatever comes of it, the schema accepts.
fn mended(kind: Kind, error: &ValidationError<'_>, node: &Node) -> Option<String> {
    let key = error.instance_path().to_string();
    let written = match &node.value {
        Yaml::Text(text) | Yaml::Number(text) => text.trim(),
        Yaml::Bool(true) => "true",
        Yaml::Bool(false) => "false",
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => return None,
    };
    if is_telling(key.rsplit('/').next().unwrap_or_default()) || shown(written) != written {
        return None;
    }
    let text = |text: String| Some((Value::String(text.clone()), Value::String(text).to_string()));
    let truth = match written.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    };
    let section = parent(kind, error)?;
    let is = |pattern: &str| section.get("pattern").and_then(Value::as_str) == Some(pattern);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let px = written.trim_end_matches("px").trim_end();
    let completed = if (is(HexColour::PATTERN) || is(LongHexColour::PATTERN)) && hex(written) {
        text(format!("#{written}"))
    } else if is(FontSize::PATTERN) && digits(px) {
        text(format!("{px}px"))
    } else if is(TimeOfDay::PATTERN) && written.split(':').all(digits) {
        text(format!("0{written}"))
    } else {
        None
    };
    let candidates = [
        truth.map(|truth| (Value::Bool(truth), truth.to_string())),
        // A number as people write one: `0x10` and `1e3` are left to them.
        written
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            .then(|| Some((serde_json::from_str(written).ok()?, written.to_owned())))
            .flatten(),
        text(written.to_owned()).filter(|_| !written.is_empty()),
        completed,
    ];
    let accepts = jsonschema::validator_for(&section).ok()?;
    candidates.into_iter().flatten().find(|(value, _)| accepts.is_valid(value)).map(|(_, yaml)| yaml)
}

/// The schema object whose keyword failed.
fn parent(kind: Kind, error: &ValidationError<'_>) -> Option<Value> {
    let path = error.schema_path().to_string();
    let (path, _) = path.rsplit_once('/')?;
    schema(kind).pointer(path).cloned()
}

fn expected(kind: &TypeKind) -> String {
    let word = |kind: &str| match kind {
        "string" => "text".to_owned(),
        "object" => "a map".to_owned(),
        "array" => "a list".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        other => format!("`{other}`"),
    };
    match kind {
        TypeKind::Single(single) => word(single.as_str()),
        TypeKind::Multiple(set) => set
            .iter()
            .map(|single| single.as_str())
            .filter(|single| *single != "null")
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
