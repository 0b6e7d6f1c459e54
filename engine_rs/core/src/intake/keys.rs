//! API keys: which project a request belongs to.

use crate::verdict::{Code, RequestError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// SHA-256 of an API key, hex: keys themselves are kept nowhere.
#[must_use]
pub fn hash_key(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    Sha256::digest(key.as_bytes())
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| DIGITS[nibble as usize] as char)
        .collect()
}

/// The keys that are accepted.
#[derive(Debug, Default)]
pub(super) struct Keys(RwLock<Arc<HashMap<String, String>>>);

/// Whose request it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub project_id: String,
    pub key_hash: String,
}

impl Keys {
    /// Replaces them all: hash to project id.
    pub fn set(&self, keys: HashMap<String, String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The project of `key`.
    pub fn owner(&self, key: &str) -> Result<Owner, RequestError> {
        if key.is_empty() {
            return Err(RequestError::new(
                Code::MissingKey,
                "the request has no API key; send it as \"Authorization: Bearer KEY\", or as the user name of Basic",
            ));
        }
        let keys = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let key_hash = hash_key(key);
        match keys.get(&key_hash) {
            Some(project_id) => Ok(Owner {
                project_id: project_id.clone(),
                key_hash,
            }),
            None => Err(RequestError::new(
                Code::UnknownKey,
                "this API key is unknown or was revoked",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hashed_as_everybody_does() {
        assert_eq!(
            hash_key("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn keys_can_be_replaced() {
        let keys = Keys::default();
        keys.set(HashMap::from([(hash_key("one"), "demo".into())]));
        assert_eq!(keys.owner("one").unwrap().project_id, "demo");
        assert_eq!(keys.owner("two").unwrap_err().code, Code::UnknownKey);
        assert_eq!(keys.owner("").unwrap_err().code, Code::MissingKey);
        keys.set(HashMap::new());
        assert_eq!(keys.owner("one").unwrap_err().code, Code::UnknownKey);
    }
}
