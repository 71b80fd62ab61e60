//! The wire types. Only the fields in use are read; new fields are ignored.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::{Actor, Fault, FaultKind};
use crate::platform::operation::{Response, shown};

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ErrorBody {
    pub message: String,
    pub code: String,
    pub errors: Vec<FieldError>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobBody {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub targets: Vec<JobTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobTarget {
    pub organization_id: String,
    pub status: String,
    #[serde(default)]
    pub version: Option<u64>,
    #[serde(default)]
    pub error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    pub records: Vec<Value>,
    #[serde(default)]
    pub page_size: Option<u64>,
    #[serde(default)]
    pub total: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    pub id: String,
    pub timestamp: Timestamp,
    pub action: String,
    pub organization_id: String,
    pub actor: Actor,
    #[serde(default)]
    pub remote_ip: Option<String>,
    #[serde(default)]
    pub version: Option<u64>,
    #[serde(default)]
    pub changes: Vec<PropertyChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    pub property: String,
    #[serde(default)]
    pub old_value: Value,
    #[serde(default)]
    pub new_value: Value,
}

/// The error body of an answer; empty if it has none.
pub fn error(response: &Response) -> ErrorBody {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// An answer's body as a value.
///
/// # Errors
/// It is not JSON, or has another shape. The message has the position, never the content.
pub fn parse<T: DeserializeOwned>(response: &Response) -> Result<T, Fault> {
    let unreadable =
        |why: String| response.fault(FaultKind::Transient, format!("{} and {why}", response.reported()));
    if !response.is_json {
        return Err(unreadable("a body that is not JSON".into()));
    }
    serde_json::from_slice(&response.body).map_err(|error| {
        unreadable(format!("a body that cannot be read (line {}, column {})", error.line(), error.column()))
    })
}

/// Why a job's target failed, from a text or from an error body.
pub fn reason(error: &Value) -> String {
    let text = match error {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            map.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned()
        }
        other => other.to_string(),
    };
    shown(&text, 200).into_owned()
}
