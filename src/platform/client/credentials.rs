//! Stores the credentials of a client, their tokens, and the organizations that the tokens belong to.

use std::sync::{Arc, PoisonError};

use super::Client;
use crate::model::{CredentialsName, Dialect, Fault, Secret, SecretName, Target};
use crate::platform::account::Account;
use crate::platform::token::TokenCell;
use crate::platform::{ClientCredentials, local};

impl Client {
    /// Returns the cell of one token of a target's credentials.
    pub(super) fn cell(
        &self,
        target: &Target,
        dialect: Dialect,
        number: u8,
    ) -> Result<Arc<TokenCell>, Fault> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Account::of(target, dialect), number);
        if let Some(cell) = tokens.get(&key) {
            return Ok(Arc::clone(cell));
        }
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let credentials = credentials
            .get(&target.credentials)
            .ok_or_else(|| local(format!("found no credentials named `{}`", target.credentials)))?;
        let cell = Arc::new(TokenCell::new(credentials.clone()));
        tokens.insert(key, Arc::clone(&cell));
        Ok(cell)
    }

    /// Stores credentials under a name. If they differ from the earlier ones, it drops their tokens.
    pub fn learn(&self, name: &CredentialsName, fresh: ClientCredentials) {
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &ClientCredentials| {
            known.id == fresh.id && known.secret.expose() == fresh.secret.expose()
        };
        if let Some(known) = credentials.get_mut(name).filter(|known| same(known)) {
            known.tokens = fresh.tokens;
            return;
        }
        credentials.insert(name.clone(), fresh);
        drop(credentials);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, known, _)| known != name);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(account, _), _| account.credentials != *name);
    }

    /// Returns the secret with a name; none if it is unknown.
    pub fn secret(&self, name: &SecretName) -> Option<Secret> {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        credentials.get(&CredentialsName::new(name.as_str())).map(|known| known.secret.clone())
    }

    /// Returns the id of the client with a name; none if it is unknown.
    pub fn client_id(&self, name: &CredentialsName) -> Option<String> {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        credentials.get(name).map(|known| known.id.clone())
    }

    /// Returns whether the token is confirmed to belong to the organization that git names.
    pub fn is_known(&self, target: &Target) -> bool {
        let key = (target.region, target.credentials.clone(), target.organization.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }

    /// Records that the token belongs to the organization that git names.
    pub fn know(&self, target: &Target) {
        let key = (target.region, target.credentials.clone(), target.organization.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }
}
