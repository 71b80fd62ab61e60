//! Whose token a request carries, and whose rate limit it counts towards.

use crate::model::{Bucket, CredentialsName, Dialect, OrganizationId, Region, Target};

/// One OAuth client at one API of one region: what has a token of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Account {
    pub region: Region,
    pub credentials: CredentialsName,
    pub dialect: Dialect,
}

impl Account {
    pub(super) fn of(target: &Target, dialect: Dialect) -> Self {
        Self { region: target.region, credentials: target.credentials.clone(), dialect }
    }
}

/// What has one rate limit: a capability of the dialect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum BucketKey {
    Organization(OrganizationId),
    /// One of the tokens of an account, by its number.
    Token(Account, u8),
}

impl BucketKey {
    /// The buckets that a request about a target may count towards, of a client that uses so many tokens. The first one is
    /// to be used up before the next one is touched: a token that nobody needs is never fetched.
    pub(super) fn all(target: &Target, dialect: Dialect, tokens: u8) -> Vec<Self> {
        match dialect.capabilities().bucket {
            Bucket::Organization => vec![BucketKey::Organization(target.organization.clone())],
            Bucket::Token => {
                let account = Account::of(target, dialect);
                (0..tokens.max(1)).map(|number| BucketKey::Token(account.clone(), number)).collect()
            }
        }
    }

    /// The number of the token that a request carries.
    pub(super) fn token(&self) -> u8 {
        match self {
            BucketKey::Organization(_) => 0,
            BucketKey::Token(_, number) => *number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Object;

    fn target(organization: &str, credentials: &str) -> Target {
        Target {
            organization: OrganizationId::new(organization),
            region: Region::EuWest1,
            credentials: CredentialsName::new(credentials),
            object: Object::implied(),
        }
    }

    /// Two pacers at one bucket of the server would each take the whole of its limit.
    #[test]
    fn what_shares_a_limit_shares_a_bucket() {
        let key = |target: &Target, dialect| BucketKey::all(target, dialect, 1);
        for (dialect, by_organization) in [(Dialect::Webchat, true), (Dialect::Cloud, false)] {
            let (one, other_client, other_organization) =
                (target("o", "c"), target("o", "d"), target("p", "c"));
            assert_eq!(key(&one, dialect) == key(&other_client, dialect), by_organization);
            assert_eq!(key(&one, dialect) == key(&other_organization, dialect), !by_organization);
        }
        let one = target("o", "c");
        assert_ne!(key(&one, Dialect::Webchat), key(&one, Dialect::Cloud));
    }

    #[test]
    fn more_tokens_are_more_buckets_only_where_each_has_a_limit_of_its_own() {
        let numbers = |dialect| -> Vec<u8> {
            let keys = BucketKey::all(&target("o", "c"), dialect, 3);
            keys.iter().map(BucketKey::token).collect()
        };
        assert_eq!(numbers(Dialect::Cloud), [0, 1, 2]);
        assert_eq!(numbers(Dialect::Webchat), [0]);
    }
}
