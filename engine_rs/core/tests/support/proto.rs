//! The messages of `proto/reviva/v1`, as prost reads and writes them: what our own reader is held against.

use prost::{Enumeration, Message, Oneof};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(string, tag = "1")]
    pub event_id: String,
    #[prost(string, tag = "2")]
    pub event_type: String,
    #[prost(string, tag = "3")]
    pub event_name: String,
    #[prost(message, optional, tag = "4")]
    pub timestamp: Option<Timestamp>,
    #[prost(string, tag = "5")]
    pub anonymous_id: String,
    #[prost(string, tag = "6")]
    pub user_id: String,
    #[prost(string, tag = "7")]
    pub client_session_id: String,
    #[prost(string, tag = "8")]
    pub group_id: String,
    #[prost(string, tag = "9")]
    pub previous_id: String,
    #[prost(message, optional, tag = "10")]
    pub page: Option<Page>,
    #[prost(message, optional, tag = "11")]
    pub campaign: Option<Campaign>,
    #[prost(message, optional, tag = "12")]
    pub client: Option<Client>,
    #[prost(message, optional, tag = "13")]
    pub element: Option<Element>,
    #[prost(string, tag = "14")]
    pub form_id: String,
    #[prost(double, tag = "15")]
    pub revenue: f64,
    #[prost(string, tag = "16")]
    pub currency: String,
    #[prost(btree_map = "string, message", tag = "17")]
    pub properties: BTreeMap<String, Value>,
    #[prost(btree_map = "string, message", tag = "18")]
    pub traits: BTreeMap<String, Value>,
    #[prost(btree_map = "string, message", tag = "19")]
    pub context: BTreeMap<String, Value>,
    #[prost(message, optional, tag = "20")]
    pub consent: Option<Consent>,
    #[prost(message, optional, tag = "21")]
    pub library: Option<Library>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Page {
    #[prost(string, tag = "1")]
    pub url: String,
    #[prost(string, tag = "2")]
    pub path: String,
    #[prost(string, tag = "3")]
    pub title: String,
    #[prost(string, tag = "4")]
    pub referrer: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Campaign {
    #[prost(string, tag = "1")]
    pub source: String,
    #[prost(string, tag = "2")]
    pub medium: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub term: String,
    #[prost(string, tag = "5")]
    pub content: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Client {
    #[prost(string, tag = "1")]
    pub user_agent: String,
    #[prost(string, tag = "2")]
    pub locale: String,
    #[prost(string, tag = "3")]
    pub timezone: String,
    #[prost(uint32, tag = "4")]
    pub screen_width: u32,
    #[prost(uint32, tag = "5")]
    pub screen_height: u32,
    #[prost(uint32, tag = "6")]
    pub viewport_width: u32,
    #[prost(uint32, tag = "7")]
    pub viewport_height: u32,
    #[prost(string, tag = "8")]
    pub ip: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Element {
    #[prost(string, tag = "1")]
    pub selector: String,
    #[prost(string, tag = "2")]
    pub text: String,
    #[prost(int32, optional, tag = "3")]
    pub x: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub y: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Consent {
    #[prost(enumeration = "Decision", tag = "1")]
    pub decision: i32,
    #[prost(string, repeated, tag = "2")]
    pub granted: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub denied: Vec<String>,
    #[prost(bool, tag = "4")]
    pub gpc: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum Decision {
    Unspecified = 0,
    Granted = 1,
    Denied = 2,
}

#[derive(Clone, PartialEq, Message)]
pub struct Library {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Kind {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(double, tag = "3")]
    Double(f64),
    #[prost(string, tag = "4")]
    Text(String),
    #[prost(message, tag = "5")]
    List(ListValue),
    #[prost(message, tag = "6")]
    Map(MapValue),
}

#[derive(Clone, PartialEq, Message)]
pub struct ListValue {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct MapValue {
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct IngestRequest {
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<Event>,
    #[prost(message, optional, tag = "2")]
    pub sent_at: Option<Timestamp>,
    #[prost(bool, tag = "3")]
    pub history: bool,
    #[prost(message, optional, tag = "4")]
    pub library: Option<Library>,
}

#[derive(Clone, PartialEq, Message)]
pub struct IngestStreamRequest {
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(message, optional, tag = "2")]
    pub batch: Option<IngestRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub struct IngestResponse {
    #[prost(uint32, tag = "1")]
    pub accepted: u32,
    #[prost(message, repeated, tag = "2")]
    pub rejections: Vec<Rejection>,
    #[prost(message, repeated, tag = "3")]
    pub violations: Vec<Rejection>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Rejection {
    #[prost(uint32, tag = "1")]
    pub index: u32,
    #[prost(string, tag = "2")]
    pub code: String,
    #[prost(string, tag = "3")]
    pub path: String,
    #[prost(string, tag = "4")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct IngestStreamResponse {
    #[prost(message, optional, tag = "2")]
    pub ack: Option<Ack>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Ack {
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(message, optional, tag = "2")]
    pub result: Option<IngestResponse>,
}
